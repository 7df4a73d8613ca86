"""The live streams of a container's first process, through conmon's attach socket.

A SOCK_SEQPACKET socket beside the bundle: each packet that comes is one byte (2 = stdout, 3 = stderr) and up to 8 KiB of output; what is
sent is input; shutting the sending side down ends the process's input (unless conmon was told to leave it open). Measured: FACTS 1.5.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator

from composer.engine.errors import NotRunning
from composer.engine.local.runtime.bundle import Bundle
from composer.engine.model import LogFrame
from composer.engine.model.stream import STDERR, STDOUT

_PACKET = 64 * 1024  # more than conmon ever sends at once
_INPUT = 8000  # conmon reads packets into a buffer of 8 KiB or more and would cut a longer one


async def attach(bundle: Bundle, *, stdin: bool) -> AttachStream:
    """Connect. Raises NotRunning when no conmon holds the container."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        directory = os.open(bundle.directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:  # by fd, because the path may be longer than a socket address
            await asyncio.get_running_loop().sock_connect(connection, f"/proc/self/fd/{directory}/attach")
        finally:
            os.close(directory)
    except OSError as error:
        connection.close()
        raise NotRunning(f"container {bundle.id[:12]} is not running") from error
    return AttachStream(connection, stdin=stdin and bundle.open_stdin)


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
