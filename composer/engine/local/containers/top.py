"""top: the processes of a container, as ps(1) of the *host* shows them (a program of the image is never run outside its sandbox).

The default columns are read from /proc here; for other arguments the host's ps is run and its lines are filtered by pid, as Docker does.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from composer.engine.errors import Conflict, EngineError, InvalidArgument, NotRunning, Unavailable
from composer.engine.local.archive import finish
from composer.engine.local.containers.parts import Parts
from composer.engine.local.containers.registry import Held
from composer.engine.local.lifecycle import Phase
from composer.engine.model import ContainerTop

_TITLES = ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")
_TIMEOUT = 10.0


async def top(parts: Parts, held: Held, args: str) -> ContainerTop:
    """NotRunning; InvalidArgument (ps does not like the arguments)."""
    if not held.run.phase.alive:
        raise NotRunning(f"container {held.id} is not running")
    if held.run.phase is Phase.RESTARTING:
        raise Conflict(f"Container {held.id} is restarting, wait until the container is running")
    pids = await finish(lambda: parts.runtime.processes(parts.bundle(held)))
    if args.split() in ([], ["-ef"]):
        return await finish(lambda: ContainerTop(titles=_TITLES, processes=tuple(row for pid in sorted(pids) if (row := _row(pid)))))
    return await finish(lambda: _host_ps(shlex.split(args), set(pids)))


def _row(pid: int) -> tuple[str, ...] | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None  # it ended in this moment
    name = stat[stat.index("(") + 1 : stat.rindex(")")]
    fields = stat[stat.rindex(")") + 2 :].split()
    ticks = os.sysconf("SC_CLK_TCK")
    used = (int(fields[11]) + int(fields[12])) / ticks
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    age = max(uptime - int(fields[19]) / ticks, 0.001)
    return (
        _user(uid),
        str(pid),
        fields[1],
        str(min(99, int(100 * used / age))),
        _started(age),
        _tty(int(fields[4])),
        f"{int(used) // 3600:02d}:{int(used) // 60 % 60:02d}:{int(used) % 60:02d}",
        command or f"[{name}]",
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _started(age: float) -> str:
    began = time.localtime(time.time() - age)
    return time.strftime("%H:%M" if age < 86400 else "%b%d", began)


def _tty(number: int) -> str:
    if number == 0:
        return "?"
    major, minor = (number >> 8) & 0xFFF, (number & 0xFF) | ((number >> 12) & 0xFFF00)
    return f"pts/{minor}" if major == 136 else f"tty{minor}"


def _host_ps(arguments: list[str], pids: set[int]) -> ContainerTop:
    program = shutil.which("ps", path="/usr/bin:/bin")
    if program is None:
        raise Unavailable("ps is not installed on this machine", hint="apt-get install procps")
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, errors="replace", timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"ps failed: {error}") from error
    if done.returncode:
        raise InvalidArgument(f"ps: {done.stderr.strip() or 'exit status 1'}", hint="these are arguments of the host's ps")
    lines = done.stdout.splitlines()
    titles = tuple(lines[0].split())
    if "PID" not in titles:
        raise InvalidArgument("Couldn't find PID field in ps output")
    column = titles.index("PID")
    rows = (tuple(line.split(None, len(titles) - 1)) for line in lines[1:])
    return ContainerTop(
        titles=titles, processes=tuple(row for row in rows if len(row) > column and row[column].isdigit() and int(row[column]) in pids)
    )
