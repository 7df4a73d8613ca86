"""Containers' output as docker compose prints it: ``web-1  | text``, prefixes aligned and coloured, and the streams it comes from.

A **LogStream** is one container's ``GET /containers/ID/logs``, cut into lines; a **LogPrinter** writes lines of many containers.
Timestamps are always asked for (a stream that is opened again goes on behind the last line) and shown only when wanted.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from composer.cli.client import Client
from composer.cli.console import LOG_COLOURS, RESET, Console
from composer.cli.containers import Summary, name, short_name
from composer.cli.http import Reply
from composer.cli.session import Frames


@dataclass(frozen=True, slots=True)
class Line:
    """``time``: RFC 3339 with nanoseconds, which sorts as text. ``stream``: 1 or 2. ``text``: without its line end."""

    time: bytes
    stream: int
    text: bytes


@dataclass
class Wanted:
    """Which lines: as the flags of `logs` say."""

    follow: bool = False
    tail: str = "all"
    since: str | None = None
    until: str | None = None


class LogPrinter:
    """Lines to stdout, those of stderr to stderr (``apart``; else to stdout, too), each behind its container's prefix."""

    def __init__(self, console: Console, *, prefix: bool = True, colour: bool = True, timestamps: bool = False, apart: bool = True) -> None:
        self.apart = apart
        self.prefix = prefix
        self.colour = colour and console.colours(1)
        self.timestamps = timestamps
        self.colours: dict[str, str] = {}
        self.width = 0

    def register(self, names: Iterable[str]) -> None:
        """These containers will speak: they get their colours, and the prefix its width."""
        for one in names:
            if one not in self.colours:
                self.colours[one] = LOG_COLOURS[len(self.colours) % len(LOG_COLOURS)]
                self.width = max(self.width, len(one))

    def line(self, container: str, line: Line) -> None:
        self.register([container])
        head = f"{container:<{self.width + 1}} | " if self.prefix else ""
        if head and self.colour:
            head = f"{self.colours[container]}{head}{RESET}"
        stamp = line.time + b" " if self.timestamps else b""
        file = sys.stderr if line.stream == 2 and self.apart else sys.stdout
        file.buffer.write(head.encode() + stamp + line.text + b"\n")

    def say(self, container: str, text: str) -> None:
        """About a container: ``web-1 exited with code 0``."""
        self.register([container])
        whole = f"{container} {text}"
        sys.stdout.write((f"{self.colours[container]}{whole}{RESET}" if self.colour else whole) + "\n")

    def flush(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()


@dataclass
class LogStream:
    """One container's log as it comes."""

    reply: Reply
    container: str
    last: bytes = b""
    frames: Frames | None = None
    rest: dict[int, bytes] = field(default_factory=dict)

    def fileno(self) -> int:
        return self.reply.fileno()

    @property
    def ended(self) -> bool:
        return self.reply.ended

    def ready(self) -> list[Line]:
        """The lines that one receive completes."""
        lines = list(self.cut(self.reply.feed()))
        return lines + list(self.tail()) if self.reply.ended else lines

    def lines(self) -> Iterator[Line]:
        """All lines, waiting for each."""
        for piece in self.reply.pieces():
            yield from self.cut(piece)
        yield from self.tail()

    def cut(self, data: bytes) -> Iterator[Line]:
        for stream, piece in self.frames.feed(data) if self.frames else ((1, data),):
            *whole, self.rest[stream] = (self.rest.get(stream, b"") + piece).split(b"\n")
            for raw in whole:
                yield self._line(stream, raw)

    def tail(self) -> Iterator[Line]:
        """The last line may have no end."""
        for stream, raw in self.rest.items():
            if raw:
                yield self._line(stream, raw)
        self.rest = {}

    def _line(self, stream: int, raw: bytes) -> Line:
        time, _, text = raw.partition(b" ")
        self.last = max(self.last, time)
        return Line(time, stream, text)


def open_logs(client: Client, row: Summary, wanted: Wanted) -> LogStream:
    """The log of the container ``row`` (of a list or with Id and Names)."""
    query: dict[str, Any] = {
        "stdout": True,
        "stderr": True,
        "timestamps": True,
        "follow": wanted.follow,
        "tail": wanted.tail,
        "since": wanted.since,
        "until": wanted.until,
    }
    reply = client.stream("GET", f"/containers/{row['Id']}/logs", query)
    raw = "raw-stream" in reply.headers.get("content-type", "")
    return LogStream(reply, short_name(row) if row.get("Labels") else name(row), frames=None if raw else Frames())


def merged(streams: Iterable[LogStream]) -> Iterator[tuple[str, Line]]:
    """The lines of all streams in the order of their times."""

    def named(stream: LogStream) -> Iterator[tuple[bytes, str, Line]]:
        return ((line.time, stream.container, line) for line in stream.lines())

    for _, container, line in heapq.merge(*(named(stream) for stream in streams), key=lambda item: item[0]):
        yield container, line


def after(stamp: bytes) -> str | None:
    """``since`` for what comes behind the line of this time, in seconds with nanoseconds."""
    from composer.cli.units import unix

    if not stamp:
        return None
    text = stamp.decode("ascii", "replace")
    fraction = text.partition(".")[2].rstrip("Z")[:9].ljust(9, "0") if "." in text else "000000000"
    whole = int(unix(text.partition(".")[0].rstrip("Z") + "Z"))
    total = whole * 10**9 + int(fraction) + 1
    return f"{total // 10**9}.{total % 10**9:09d}"
