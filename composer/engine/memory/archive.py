"""The files of a container in memory, as tar members by absolute path."""

from __future__ import annotations

import io
import posixpath
import stat
import tarfile
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

from composer.engine import signature
from composer.engine.errors import InvalidArgument, NotFound
from composer.engine.model import Change, PathStat

_DIRECTORY, _LINK = 1 << 31, 1 << 27  # Go's os.ModeDir and os.ModeSymlink
LIMIT = 1 << 28  # bytes of one archive that are kept in memory


class Files:
    """Path -> (header, content). "/" and the usual directories are there."""

    def __init__(self) -> None:
        self._made: set[str] = set()
        self._members: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
        for path in ("/", "/bin", "/dev", "/etc", "/proc", "/root", "/sys", "/tmp", "/usr", "/var"):
            self._members[path] = (_directory(path), b"")

    def unpack(self, at: str, tar: bytes) -> None:
        """Raises NotFound when ``at`` is not there, InvalidArgument when it is no directory or the bytes are no tar."""
        if not self._find(at).isdir():
            raise InvalidArgument("extraction point is not a directory")
        try:
            with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
                for member in archive:
                    path = _clean(posixpath.join(at, member.name.lstrip("/")))
                    content = archive.extractfile(member) if member.isreg() else None
                    self._members[path] = (member, content.read() if content else b"")
                    self._made.add(path)
        except tarfile.TarError as error:
            raise InvalidArgument(f"the body is no tar archive: {error}") from error

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """One regular file."""
        header = tarfile.TarInfo(posixpath.basename(path))
        header.mode, header.size = mode, len(content)
        self._members[_clean(path)] = (header, content)
        self._made.add(_clean(path))

    def read(self, path: str) -> bytes:
        self._find(path)
        return self._members[_clean(path)][1]

    def pack(self, path: str) -> bytes:
        """A tar of ``path`` and what is beneath, named by its last part (as `docker cp` gets it)."""
        self._find(path)
        top = _clean(path)
        base = posixpath.basename(top) or "."
        sink = io.BytesIO()
        with tarfile.open(fileobj=sink, mode="w") as archive:
            for name, (header, content) in sorted(self._members.items()):
                if name != top and not name.startswith(top.rstrip("/") + "/"):
                    continue
                beneath = name[len(top) :].lstrip("/")
                member = header.replace(name=posixpath.join(base, beneath) if beneath else base)
                archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
        return sink.getvalue()

    def stat(self, path: str) -> PathStat:
        header = self._find(path)
        mode = stat.S_IMODE(header.mode) | (_DIRECTORY if header.isdir() else 0) | (_LINK if header.issym() else 0)
        name = posixpath.basename(_clean(path)) or "/"
        time = datetime.fromtimestamp(header.mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return PathStat(name=name, size=header.size, mode=mode, mtime=time, link_target=header.linkname if header.issym() else "")

    def changes(self) -> list[Change]:
        return [Change(path=path, kind=1) for path in sorted(self._made)]

    def sync(self, trees: Mapping[str, Sequence[str]], tar: bytes) -> tuple[int, int]:
        """How many were written and removed. InvalidArgument: a member lies beneath no target, or the bytes are no tar."""
        written, removed = 0, 0
        try:
            with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
                for member in archive:
                    path = _clean(member.name)
                    if not any(path == target or path.startswith(target.rstrip("/") + "/") for target in trees):
                        raise InvalidArgument(f"{member.name!r} is beneath no target of the sync")
                    content = archive.extractfile(member) if member.isreg() else None
                    self._put(path, member, content.read() if content else b"", keep=path in trees)
                    written += 1
        except tarfile.TarError as error:
            raise InvalidArgument(f"the body is no tar archive: {error}") from error
        for target, paths in trees.items():
            removed += sum(self._remove(_clean(posixpath.join(target, path))) for path in paths)
        return written, removed

    def _put(self, path: str, member: tarfile.TarInfo, content: bytes, *, keep: bool) -> None:
        above = posixpath.dirname(path)
        if not (found := self._members.get(above)) or not found[0].isdir():
            self._put(above, _directory(above), b"", keep=False)
        there = self._members.get(path)
        if there and there[0].isdir() and keep:
            return
        if there and not (there[0].isdir() and member.isdir()):
            self._remove(path)
        self._members[path] = (member, content)
        self._made.add(path)

    def _remove(self, path: str) -> bool:
        gone = [name for name in self._members if name == path or name.startswith(path + "/")]
        for name in gone:
            del self._members[name]
        return path in gone

    def signature(self, path: str) -> str | None:
        """As composer.engine.signature has it; None when there is nothing."""
        found = self._members.get(_clean(path))
        if found is None:
            return None
        header, content = found
        if header.issym():
            return signature.of_link(header.linkname)
        if header.isdir():
            return signature.of_directory(header.mode)
        return signature.of_file(header.mode, signature.digest_bytes(content))

    def _find(self, path: str) -> tarfile.TarInfo:
        found = self._members.get(_clean(path))
        if found is None:
            raise NotFound(f"Could not find the file {path} in container")
        return found[0]


def _clean(path: str) -> str:
    return posixpath.normpath("/" + path).replace("//", "/")


def _directory(path: str) -> tarfile.TarInfo:
    header = tarfile.TarInfo(posixpath.basename(path) or "/")
    header.type, header.mode = tarfile.DIRTYPE, 0o755
    return header


async def gather(stream: AsyncIterator[bytes]) -> bytes:
    """All of a stream. Raises InvalidArgument when it is more than this fake keeps."""
    parts = bytearray()
    async for piece in stream:
        parts += piece
        if len(parts) > LIMIT:
            raise InvalidArgument(f"more than {LIMIT} bytes: too much for the engine in memory")
    return bytes(parts)
