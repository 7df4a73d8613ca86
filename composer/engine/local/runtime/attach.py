"""The live streams of a container's first process, through conmon's attach socket.

A SOCK_SEQPACKET socket beside the bundle: each packet that comes is one byte (2 = stdout, 3 = stderr) and up to 8 KiB of output; what is
sent is input; shutting the sending side down ends the process's input (unless conmon was told to leave it open). Measured: FACTS 1.5.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator

from composer.engine.errors import NotRunning
from composer.engine.local.runtime.bundle import Bundle
from composer.engine.model import LogFrame
from composer.engine.model.stream import STDERR, STDOUT

ACCEPT_PATIENCE = 1.0  # seconds; a busy conmon is late, not absent
_PACKET = 64 * 1024  # more than conmon ever sends at once
_INPUT = 8000  # conmon reads packets into a buffer of 8 KiB or more and would cut a longer one


async def attach(bundle: Bundle, *, stdin: bool) -> AttachStream:
    """Connect, and wait until conmon has taken the connection: what comes after is not missed. Raises NotRunning: no conmon is there."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        before = _sockets(bundle)
        directory = os.open(bundle.directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:  # by fd, because the path may be longer than a socket address
            await asyncio.get_running_loop().sock_connect(connection, f"/proc/self/fd/{directory}/attach")
        finally:
            os.close(directory)
        await _taken(bundle, before)
    except OSError as error:
        connection.close()
        raise NotRunning(f"container {bundle.id[:12]} is not running") from error
    except BaseException:
        connection.close()
        raise
    return AttachStream(connection, stdin=stdin and bundle.open_stdin)


async def _taken(bundle: Bundle, before: int) -> None:
    """Wait until conmon has one socket more. It accepts one connection in a turn of its loop, and forwards output in the same turn."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + ACCEPT_PATIENCE
    while _sockets(bundle) <= before and loop.time() < deadline:  # noqa: ASYNC110 (conmon gives no event)
        await asyncio.sleep(0.0005)


def _sockets(bundle: Bundle) -> int:
    """How many sockets its conmon holds. Raises OSError when there is none."""
    directory = f"/proc/{int((bundle.directory / 'conmon.pid').read_text())}/fd"
    found = 0
    for name in os.listdir(directory):
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(f"{directory}/{name}").startswith("socket:")
    return found


class AttachStream:
    """One client's view (a `Stream`). Input is dropped when the container has none, or has ended."""

    def __init__(self, connection: socket.socket, *, stdin: bool) -> None:
        self._socket = connection
        self._stdin = stdin
        self._reading = False
        self._closed = False

    def __aiter__(self) -> AsyncIterator[LogFrame]:
        return self._frames()

    async def _frames(self) -> AsyncIterator[LogFrame]:
        while packet := await self._receive():
            yield LogFrame(STDERR if packet[0] == 3 else STDOUT, packet[1:])

    async def _receive(self) -> bytes:
        """The next packet; b"" at the end, also when conmon was killed or we were closed meanwhile."""
        if self._closed:
            return b""
        self._reading = True
        try:
            return await asyncio.get_running_loop().sock_recv(self._socket, _PACKET)
        except OSError:
            return b""
        finally:
            self._reading = False
            if self._closed:
                self._socket.close()

    async def write(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        view = memoryview(data)
        while view and self._stdin and not self._closed:
            try:
                await loop.sock_sendall(self._socket, view[:_INPUT])
            except OSError:
                self._stdin = False
            view = view[_INPUT:]

    async def close_stdin(self) -> None:
        if self._stdin and not self._closed:
            self._stdin = False
            self._shut(socket.SHUT_WR)

    async def close(self) -> None:
        """Detach; the container goes on. A reader in another task comes to its end."""
        if self._closed:
            return
        self._closed = True
        self._shut(socket.SHUT_RDWR)
        if not self._reading:
            self._socket.close()

    def _shut(self, how: int) -> None:
        try:
            self._socket.shutdown(how)
        except OSError:  # it was shut from the other side
            self._stdin = False
