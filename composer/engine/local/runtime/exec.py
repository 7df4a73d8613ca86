"""A further process in a running container: `crun exec` (or runc) as our child, with our own pipes or terminal.

The runtime program stays as its parent and reaps it at once (a remainder that nobody reaps would hold up the container's end: FACTS 0.4),
and its exit status is the process's. No conmon: an exec ends with its client, and 5 ms are saved.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composer.engine.errors import EngineError
from composer.engine.local.runtime.conmon import PATH
from composer.engine.local.runtime.output import Output, write_all
from composer.engine.local.runtime.words import refusal
from composer.engine.model import LogFrame
from composer.engine.model.stream import STDERR, STDOUT

TERMINAL_TIMEOUT = 30.0  # seconds until the runtime must have sent the terminal
_SOCKET_PATH = 107


@dataclass(frozen=True, slots=True)
class Started:
    """What the blocking part made: the runtime's process, our ends of its streams."""

    process: subprocess.Popen[bytes]
    outputs: Mapping[int, int]
    stdin: int  # -1: none
    terminal: int  # -1: none


@dataclass(frozen=True, slots=True)
class Launch:
    """How to exec. ``directory``: for this exec's files, removed at its end. ``sockets``: a short directory for terminal sockets."""

    program: str
    runtime_root: Path
    container: str
    directory: Path
    sockets: Path
    process: Mapping[str, Any]
    tty: bool
    stdin: bool
    attached: bool

    def start(self) -> Started:
        """Blocking. Raises EngineError."""
        self.directory.mkdir(mode=0o700, parents=True)
        (self.directory / "process.json").write_text(json.dumps(self.process))
        try:
            return self._terminal() if self.tty else self._pipes()
        except OSError as error:
            raise EngineError(f"cannot start {self.program} exec: {error}") from error

    def _words(self, *more: str) -> list[str]:
        at = str(self.directory)
        words = [self.program, "--root", str(self.runtime_root), "--log", f"{at}/log", "--log-format", "json", "exec"]
        return [*words, "--process", f"{at}/process.json", "--pid-file", f"{at}/pid", *more, self.container]

    def _pipes(self) -> Started:
        ours: list[int] = []
        theirs: list[int] = []
        try:
            stdin, child_in = (-1, subprocess.DEVNULL) if not self.stdin else _pipe(ours, theirs, write=True)
            if not self.attached:
                process = self._popen(child_in, subprocess.DEVNULL, subprocess.DEVNULL)
                return Started(process, {}, stdin, -1)
            out, child_out = _pipe(ours, theirs)
            err, child_err = _pipe(ours, theirs)
            return Started(self._popen(child_in, child_out, child_err), {out: STDOUT, err: STDERR}, stdin, -1)
        except BaseException:
            for fd in ours:
                os.close(fd)
            raise
        finally:
            for fd in theirs:
                os.close(fd)

    def _popen(self, stdin: int, stdout: int, stderr: int, *more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._words(*more), stdin=stdin, stdout=stdout, stderr=stderr, env={"PATH": PATH}, start_new_session=True)

    def _terminal(self) -> Started:
        if not self.program.endswith("crun"):  # runc in the foreground takes no console socket: it relays a terminal of ours
            master, slave = os.openpty()
            try:
                size = self.process.get("consoleSize") or {"height": 24, "width": 80}
                _set_size(master, size["height"], size["width"])
                process = self._popen(slave, slave, slave)
            except BaseException:
                os.close(master)
                raise
            finally:
                os.close(slave)
            return Started(process, {os.dup(master): STDOUT}, -1, master)
        with _console_socket(self.sockets) as (listener, path):
            process = self._popen(subprocess.DEVNULL, subprocess.DEVNULL, subprocess.DEVNULL, "--console-socket", path)
            master = _receive_terminal(listener, process)
        if master < 0:  # it failed before it had a terminal: its log tells why
            return Started(process, {}, -1, -1)
        return Started(process, {os.dup(master): STDOUT}, -1, master)


class ExecHandle:
    """A process that was started: its streams (itself a `Stream`, as ``stream``), its end, its size."""

    def __init__(self, launch: Launch, started: Started) -> None:
        self._launch = launch
        self._process = started.process
        self._terminal = started.terminal
        self._stdin = started.terminal if started.terminal >= 0 else started.stdin
        if self._stdin >= 0:
            os.set_blocking(self._stdin, False)
        self._output = Output(started.outputs)
        self._ended = asyncio.Event()
        self._code = 0
        self._pid = 0
        self._loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(started.process.pid)
        self._loop.add_reader(self._pidfd, self._exited)

    @property
    def stream(self) -> ExecHandle:
        return self

    @property
    def pid(self) -> int:
        """The process as the host counts; 0 until the runtime has told it."""
        if not self._pid:
            with contextlib.suppress(OSError, ValueError):
                self._pid = int((self._launch.directory / "pid").read_text())
        return self._pid

    async def wait(self) -> int:
        """The exit code (128 + n for signal n; 126 or 127 when it could not be started after all)."""
        await self._ended.wait()
        return self._code

    def resize(self, height: int, width: int) -> None:
        """Nothing without a terminal."""
        if self._terminal >= 0 and not self._ended.is_set():
            _set_size(self._terminal, height, width)
            if not self._launch.program.endswith("crun"):
                self._process.send_signal(signal.SIGWINCH)

    def kill(self) -> None:
        """SIGKILL to the process (a health check that takes too long)."""
        if self.pid and not self._ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)  # still ours: its parent, the runtime, has not ended

    # -- Stream

    def __aiter__(self) -> AsyncIterator[LogFrame]:
        return self._output.frames()

    async def write(self, data: bytes) -> None:
        if self._stdin >= 0 and not await write_all(self._stdin, data):
            await self.close_stdin()

    async def close_stdin(self) -> None:
        """The process reads the end of its input; a terminal has none (its client sends ^D)."""
        if self._stdin >= 0 and self._stdin != self._terminal:
            os.close(self._stdin)
            self._stdin = -1

    async def close(self) -> None:
        """Leave it: its output has no reader any more."""
        await self.close_stdin()
        self._output.close()

    def _exited(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._code = self._process.wait()
        if self._code:
            self._code = self._failure() or self._code
        if self._stdin >= 0 and self._stdin != self._terminal:
            os.close(self._stdin)
        self._stdin = -1
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1
        self._output.process_ended()
        shutil.rmtree(self._launch.directory, ignore_errors=True)
        self._ended.set()

    def _failure(self) -> int:
        """When the runtime itself failed: dockerd's exit code for it; its words go to the stream."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            text = (self._launch.directory / "log").read_text(errors="replace")
            told = [json.loads(line) for line in text.splitlines() if line]
            words = [entry["msg"] for entry in told if entry.get("level") == "error"][-1]
            error = refusal(words, self._launch.process["args"][0], runtime=Path(self._launch.program).name, exec=True)
            if self._launch.tty:
                self._output.say(STDOUT, f"{error.message}\r\n".encode())
            return 127 if "no such file" in words.lower() or "not found" in words.lower() else 126
        return 0


def _pipe(ours: list[int], theirs: list[int], *, write: bool = False) -> tuple[int, int]:
    """(our end, the child's end); ``write``: we write."""
    read_end, write_end = os.pipe()
    mine, other = (write_end, read_end) if write else (read_end, write_end)
    ours.append(mine)
    theirs.append(other)
    return mine, other


def _set_size(terminal: int, height: int, width: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", min(height, 0xFFFF), min(width, 0xFFFF), 0, 0))


@contextlib.contextmanager
def _console_socket(directory: Path) -> Any:
    """(listening socket, its path): in ``directory``, or in a temporary one where that path is too long for a socket address."""
    with contextlib.ExitStack() as stack:
        directory.mkdir(mode=0o700, exist_ok=True)
        path = directory / os.urandom(6).hex()
        if len(os.fsencode(path)) > _SOCKET_PATH:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="composer-"))) / "tty"
        listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listener.bind(str(path))
        stack.callback(path.unlink, missing_ok=True)
        listener.listen(1)
        yield listener, str(path)


def _receive_terminal(listener: socket.socket, process: subprocess.Popen[bytes]) -> int:
    """The master side of the terminal that the runtime made; -1 when it ended without sending one. Raises EngineError."""
    pidfd = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        poll.register(pidfd, select.POLLIN)
        ready = dict(poll.poll(TERMINAL_TIMEOUT * 1000))
        if listener.fileno() in ready:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(TERMINAL_TIMEOUT)
                _, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4 * 4), socket.MSG_CMSG_CLOEXEC)
            fds = array.array("i")
            for level, kind, data in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
            for extra in fds[1:]:
                os.close(extra)
            if fds:
                return fds[0]
        if not ready:
            process.kill()
            raise EngineError(f"the runtime made no terminal in {TERMINAL_TIMEOUT:g} s")
        return -1
    finally:
        os.close(pidfd)
