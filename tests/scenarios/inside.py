"""What a process sees inside a container: `look` runs one script there and gives a Sight.

The script reads /proc, /sys and /etc of the container itself, so nothing of what composer says about it is taken on trust.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tests.scenarios.terminal import Terminal

_SCRIPT = r"""
say() { printf '\n@@%s\n' "$1"; }
p=/proc/$1; shift
say environ; cat $p/environ
say cmdline; cat $p/cmdline
say status; cat $p/status
say limits; cat $p/limits
say cwd; readlink $p/cwd
say oom; cat $p/oom_score_adj
say mounts; cat /proc/self/mountinfo
say hosts; cat /etc/hosts
say resolv; cat /etc/resolv.conf
say hostname; hostname
say domain; cat /proc/sys/kernel/domainname
say addresses; ip -o addr
say routes; ip route
for kind in net ipc uts pid cgroup; do say "ns:$kind"; readlink /proc/self/ns/$kind; done
cd /sys/fs/cgroup
for f in memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.swappiness \
  cpu/cpu.shares \
  cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpuset/cpuset.cpus pids/pids.max blkio/blkio.weight \
  memory.max memory.low memory.swap.max cpu.max cpu.weight cpuset.cpus pids.max; do
  if test -f $f; then say "cgroup:$f"; cat $f; fi
done
for f in "$@"; do say "stat:$f"; stat -c '%a %u %g %D %i %t:%T %F' "$f" 2>/dev/null
  say "file:$f"; if test -f "$f"; then cat "$f" 2>/dev/null; fi; done
say end
"""


@dataclass(frozen=True)
class Mount:
    """A line of mountinfo. ``options``: of the mount; ``of_fs``: of the file system; ``tags``: propagation ("shared:1", "master:1")."""

    root: str
    target: str
    options: frozenset[str]
    tags: str
    kind: str
    of_fs: str

    def size(self) -> int:
        """The size of a tmpfs in bytes; 0 when it has none."""
        found = re.search(r"(?:^|,)size=(\d+)k?", self.of_fs)
        return int(found[1]) * 1024 if found else 0


@dataclass(frozen=True)
class Sight:
    """The sections of the script's output."""

    parts: dict[str, str]

    def environ(self) -> dict[str, str]:
        return dict(entry.split("=", 1) for entry in self.parts["environ"].split("\0") if "=" in entry)

    def arguments(self) -> list[str]:
        return self.parts["cmdline"].split("\0")[:-1]

    def status(self, name: str) -> list[str]:
        """The words of a line of /proc/PID/status."""
        return next((line.split()[1:] for line in self.parts["status"].splitlines() if line.startswith(name + ":")), [])

    def limit(self, title: str) -> tuple[str, str]:
        """The soft and the hard limit of a line of /proc/PID/limits."""
        line = next(line for line in self.parts["limits"].splitlines() if line.startswith(title))
        soft, hard = line.removeprefix(title).split()[:2]
        return soft, hard

    def mounts(self) -> dict[str, Mount]:
        """Target -> the mount on top there."""
        found = {}
        for line in self.parts["mounts"].splitlines():
            words, _, behind = line.partition(" - ")
            _, _, _, root, target, options, *tags = words.split(" ")
            kind, _, of_fs = behind.split(" ", 2)
            found[target] = Mount(root, target, frozenset(options.split(",")), " ".join(tags), kind, of_fs)
        return found

    def interfaces(self) -> dict[str, list[str]]:
        """Interface -> its addresses with their prefixes, loopback aside."""
        found: dict[str, list[str]] = {}
        for line in self.parts["addresses"].splitlines():
            words = line.split()
            if len(words) > 3 and words[2] in ("inet", "inet6") and words[1] != "lo":
                found.setdefault(words[1], []).append(words[3])
        return found

    def cgroup(self, *names: str) -> str:
        """The first of these files that is there."""
        return next((self.parts[f"cgroup:{name}"].strip() for name in names if f"cgroup:{name}" in self.parts), "")

    def stat(self, path: str) -> list[str]:
        """Mode, uid, gid, device, inode, rdev, kind; [] when nothing is there."""
        return self.parts.get(f"stat:{path}", "").split(None, 6)

    def text(self, path: str) -> str:
        return self.parts.get(f"file:{path}", "")


def look(terminal: Terminal, flags: Iterable[str], service: str, number: int, paths: Iterable[str], *, own_pid: bool) -> Sight:
    """Run the script in a container as its own user. ``own_pid``: process 1 is the container's, not the host's."""
    words = [*flags, "exec", "-T", "--index", str(number), service, "sh", "-c", _SCRIPT, "look", "1" if own_pid else "self", *paths]
    parts = {}
    for part in terminal.run(*words).stdout.split("\n@@")[1:]:
        name, _, text = part.partition("\n")
        parts[name] = text
    return Sight(parts)
