"""One member of a tar archive, as POSIX pax and GNU tar describe it. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What a member is; the value is tar's type flag."""

    FILE = b"0"
    HARDLINK = b"1"
    SYMLINK = b"2"
    CHARACTER = b"3"
    BLOCK = b"4"
    DIRECTORY = b"5"
    FIFO = b"6"


@dataclass(slots=True)
class Entry:
    """A member's header.

    ``name`` and ``link`` are as they stand in the archive (surrogateescape for bytes that are not UTF-8): never trust them as paths.
    ``size``: bytes of data that follow in the archive; ``length``: the file's size, larger for a sparse one, whose data goes to
    ``pieces`` (offset, size) in turn.
    """

    name: str
    kind: Kind = Kind.FILE
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: float = 0.0
    link: str = ""
    major: int = 0
    minor: int = 0
    xattrs: dict[str, bytes] = field(default_factory=dict)
    pieces: list[tuple[int, int]] | None = None
    length: int = 0
