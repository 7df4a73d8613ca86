"""Starting conmon, which starts the runtime's ``create`` and then holds the container: its streams, its log, its exit status.

The contract with conmon 2.x (conmon(8), its source): it tells one JSON line by the pipe _OCI_SYNCPIPE, {"data": PID} or
{"data": -1, "message": why}; it waits for a byte on _OCI_STARTPIPE before it does anything, so that it can be moved to a cgroup first.
All here blocks: it runs in the spawning threads.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from composer.engine.errors import EngineError, NotRunning, Unavailable
from composer.engine.local.linux.process import ProcessId
from composer.engine.local.runtime.bundle import Bundle, Handle
from composer.engine.local.runtime.words import refusal

CREATE_TIMEOUT = 60.0  # seconds; a create takes 6-20 ms, and longer only on a machine in trouble
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SOCKET_PATH = 107  # sun_path without its NUL


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs are: conmon, and the runtime that this container uses. ``sockets``: a short directory for terminal sockets."""

    conmon: str
    runtime: str
    runtime_root: Path
    sockets: Path


def create(programs: Programs, bundle: Bundle, argv0: str, adopt: Callable[[int], None]) -> Handle:
    """Create the container of ``bundle`` (config.json is there). ``adopt(pid)`` puts conmon where it shall live.

    Raises CommandNotFound, CommandNotExecutable, EngineError with the runtime's words, Unavailable when conmon cannot run.
    """
    sync_read, sync_write = os.pipe()
    start_read, start_write = os.pipe()
    try:
        with (bundle.directory / "conmon.err").open("wb") as errors:
            process = subprocess.Popen(
                _arguments(programs, bundle),
                pass_fds=(sync_write, start_read),
                env=_environment(programs, sync_write, start_read),
                cwd=bundle.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
    except OSError as error:
        os.close(sync_read)
        os.close(start_write)
        raise Unavailable(f"cannot start {programs.conmon}: {error.strerror}", hint="install conmon") from error
    finally:
        os.close(sync_write)
        os.close(start_read)
    try:
        adopt(process.pid)
        with contextlib.suppress(BrokenPipeError):  # it disliked its arguments: its words are in conmon.err
            os.write(start_write, b"\0")
        process.wait(CREATE_TIMEOUT)
        told = _read_line(sync_read, CREATE_TIMEOUT)
    except (subprocess.TimeoutExpired, TimeoutError) as error:
        process.kill()
        process.wait()
        raise EngineError(f"the runtime did not create container {bundle.id[:12]} in {CREATE_TIMEOUT:g} s") from error
    finally:
        os.close(sync_read)
        os.close(start_write)
    return _handle(programs, bundle, argv0, told)


def _handle(programs: Programs, bundle: Bundle, argv0: str, told: bytes) -> Handle:
    if not told:
        words = (bundle.directory / "conmon.err").read_text(errors="replace").strip()
        raise EngineError(f"conmon ended before container {bundle.id[:12]} was created: {words or 'it was killed'}")
    answer = json.loads(told)
    if answer["data"] <= 0:
        raise refusal(str(answer.get("message", "")), argv0, runtime=Path(programs.runtime).name)
    try:
        return Handle(ProcessId.of(answer["data"]), ProcessId.of(int((bundle.directory / "conmon.pid").read_text())))
    except (ProcessLookupError, FileNotFoundError, ValueError) as error:
        raise EngineError(f"container {bundle.id[:12]} ended while it was created") from error


def _arguments(programs: Programs, bundle: Bundle) -> list[str]:
    at = str(bundle.directory)
    log = f"k8s-file:{bundle.log}" if bundle.log is not None else "none"
    words = [programs.conmon, "--api-version", "1", "-c", bundle.id, "-u", bundle.id, "-n", bundle.id[:12], "-r", programs.runtime]
    words += ["--runtime-arg", "--root", "--runtime-arg", str(programs.runtime_root), "-b", at, "-p", f"{at}/pidfile"]
    words += ["-P", f"{at}/conmon.pid", "-l", log, "--persist-dir", at, "--full-attach", "--no-sync-log", "--no-new-keyring"]
    if bundle.tty:
        words.append("-t")
    if bundle.open_stdin:
        words.append("-i")
        if bundle.tty or not bundle.stdin_once:  # of a terminal, one client that leaves does not end the input
            words.append("--leave-stdin-open")
    return words


def _environment(programs: Programs, sync: int, start: int) -> dict[str, str]:
    environment = {"PATH": PATH, "_OCI_SYNCPIPE": str(sync), "_OCI_STARTPIPE": str(start)}
    if len(os.fsencode(f"{programs.sockets}/conmon-term.XXXXXX")) <= _SOCKET_PATH:
        programs.sockets.mkdir(mode=0o700, exist_ok=True)
        environment["TMPDIR"] = str(programs.sockets)  # for its console socket; /tmp otherwise
    return environment


def control(bundle: Bundle, message: str) -> None:
    """Tell conmon: "1 HEIGHT WIDTH" resizes the terminal, "2 0 0" opens the log anew. Raises NotRunning when no conmon listens."""
    try:
        fd = os.open(bundle.directory / "ctl", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(fd, message.encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise NotRunning(f"container {bundle.id[:12]} is not running") from error


def _read_line(fd: int, timeout: float) -> bytes:
    """All until the newline or the end. Raises TimeoutError."""
    deadline = time.monotonic() + timeout
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    data = b""
    while b"\n" not in data:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        piece = os.read(fd, 65536)
        if not piece:
            break
        data += piece
    return data
