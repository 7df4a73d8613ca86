"""What the engine needs of this machine, one check each: programs, the kernel, cgroups, the network, the socket.

A **Check** says whether it is fine, what was found, and the command that mends it. ``needed``: without it the engine cannot work.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SBIN = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))
OLDEST = (5, 12)  # fsconfig of overlayfs by paths, openat2, pidfds, mount_setattr
CONTROLLERS = ("cpu", "memory", "pids")
INITS = (
    "/usr/libexec/docker/docker-init",
    "/usr/bin/docker-init",
    "/usr/bin/tini-static",
    "/usr/bin/catatonit",
    "/usr/libexec/podman/catatonit",
)
UNFIT = ("overlay", "nfs", "nfs4", "vfat", "9p", "fuse.sshfs", "cifs")  # file systems that cannot hold an overlay's upper directory


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = True


def all_checks(root: Path, address: str) -> Iterator[Check]:
    """``root``: where the engine keeps its state; ``address``: where it listens."""
    yield _rights()
    yield _kernel()
    yield _overlay()
    yield from _namespaces()
    yield _seccomp()
    yield _cgroups()
    yield _program("a runtime", ("crun", "runc"), "crun")
    yield _program("conmon", ("conmon",), "conmon")
    yield _nftables()
    yield _links()
    yield from _firewalls()
    yield _forwarding()
    yield _disk(root)
    yield _socket(address)
    yield _program("mmdebstrap", ("mmdebstrap",), "mmdebstrap", needed=False, use="for `composer image bootstrap`")
    yield _init()


def _install(package: str) -> str:
    return f"apt-get install -y {package}"


def _rights() -> Check:
    root = os.geteuid() == 0
    return Check("root", root, "you are root" if root else "you are not root: the engine needs it", "sudo composer ...", needed=False)


def _kernel() -> Check:
    release = os.uname().release
    numbers = tuple(int("".join(filter(str.isdigit, part)) or 0) for part in release.split(".")[:2])
    ok = os.uname().sysname == "Linux" and numbers >= OLDEST
    return Check("kernel", ok, f"{os.uname().sysname} {release}", f"a Linux of {OLDEST[0]}.{OLDEST[1]} or newer is needed")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _overlay() -> Check:
    known = any(line.split()[-1:] == ["overlay"] for line in _lines("/proc/filesystems")) or _module("overlay")
    return Check("overlayfs", known, "there" if known else "the kernel has none", "modprobe overlay")


def _module(name: str) -> bool:
    """Can the kernel load it, or is it built in?"""
    base = Path("/lib/modules") / os.uname().release
    wanted = (f"/{name}.ko", f"/{name}.ko.xz", f"/{name}.ko.zst", f"/{name}.ko.gz")
    return any(
        line.split(":")[0].endswith(wanted) for listing in ("modules.builtin", "modules.dep") for line in _lines(str(base / listing))
    )


def _namespaces() -> Iterator[Check]:
    lacking = [kind for kind in ("cgroup", "ipc", "mnt", "net", "pid", "uts") if not Path(f"/proc/self/ns/{kind}").exists()]
    yield Check("namespaces", not lacking, f"lacking: {', '.join(lacking)}" if lacking else "all", "use a kernel with namespaces")


def _seccomp() -> Check:
    ok = Path("/proc/sys/kernel/seccomp/actions_avail").exists()
    return Check("seccomp", ok, "there" if ok else "the kernel has none", "use a kernel with CONFIG_SECCOMP_FILTER")


def _cgroups() -> Check:
    unified = Path("/sys/fs/cgroup/cgroup.controllers")
    if unified.exists():
        have = unified.read_text().split()
        lacking = [name for name in CONTROLLERS if name not in have]
        version = "version 2"
    else:
        have = [line.split()[0] for line in _lines("/proc/cgroups") if line.split()[-1:] == ["1"]]
        lacking = [name for name in CONTROLLERS if name not in have or not Path(f"/sys/fs/cgroup/{name}").is_dir()]
        version = "version 1"
    found = f"{version}, lacking: {', '.join(lacking)}" if lacking else version
    remedy = "boot with cgroup_enable=memory" if "memory" in lacking else "mount the cgroup controllers, or boot with systemd"
    return Check("cgroups", not lacking, found, remedy)


def _program(name: str, programs: tuple[str, ...], package: str, *, needed: bool = True, use: str = "") -> Check:
    found = [path for path in (shutil.which(program, path=SBIN) for program in programs) if path]
    said = ", ".join(found) or f"not installed{f' ({use})' if use else ''}"
    return Check(name, bool(found), said, _install(package), needed)


def _nftables() -> Check:
    library = ctypes.util.find_library("nftables")
    program = shutil.which("nft", path=SBIN)
    return Check("nftables", bool(library or program), library or program or "not installed", _install("nftables"))


def _links() -> Check:
    """Bridges and veth pairs, tried in a network namespace that is gone afterwards."""
    if os.geteuid() != 0:
        ok = all(_module(name) or Path(f"/sys/module/{name}").exists() for name in ("bridge", "veth"))
        return Check(
            "bridge and veth", ok, "there" if ok else "not found (not tried: you are not root)", "modprobe bridge veth", needed=False
        )
    from composer.engine.local.linux.namespace import CLONE_NEWNET, in_own_thread, unshare
    from composer.engine.local.network.links import new_bridge
    from composer.engine.local.network.netlink import NetlinkSocket

    def attempt() -> None:
        unshare(CLONE_NEWNET)
        with NetlinkSocket() as route:
            route.do([new_bridge("cmpdoctor", "02:00:00:00:00:01", 1500, "")])

    return _attempt("bridges", lambda: in_own_thread(attempt), "modprobe bridge && modprobe veth")


def _attempt(name: str, work: Callable[[], object], remedy: str) -> Check:
    try:
        work()
    except OSError as error:
        return Check(name, False, f"cannot be made: {error.strerror or error}", remedy)
    return Check(name, True, "can be made")


def _firewalls() -> Iterator[Check]:
    """Other firewalls that drop what is forwarded."""
    if os.geteuid() != 0:
        return
    from composer.engine.errors import EngineError
    from composer.engine.local.network.doctor import dropping_chains, legacy_chain
    from composer.engine.local.network.nft import Nft

    try:
        nft = Nft()
        listing = nft.run("list chains")
        nft.close()
    except (EngineError, OSError) as error:
        yield Check("firewall", False, f"cannot list its rules: {error}", _install("nftables"), needed=False)
        return
    found = [*dropping_chains(listing, ""), *legacy_chain()]
    for one in found:
        yield Check("firewall", False, one.problem, one.remedy)
    if not found:
        yield Check("firewall", True, "nothing drops what containers send")


def _forwarding() -> Check:
    on = _lines("/proc/sys/net/ipv4/ip_forward") == ["1"]
    return Check(
        "ip_forward", on, "on" if on else "off; the engine turns it on when it starts", "sysctl -w net.ipv4.ip_forward=1", needed=False
    )


def _disk(root: Path) -> Check:
    """The file system that the state is, or will be, on."""
    place = root.resolve()
    while not place.exists():
        place = place.parent
    mounts = [line.split() for line in _lines("/proc/self/mountinfo")]
    beneath = [(fields[4], fields[fields.index("-") + 1]) for fields in mounts if place.is_relative_to(fields[4].replace("\\040", " "))]
    kind = max(beneath, key=lambda one: len(one[0]), default=("/", "unknown"))[1]
    free = shutil.disk_usage(place).free // 2**20
    if kind in UNFIT:
        return Check(
            "state", False, f"{root} is on {kind}, which cannot hold containers", "name another directory: COMPOSER_ROOT=/a/real/disk"
        )
    return Check("state", free > 500, f"{root} on {kind}, {free} MiB free", "free some disk space: composer system prune")


def _socket(address: str) -> Check:
    if not address.startswith("unix://"):
        return Check("socket", True, address)
    path = address.removeprefix("unix://")
    try:
        about = os.stat(path)
    except OSError:
        return Check(
            "socket", False, f"{path}: the engine does not run; it is started when it is needed", "composer engine start", needed=False
        )
    if not stat.S_ISSOCK(about.st_mode):
        return Check("socket", False, f"{path} is no socket", f"rm {path}")
    if not os.access(path, os.R_OK | os.W_OK):
        import grp

        try:
            group = grp.getgrgid(about.st_gid).gr_name
        except KeyError:
            group = str(about.st_gid)
        return Check(
            "socket",
            False,
            f"{path}: you may not use it (it belongs to group {group})",
            f"sudo usermod -aG {group} $USER, and log in again",
        )
    return Check("socket", True, path)


def _init() -> Check:
    found = next((path for path in INITS if os.path.exists(path)), "")
    return Check("an init", bool(found), found or "not installed (for services with `init: true`)", _install("tini"), needed=False)
