"""The lines of conmon's k8s-file log: "TIME STREAM TAG DATA", where tag P is a piece of a line that goes on and F ends a line. Pure.

Source: conmon(8); the CRI logging format of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from composer.engine.model import LogFrame
from composer.engine.model.stream import STDERR, STDOUT

LINE_LIMIT = 1 << 20  # bytes of one joined line; a longer one comes in several frames
_STREAMS = {b"stdout": STDOUT, b"stderr": STDERR}


class Parser:
    """Bytes of a log in, whole lines out; feed it the pieces in order. A piece may end anywhere."""

    def __init__(self) -> None:
        self._rest = b""
        self._open: dict[int, tuple[str, list[bytes], int]] = {}  # stream -> time, pieces, bytes of an unfinished line

    def feed(self, data: bytes) -> Iterator[LogFrame]:
        """The lines that ended, each with its newline."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            parts = line.split(b" ", 3)
            stream = _STREAMS.get(parts[1]) if len(parts) == 4 else None
            if stream is None:
                continue  # not conmon's: a torn line at the start of what was kept
            time, text, ends = parts[0], parts[3], parts[2] != b"P"
            if ends and stream not in self._open:
                yield LogFrame(stream, text + b"\n", utc(time))
                continue
            yield from self._join(stream, time, text, ends)

    def _join(self, stream: int, time: bytes, text: bytes, ends: bool) -> Iterator[LogFrame]:
        began, pieces, size = self._open.pop(stream, (utc(time), [], 0))
        pieces.append(text + b"\n" if ends else text)
        size += len(text)
        if ends or size > LINE_LIMIT:
            yield LogFrame(stream, b"".join(pieces), began)
        else:
            self._open[stream] = (began, pieces, size)

    def finish(self) -> Iterator[LogFrame]:
        """The unfinished lines, without newline: the writer has ended."""
        for stream, (began, pieces, _) in sorted(self._open.items(), key=lambda item: item[1][0]):
            yield LogFrame(stream, b"".join(pieces), began)
        self._open.clear()


def utc(time: bytes) -> str:
    """conmon's local time with offset as RFC 3339 in UTC with nine digits."""
    text = time.decode("ascii", "replace")
    if text.endswith("+00:00"):
        return f"{text[:-6]}Z"
    head, dot, tail = text.partition(".")
    digits, offset = tail[:9], tail[9:]
    try:
        moment = datetime.fromisoformat(head + offset).astimezone(UTC)
    except ValueError:
        return text
    return f"{moment.strftime('%Y-%m-%dT%H:%M:%S')}{dot}{digits}Z"


def seconds(time: str) -> float:
    """RFC 3339 in UTC (as `utc` makes it) as seconds since 1970; 0 when it is none."""
    try:
        return datetime.fromisoformat(f"{time[:19]}+00:00").timestamp() + float(f"0{time[19:-1]}")
    except ValueError:
        return 0.0
