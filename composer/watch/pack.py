"""The body of a sync: a tar of a developer's files, by their places in the container, made piece by piece. Blocking: it reads the files."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from composer.errors import ComposerError
from composer.watch.look import DIRECTORY, LINK, Entry
from composer.watch.tree import Delta, Tree

_BLOCK = 512
_WHOLE = 8 << 20  # bytes: a smaller file is read at once, so what is sent of it is of one moment


class Torn(ComposerError):
    """A large file was written to while it was sent; nothing of it has arrived, and its next change sends it again."""

    code = "watch.torn"


@dataclass(frozen=True)
class Parcel:
    """What one sync does: ``puts``: (source, place in the container, what it is); ``removes``: target -> paths beneath."""

    puts: Sequence[tuple[str, str, Entry]]
    removes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.puts) or any(self.removes.values())

    @property
    def count(self) -> int:
        """How many files and links; directories count when there is nothing else."""
        files = sum(entry.kind != DIRECTORY for _, _, entry in self.puts) + sum(map(len, self.removes.values()))
        return files or len(self.puts)

    def pieces(self) -> Iterator[bytes]:
        """The tar. Torn."""
        waiting = bytearray()
        for source, place, entry in self.puts:
            for piece in _member(source, place, entry):
                waiting += piece
                if len(waiting) > 1 << 18:
                    yield bytes(waiting)
                    waiting.clear()
        yield bytes(waiting + bytes(2 * _BLOCK))

    def body(self, containers: Sequence[str]) -> Iterator[bytes]:
        """As `POST /composer/v1/sync` takes it: a line that says where to, then the tar."""
        head = {"containers": list(containers), "trees": {target: list(paths) for target, paths in self.removes.items()}}
        yield json.dumps(head).encode() + b"\n"
        yield from self.pieces()


def parcel(work: Sequence[tuple[Tree, Delta]]) -> Parcel:
    """All that these rules give to a container, parents before children."""
    puts: dict[str, tuple[str, str, Entry]] = {}
    removes: dict[str, list[str]] = {}
    for tree, delta in work:
        for inner in sorted(delta.changed):
            entry = tree.entries.get(inner)
            if entry is None:
                continue
            target, path = tree.place(inner)
            removes.setdefault(target, [])
            place = os.path.join(target, path)
            puts[place] = (tree.source(inner), place, entry)
        for inner in tops(delta.gone):
            target, path = tree.place(inner)
            removes.setdefault(target, []).append(path)
    return Parcel([puts[place] for place in sorted(puts)], removes)


def tops(paths: Iterable[str]) -> list[str]:
    """Those that are beneath none of the others, in order."""
    found: list[str] = []
    for path in sorted(paths, key=lambda path: path.split("/")):
        if not found or not path.startswith(found[-1] + "/"):
            found.append(path)
    return found


def _member(source: str, place: str, entry: Entry) -> Iterator[bytes]:
    info = tarfile.TarInfo(place.lstrip("/"))
    info.mode, info.mtime = entry.mode, int(entry.mtime)  # whole seconds, as Docker: a fraction costs a second header
    if entry.kind == DIRECTORY:
        info.type = tarfile.DIRTYPE
        yield _head(info)
    elif entry.kind == LINK:
        info.type, info.linkname = tarfile.SYMTYPE, entry.link
        yield _head(info)
    else:
        yield from _file(source, info)


def _head(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _file(source: str, info: tarfile.TarInfo) -> Iterator[bytes]:
    try:
        fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return  # it has gone, or become something else: its own change tells it
    with os.fdopen(fd, "rb") as file:
        size = os.fstat(fd).st_size
        if size < _WHOLE:
            data = file.read(_WHOLE)
            info.size = len(data)
            yield _head(info) + data + bytes(-len(data) % _BLOCK)
            return
        info.size = left = size
        yield _head(info)
        while left:
            data = file.read(min(left, 1 << 20))
            if not data:
                raise Torn(f"{source} was cut short while it was sent")
            left -= len(data)
            yield data
        yield bytes(-size % _BLOCK)
