"""Bytes that flow: log frames, and the duplex stream of attach and exec."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

STDIN, STDOUT, STDERR = 0, 1, 2  # stream numbers of Docker's multiplexed format


@dataclass(frozen=True, slots=True)
class LogFrame:
    """A piece of output. ``stream``: STDOUT or STDERR. ``time``: RFC 3339 with nanoseconds, "" when it is live output (attach, exec)."""

    stream: int
    data: bytes
    time: str = ""


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which lines. ``since`` and ``until``: seconds since 1970 (float), 0 = unbounded. ``tail``: the last N, None = all."""

    stdout: bool = True
    stderr: bool = True
    follow: bool = False
    since: float = 0.0
    until: float = 0.0
    tail: int | None = None


class Stream(Protocol):
    """The other end of a process: read its output, write its input. With a TTY all output is STDOUT."""

    def __aiter__(self) -> AsyncIterator[LogFrame]: ...
    async def write(self, data: bytes) -> None: ...
    async def close_stdin(self) -> None: ...
    async def close(self) -> None: ...
