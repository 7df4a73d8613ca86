"""A live session with a process: the hijacked connection of attach and exec, tied to our stdin, stdout and stderr.

With a TTY the stream is raw; without one, output comes in frames (Docker's multiplexed format: a byte for the stream, three zero
bytes, the length as four bytes big-endian). Both directions go through one poll loop and neither ever blocks the other.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType

from composer.cli.console import size
from composer.cli.http import PIECE, Reply
from composer.cli.terminal import is_terminal, raw, write_all

HEADER = 8
FORWARDED = ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2")


class Frames:
    """Cuts the multiplexed stream into (stream number, bytes)."""

    def __init__(self) -> None:
        self.buffer = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        self.buffer += data
        while len(self.buffer) >= HEADER:
            end = HEADER + int.from_bytes(self.buffer[4:HEADER], "big")
            if len(self.buffer) < end:
                return
            stream, piece = self.buffer[0], self.buffer[HEADER:end]
            self.buffer = self.buffer[end:]
            yield stream, piece


class Session:
    """``resize(rows, columns)`` is called at the start and at each SIGWINCH; ``forward(name)`` for each signal that is not ours to obey."""

    def __init__(
        self,
        reply: Reply,
        *,
        tty: bool,
        stdin: bool,
        keys: bytes = b"\x10\x11",
        resize: Callable[[int, int], None] | None = None,
        forward: Callable[[str], None] | None = None,
    ) -> None:
        self.reply = reply
        self.tty = tty
        self.stdin = stdin
        self.keys = keys if tty else b""
        self.resize = resize if tty else None
        self.forward = forward
        self.detached = False
        self._typed = 0  # how many of the detach keys have been typed
        self._frames = Frames()
        self._out = b""  # for the daemon
        self._stdin_ended = not stdin
        self._signals: list[int] = []

    def run(self) -> None:
        """Until the process's output ends, or the user detaches."""
        sock = self.reply.connection.sock
        sock.settimeout(None)
        with raw() if self.tty and self.stdin and is_terminal(0) else nullcontext(), self._listening() as bell:
            sock.setblocking(False)
            self._resize()
            early, self.reply.connection.buffer = self.reply.connection.buffer, b""
            self._write(early)
            if self._stdin_ended:
                self._end_stdin()
            while not self.detached and self._turn(sock, bell):
                pass
        self.reply.connection.close()

    def _turn(self, sock: socket.socket, bell: int) -> bool:
        """Wait for something and deal with it; False at the end of the output."""
        poll = select.poll()
        poll.register(sock, select.POLLIN | (select.POLLOUT if self._out else 0))
        poll.register(bell, select.POLLIN)
        if not self._stdin_ended and not self._out:
            with suppress(OSError):
                poll.register(0, select.POLLIN)
        ready = dict(poll.poll())
        if bell in ready:
            os.read(bell, 4096)
            self._obey()
        if 0 in ready and not self._stdin_ended:
            self._read_stdin()
        if self._out:
            self._flush(sock)
        if ready.get(sock.fileno(), 0) & ~select.POLLOUT:
            try:
                data = sock.recv(PIECE)
            except BlockingIOError:
                return True
            except ConnectionResetError:
                return False
            if not data:
                return False
            self._write(data)
        return True

    def _write(self, data: bytes) -> None:
        if self.tty:
            write_all(1, data)
            return
        for stream, piece in self._frames.feed(data):
            write_all(2 if stream == 2 else 1, piece)

    def _read_stdin(self) -> None:
        try:
            data = os.read(0, PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._stdin_ended = True
            self._end_stdin()
            return
        self._out += self._without_keys(data) if self.keys else data

    def _without_keys(self, data: bytes) -> bytes:
        """Look for the detach keys; what turns out not to be them is passed on."""
        out = bytearray()
        for byte in data:
            if byte == self.keys[self._typed]:
                self._typed += 1
                if self._typed == len(self.keys):
                    self.detached = True
                    break
                continue
            out += self.keys[: self._typed]
            self._typed = 1 if byte == self.keys[0] else 0
            if not self._typed:
                out.append(byte)
        return bytes(out)

    def _flush(self, sock: socket.socket) -> None:
        try:
            self._out = self._out[sock.send(self._out) :]
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self._out, self._stdin_ended = b"", True  # the process has closed its stdin; its output may go on
            return
        if self._stdin_ended:
            self._end_stdin()

    def _end_stdin(self) -> None:
        """Tell the process that there is no more input."""
        if not self._out and (self.stdin or not self.tty):
            with suppress(OSError):
                self.reply.connection.sock.shutdown(socket.SHUT_WR)

    def _resize(self) -> None:
        if self.resize is not None and is_terminal(1):
            rows, columns = size()
            self.resize(rows, columns)

    def _obey(self) -> None:
        pending, self._signals = self._signals, []
        for number in pending:
            if number == signal.SIGWINCH:
                self._resize()
            elif self.forward is not None:
                self.forward(signal.Signals(number).name)

    @contextmanager
    def _listening(self) -> Iterator[int]:
        """Signals ring a bell (a pipe in the poll loop) instead of running code in between."""
        end, start = os.pipe()
        os.set_blocking(start, False)
        os.set_blocking(end, False)
        numbers = [signal.SIGWINCH] if self.resize else []
        if self.forward is not None:
            numbers += [getattr(signal, f"SIG{name}") for name in FORWARDED]

        def note(number: int, frame: FrameType | None) -> None:
            self._signals.append(number)

        before = {number: signal.signal(number, note) for number in numbers}
        bell = signal.set_wakeup_fd(start, warn_on_full_buffer=False)
        try:
            yield end
        finally:
            signal.set_wakeup_fd(bell)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(end)
            os.close(start)
