"""Writing a developer's files into running containers, and looking at what is there: through /proc/PID/root, so volumes and tmpfs are
seen as the processes see them, and nothing of the image is run. One archive is read once, for all containers (trap 10)."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

from composer.engine import signature
from composer.engine.errors import EngineError, InvalidArgument, NotFound
from composer.engine.local.archive import feed, finish
from composer.engine.local.archive.entry import Entry, Kind
from composer.engine.local.archive.mirror import KINDS, Draft, Mirror
from composer.engine.local.archive.read import TarReader
from composer.engine.local.containers import root
from composer.engine.local.containers.parts import Parts
from composer.engine.local.containers.registry import Held
from composer.engine.local.runtime import users
from composer.engine.model import Synced

_PIECE = 1 << 20
_FILES = 1_000_000  # members of one sync
Trees = Mapping[str, Sequence[str]]


@dataclass
class _Place:
    """One container of a sync: a mirror for each target, and how it went."""

    id: str
    mirrors: dict[str, Mirror] = field(default_factory=dict)
    written: int = 0
    removed: int = 0
    problem: str = ""

    def attempt(self, what: str, work: Callable[[], object]) -> bool:
        """False: it did not succeed; the first problem is kept."""
        try:
            return work() is not False
        except EngineError as error:
            self.problem = self.problem or f"{what}: {error.message}"
        except OSError as error:
            self.problem = self.problem or f"{what}: {(error.strerror or str(error)).lower()}"
        return False


async def sync(parts: Parts, refs: Sequence[str], trees: Trees, tar: AsyncIterator[bytes]) -> Sequence[Synced]:
    """See `interface.Containers.sync`."""
    targets = sorted(map(_checked, trees), key=len, reverse=True)
    places: list[_Place] = []
    roots: list[tuple[_Place, Held]] = []
    for ref in refs:
        try:
            held = parts.registry.find(ref)
        except NotFound as error:
            places.append(_Place(ref, problem=error.message))
            continue
        places.append(_Place(held.id))
        roots.append((places[-1], held))

    def work(source: BinaryIO) -> None:
        with ExitStack() as ending:
            for place, held in roots:
                place.attempt("cannot be written to", partial(_open, place, held, targets, ending))
            _write(TarReader(source), [place for place in places if place.mirrors], targets)
            for place in places:
                _remove(place, trees)

    await feed(tar, work)
    return [Synced(container=place.id, written=place.written, removed=place.removed, problem=place.problem) for place in places]


def _checked(target: str) -> str:
    if not target.startswith("/") or posixpath.normpath(target) != target or target.startswith("//"):
        raise InvalidArgument(f"a sync's target must be an absolute path: {target!r}")
    return target


def _open(place: _Place, held: Held, targets: Sequence[str], ending: ExitStack) -> None:
    fd = root.opened(held)
    ending.callback(os.close, fd)
    user = users.lookup(fd, held.record.config.user)
    for target in targets:
        mirror = Mirror(fd, target, (user.uid, user.gid))
        ending.callback(mirror.close)
        place.mirrors[target] = mirror


def _write(reader: TarReader, places: Sequence[_Place], targets: Sequence[str]) -> None:
    for count, entry in enumerate(reader):
        if count >= _FILES:
            raise InvalidArgument(f"more than {_FILES} files in one sync")
        path = posixpath.normpath("/" + entry.name)
        if entry.kind not in KINDS or entry.pieces is not None or "\0" in path:
            raise InvalidArgument(f"a sync takes files, links and directories only: {entry.name!r}")
        target = next((target for target in targets if path == target or path.startswith(target.rstrip("/") + "/")), None)
        if target is None:
            raise InvalidArgument(f"{entry.name!r} is beneath no target of the sync")
        inner = path[len(target) :].strip("/")
        if entry.kind is Kind.FILE:
            _file(reader, [(place, place.mirrors[target]) for place in places], inner, entry)
            continue
        for place in places:
            mirror = place.mirrors[target]
            place.written += place.attempt(path, partial(mirror.link if entry.kind is Kind.SYMLINK else mirror.directory, inner, entry))


def _file(reader: TarReader, mirrors: Sequence[tuple[_Place, Mirror]], path: str, entry: Entry) -> None:
    drafts: list[tuple[_Place, Mirror, Draft]] = []

    def begin(place: _Place, mirror: Mirror) -> None:
        drafts.append((place, mirror, mirror.draft(path, entry)))

    for place, mirror in mirrors:
        place.attempt(entry.name, partial(begin, place, mirror))
    try:
        while piece := reader.read(_PIECE):
            for row in list(drafts):
                if not row[0].attempt(entry.name, partial(_all, row[2].fd, piece)):
                    drafts.remove(row)
                    row[1].drop(row[2])
    except BaseException:
        for _, mirror, draft in drafts:
            mirror.drop(draft)
        raise
    for place, mirror, draft in drafts:
        place.written += place.attempt(entry.name, partial(mirror.settle, draft))


def _all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _remove(place: _Place, trees: Trees) -> None:
    for target, mirror in place.mirrors.items():
        for path in trees[target]:
            inner = posixpath.normpath("/" + path).strip("/")
            place.removed += place.attempt(f"{target}/{inner}", partial(mirror.remove, inner))


async def signatures(held: Held, trees: Trees) -> Mapping[str, Mapping[str, str]]:
    """See `interface.Containers.signatures`."""
    for target in trees:
        _checked(target)
    return await finish(lambda: root.running(held, lambda fd: {target: _signatures(fd, target, paths) for target, paths in trees.items()}))


def _signatures(fd: int, target: str, paths: Sequence[str]) -> dict[str, str]:
    mirror = Mirror(fd, target, (0, 0))
    found: dict[str, str] = {}
    try:
        for path in paths:
            said = _signature(mirror, posixpath.normpath("/" + path).strip("/"))
            if said is not None:
                found[path] = said
    finally:
        mirror.close()
    return found


def _signature(mirror: Mirror, path: str) -> str | None:
    fd = mirror.look(path, os.O_PATH)
    if fd is None:
        return None
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISLNK(mode):
            return signature.of_link(os.readlink("", dir_fd=fd))
        if stat.S_ISDIR(mode):
            return signature.of_directory(mode)
        if not stat.S_ISREG(mode):
            return signature.of_other(mode)
        content = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return signature.of_file(mode, signature.digest_of(content))
        finally:
            os.close(content)
    finally:
        os.close(fd)
