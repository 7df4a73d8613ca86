"""Starting the daemon on demand. Imported by the command line: nothing heavy here (no asyncio, no pydantic)."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
import time
from pathlib import Path

from composer.daemon.options import LOG, Options
from composer.engine.errors import Unavailable

TIMEOUT = 30.0  # seconds until a started daemon must accept connections
_PAUSE = 0.005  # seconds between two looks at the socket
_LOG_LIMIT = 4 << 20  # bytes: a longer log of earlier daemons is put aside
_TAIL = 12  # lines of the log that are told when it does not start


def ensure(options: Options, *, timeout: float = TIMEOUT) -> bool:
    """A daemon listens at ``options.host`` when this returns; True when it was started now.

    Several clients at once start one daemon: the first takes a lock, the others wait for it. Unavailable, with the end of the log, when
    it does not come up.
    """
    path = options.socket
    if reachable(path):
        return False
    try:
        options.run.mkdir(mode=0o711, parents=True, exist_ok=True)
        fd = os.open(options.run / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable(
            f"the engine is not running, and cannot be started in {options.run}: {error.strerror}",
            hint="run it as root (sudo), or name directories of yours with COMPOSER_ROOT and COMPOSER_RUN",
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        if reachable(path):
            return False
        _wait(options, _spawn(options), timeout)
    finally:
        os.close(fd)
    return True


def reachable(path: Path) -> bool:
    """Somebody who lives accepts connections there. Unavailable when we may not know."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except OSError as error:
            raise Unavailable(f"cannot connect to {path}: {error.strerror}", hint="run it as root, or join the socket's group") from error
        pid = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    return not _dying(pid)


def _dying(pid: int) -> bool:
    """A killed process can still hold its socket for a moment: its first thread is gone, the others are not (proc_pid_stat(5))."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return pid > 0


def _spawn(options: Options) -> int:
    """The pid of a new daemon: a session of its own, its output in the log, no descriptor of ours."""
    log = options.run / LOG
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    command = [sys.executable, "-P", "-m", "composer.daemon"]
    command += ["--root", str(options.root), "--run", str(options.run), "--host", options.host]
    for name, value in (("pool", options.pool), ("pool6", options.pool6), ("cgroup", options.cgroup)):
        command += [f"--{name}", value] if value else []
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "2"}
    for name in ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"):
        environment.pop(name, None)
    return os.posix_spawn(sys.executable, command, environment, file_actions=actions, setsid=True)


def _wait(options: Options, pid: int, timeout: float) -> None:
    """Until the daemon answers: its socket is there before its engine is, so being able to connect is not enough."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if _answers(options.socket, end):
            return
        gone, _ = os.waitpid(pid, os.WNOHANG)
        if gone and not reachable(options.socket):
            raise Unavailable(f"the engine did not start:\n{tail(options.run / LOG)}", hint=f"the whole log: {options.run / LOG}")
        time.sleep(_PAUSE)
    raise Unavailable(f"the engine did not start within {timeout:g} s:\n{tail(options.run / LOG)}", hint=f"the log: {options.run / LOG}")


def _answers(path: Path, end: float) -> bool:
    """A ping is answered; False when nobody listens, or the one who does ends first."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.connect(str(path))
            probe.settimeout(max(0.1, end - time.monotonic()))
            probe.sendall(b"GET /_ping HTTP/1.1\r\nHost: composer\r\nConnection: close\r\n\r\n")
            return bool(probe.recv(1))
        except OSError:
            return False


def tail(path: Path) -> str:
    """The last lines of the log, indented."""
    try:
        lines = path.read_text(errors="replace").splitlines()[-_TAIL:]
    except OSError:
        return "  (no log)"
    return "\n".join(f"  {line}" for line in lines) or "  (the log is empty)"
