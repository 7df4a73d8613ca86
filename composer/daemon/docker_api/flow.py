"""A process's stream on a raw connection: output to the client, the client's bytes to standard input, and the detach keys.

Source: moby daemon/attach.go, container/stream/attach.go, pkg/term/proxy.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from composer.daemon.response import Channel
from composer.engine.errors import InvalidArgument
from composer.engine.model import LogFrame, Stream
from composer.engine.model.stream import STDERR, STDOUT

_DEFAULT_KEYS = "ctrl-p,ctrl-q"
_SPECIAL = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


def parse_keys(text: str) -> bytes:
    """ "ctrl-p,ctrl-q" -> b"\\x10\\x11". Raises InvalidArgument."""
    found = bytearray()
    for key in (text or _DEFAULT_KEYS).split(","):
        name = key.removeprefix("ctrl-")
        if len(name) == 1 and name != key and name.isalpha() and name.isascii():
            found.append(ord(name.lower()) - ord("a") + 1)
        elif len(name) == 1 and name != key and name in _SPECIAL:
            found.append(_SPECIAL[name])
        elif len(key) == 1 and key.isascii():
            found.append(ord(key))
        else:
            raise InvalidArgument(f"Invalid detach keys ({text}) provided")
    return bytes(found)


class DetachKeys:
    """Finds the key sequence in what is typed, and holds back what may become it."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""

    def pass_on(self, data: bytes) -> tuple[bytes, bool]:
        """What to hand on, and whether the sequence was typed."""
        data = self._held + data
        at = data.find(self._keys)
        if at >= 0:
            return data[:at], True
        keep = next((size for size in range(len(self._keys) - 1, 0, -1) if data.endswith(self._keys[:size])), 0)
        self._held = data[len(data) - keep :] if keep else b""
        return data[: len(data) - keep], False


async def connect(
    channel: Channel,
    stream: Stream,
    *,
    frame: Callable[[LogFrame], bytes],
    stdin: bool,
    stdout: bool = True,
    stderr: bool = True,
    keys: DetachKeys | None = None,
    ends_stdin: bool = True,
) -> None:
    """Until the output ends, the keys are typed, or the client is gone; then the stream is closed (the process is left alone).

    ``ends_stdin``: the client's end of input is the process's, too; else (a TTY, a container without StdinOnce) it only detaches.
    """
    try:
        output = asyncio.ensure_future(_output(channel, stream, frame, stdout, stderr))
        typed = asyncio.ensure_future(_input(channel, stream, stdin, keys, ends_stdin))
        try:
            await asyncio.wait([output, typed], return_when=asyncio.FIRST_COMPLETED)
            if not (typed.done() and not typed.cancelled() and typed.exception() is None and typed.result()):
                await output
        finally:
            for task in (output, typed):
                task.cancel()
            await asyncio.gather(output, typed, return_exceptions=True)
    finally:
        await stream.close()


async def _output(channel: Channel, stream: Stream, frame: Callable[[LogFrame], bytes], stdout: bool, stderr: bool) -> None:
    async for piece in stream:
        if (piece.stream == STDOUT and stdout) or (piece.stream == STDERR and stderr):
            await channel.write(frame(piece))


async def _input(channel: Channel, stream: Stream, stdin: bool, keys: DetachKeys | None, ends_stdin: bool) -> bool:
    """True: the client detached. Reads on without ``stdin`` too, so that the client's end is seen."""
    while data := await channel.read():
        detached = False
        if keys is not None:
            data, detached = keys.pass_on(data)
        if stdin and data:
            await stream.write(data)
        if detached:
            return True
    if stdin and ends_stdin:
        await stream.close_stdin()
    return stdin and not ends_stdin
