"""Unpacked layers: layers/<chain id>/, shared read-only by every image and container that stands on them.

A layer is unpacked beside, all of an image's are synced at once, renamed, and only then recorded (a row before its files are on disk
would name zero-length files after a power cut). Two pulls that need the same layer unpack it once: the second waits for the first.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from composer.engine.errors import InvalidArgument, NotFound
from composer.engine.local import files
from composer.engine.local.archive import ExtractOptions, ExtractReport, extract, finish, pack, plain
from composer.engine.local.archive.compression import Readable
from composer.engine.local.image import digest as digests
from composer.engine.local.image.blobs import Blobs, Lease
from composer.engine.local.image.manifest import OCI_LAYER, Descriptor
from composer.engine.local.image.record import ImageRecord
from composer.engine.local.layout import Layout
from composer.engine.local.linux.beneath import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, open_in_root
from composer.engine.local.state import State, Table

_AT_ONCE = 2  # unpackings: they are kernel work, more only compete for the disk


@dataclass(frozen=True)
class Layer:
    """An unpacked layer.

    ``parent``: the chain id beneath, "" for the lowest. ``size``: bytes of its files. ``blob``: its tar, as it came.
    """

    chain_id: str
    diff_id: str
    parent: str
    size: int
    blob: Descriptor


class Layers:
    """The unpacked layers, by chain id."""

    def __init__(self, layout: Layout, state: State, blobs: Blobs) -> None:
        self._layout = layout
        self._blobs = blobs
        self._rows: Table[Layer] = Table(state, "layer", encode=_encode, decode=_decode)
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}  # chain id -> lock, and how many hold or want it
        self._loose: set[str] = set()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def get(self, chain_id: str) -> Layer | None:
        return self._rows.get(chain_id)

    def has(self, chain_id: str) -> bool:
        return chain_id in self._rows

    def path(self, chain_id: str) -> Path:
        return self._layout.layers / digests.hexadecimal(chain_id)

    def paths(self, record: ImageRecord) -> list[Path]:
        """The directories of an image's layers, topmost first. NotFound when one is missing (the state was damaged by hand)."""
        for chain_id in record.chain_ids:
            if chain_id not in self._rows:
                raise NotFound(f"layer {chain_id} of image {record.id} is missing", hint="remove the image and pull or load it again")
        return [self.path(chain_id) for chain_id in reversed(record.chain_ids)]

    async def ensure(self, diff_ids: Sequence[str], blobs: Sequence[Descriptor], lease: Lease) -> list[Layer]:
        """All layers of an image, lowest first, unpacked and recorded. The blobs are in the store.

        Raises InvalidArgument when a blob is not the layer that the configuration names, or is no layer.
        """
        if len(diff_ids) != len(blobs):
            raise InvalidArgument(f"the image's configuration names {len(diff_ids)} layers, its manifest {len(blobs)}")
        chain = digests.chain(tuple(diff_ids))
        lease.update(chain)
        async with AsyncExitStack() as stack:
            for chain_id in chain:  # lowest first, for everyone: no two wait for each other
                if chain_id not in self._rows:
                    await stack.enter_async_context(self._alone(chain_id))
            missing = [place for place, chain_id in enumerate(chain) if chain_id not in self._rows]
            if missing:
                await self._unpack(missing, chain, diff_ids, blobs)
        return [self._rows[chain_id] for chain_id in chain]

    async def commit(self, upper: Path, parents: Sequence[str], lease: Lease | None = None, *, move: bool = True) -> Layer:
        """Make the directory ``upper`` (an overlay's, no longer written to) the layer on top of the chain ``parents``, lowest first.

        ``move``: the directory itself becomes the layer, else it stays and is copied. Its tar becomes a blob. Without a ``lease`` the
        layer is kept until an image has it (`release`) or the daemon ends.
        """
        blob, size = await finish(lambda: self._pack(upper))
        parent = parents[-1] if parents else ""
        chain_id = digests.of(f"{parent} {blob.digest}".encode()) if parent else blob.digest
        (self._loose if lease is None else lease).update((chain_id, blob.digest, *parents))
        async with self._alone(chain_id):
            if (found := self._rows.get(chain_id)) is not None:
                return found
            layer = Layer(chain_id, blob.digest, parent, size, blob)
            if move:
                await finish(lambda: self._settle([(upper, chain_id)]))
                await self._rows.put(chain_id, layer)
            else:
                await self._unpack(
                    [len(parents)], (*parents, chain_id), ("",) * len(parents) + (blob.digest,), (blob,) * (len(parents) + 1)
                )
        return self._rows[chain_id]

    def loose(self) -> set[str]:
        """Chain ids and blobs of layers that were committed and that no image has yet."""
        return self._loose

    def release(self, layers: Sequence[Layer]) -> None:
        """An image has these layers now."""
        for layer in layers:
            self._loose.difference_update((layer.chain_id, layer.blob.digest))

    async def delete(self, chain_id: str, kept: Callable[[], set[str]]) -> int:
        """The row, then the files; bytes freed. Nothing is done when ``kept`` has it by the time that it is this layer's turn."""
        async with self._alone(chain_id):
            row = self._rows.get(chain_id)
            if row is None or chain_id in kept():
                return 0
            await self._rows.delete(chain_id)
            await finish(lambda: files.remove_tree(self.path(chain_id)))
            return row.size

    def all(self) -> list[Layer]:
        return list(self._rows)

    async def recover(self) -> list[str]:
        """Remove the directories that no row owns, and the rows whose directory is gone (somebody deleted it). Told in words."""
        stored = await asyncio.to_thread(lambda: set(os.listdir(self._layout.layers)))
        owned = {digests.hexadecimal(row.chain_id): row for row in self._rows}
        told: list[str] = []
        unowned = stored - set(owned)
        await finish(lambda: _remove(self._layout.layers / name for name in unowned))
        told.extend(f"removed the unfinished layer {name[:12]}" for name in unowned)
        for name in set(owned) - stored:
            await self._rows.delete(owned[name].chain_id)
            told.append(f"layer {name[:12]} is gone from {self._layout.layers}")
        return told

    @asynccontextmanager
    async def _alone(self, chain_id: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(chain_id, (asyncio.Lock(), 0))
        self._locks[chain_id] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            users = self._locks[chain_id][1] - 1
            if users:
                self._locks[chain_id] = (lock, users)
            else:
                del self._locks[chain_id]

    async def _unpack(self, missing: Sequence[int], chain: Sequence[str], diff_ids: Sequence[str], blobs: Sequence[Descriptor]) -> None:
        """Unpack, verify, sync, rename, record."""
        directories = {place: self._layout.temporary / f"layer-{os.urandom(8).hex()}" for place in missing}
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._extract(blobs[place], diff_ids[place], directories[place])) for place in missing]
            reports = dict(zip(missing, (task.result() for task in tasks), strict=True))
            await finish(lambda: self._complete(chain, directories, reports))
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None  # the others were cancelled for its sake
        finally:
            await finish(lambda: _remove(directories.values()))
        await asyncio.gather(
            *(
                self._rows.put(chain[p], Layer(chain[p], diff_ids[p], chain[p - 1] if p else "", reports[p].bytes, blobs[p]))
                for p in missing
            )
        )

    async def _extract(self, blob: Descriptor, diff_id: str, directory: Path) -> ExtractReport:
        async with self._slots:
            return await finish(lambda: self._extract_here(blob, diff_id, directory))

    def _extract_here(self, blob: Descriptor, diff_id: str, directory: Path) -> ExtractReport:
        directory.mkdir(mode=0o755)
        os.chmod(directory, 0o755)
        root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with self._blobs.open(blob.digest) as file:
                reader, kind = plain(file)
                if not kind:
                    found = blob.digest
                    report = extract(reader, root, options=ExtractOptions(whiteouts=True))
                else:
                    hashing = _Hashing(reader)
                    report = extract(cast(BinaryIO, hashing), root, options=ExtractOptions(whiteouts=True))
                    found = hashing.finish()
        finally:
            os.close(root)
        if found != diff_id:
            raise InvalidArgument(f"layer verification failed: the content is {found}, the image's configuration names {diff_id}")
        return report

    def _complete(self, chain: Sequence[str], directories: dict[int, Path], reports: dict[int, ExtractReport]) -> None:
        for place, directory in sorted(directories.items()):
            parents = [directories.get(p) or self.path(chain[p]) for p in range(place - 1, -1, -1)]
            _inherit(directory, reports[place], parents)
        self._settle([(directory, chain[place]) for place, directory in directories.items()])

    def _settle(self, moves: Sequence[tuple[Path, str]]) -> None:
        """Sync, then rename to the final names: what stands there is on disk."""
        files.sync_filesystem(self._layout.root)
        for source, chain_id in moves:
            target = self.path(chain_id)
            files.remove_tree(target)  # an unfinished one of an earlier life
            os.rename(source, target)
        files.sync_directory(self._layout.layers)

    def _pack(self, upper: Path) -> tuple[Descriptor, int]:
        root = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with self._blobs.incoming() as blob:
                pack(root, "/", cast(BinaryIO, blob), name="", whiteouts=True)
                return Descriptor(OCI_LAYER, blob.keep(), blob.size), files.tree_size(upper)
        finally:
            os.close(root)


class _Hashing:
    """A reader that hashes what it passes on."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        return data

    def finish(self) -> str:
        """Read to the end (a tar may be padded); the digest of it all."""
        while self.read(1 << 20):
            pass
        return f"sha256:{self._hash.hexdigest()}"


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        files.remove_tree(path)


def _inherit(directory: Path, report: ExtractReport, parents: Sequence[Path]) -> None:
    """Directories that the layer did not describe get the attributes they have below: a layer that only adds /tmp/x keeps /tmp's mode."""
    for path in (*report.implied, *(() if report.top_described else ("",))):
        for parent in parents:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                _copy_attributes(parent, directory, path)
                break


def _copy_attributes(source: Path, target: Path, path: str) -> None:
    fds: list[int] = []
    try:
        for root in (source, target):
            fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            fds.append(fd)
            try:
                inner = open_in_root(fd, path or ".", os.O_RDONLY | os.O_DIRECTORY, resolve=RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
            except OSError as error:
                raise FileNotFoundError(path) from error  # a link or a file below: nothing to inherit
            fds.append(inner)
        status = os.fstat(fds[1])
        os.fchown(fds[3], status.st_uid, status.st_gid)
        os.fchmod(fds[3], status.st_mode & 0o7777)
        os.utime(fds[3], ns=(status.st_mtime_ns, status.st_mtime_ns))
    finally:
        for fd in fds:
            os.close(fd)


def _encode(layer: Layer) -> dict[str, Any]:
    return {
        "chain_id": layer.chain_id,
        "diff_id": layer.diff_id,
        "parent": layer.parent,
        "size": layer.size,
        "blob": layer.blob.to_json(),
    }


def _decode(row: dict[str, Any]) -> Layer:
    return Layer(row["chain_id"], row["diff_id"], row["parent"], row["size"], Descriptor.from_json(row["blob"]))
