"""The gzip of a layer, as registries want it: made into a temporary file, and what it is called is remembered."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from composer.engine.local.archive import Compression, detect, finish, gzip_writer
from composer.engine.local.image.blobs import Blobs
from composer.engine.local.image.manifest import OCI_LAYER, Descriptor
from composer.engine.local.state import State, Table

_CHUNK = 1 << 20
_TYPES = {Compression.GZIP: f"{OCI_LAYER}+gzip", Compression.ZSTD: f"{OCI_LAYER}+zstd"}


class Squeezer:
    """Blobs that are compressed already are left as they are."""

    def __init__(self, state: State, blobs: Blobs) -> None:
        self._blobs = blobs
        self._rows: Table[dict[str, Any]] = Table(state, "squeezed", encode=dict, decode=dict)

    async def known(self, layer: Descriptor) -> Descriptor | None:
        """What the layer is called in a registry, when that is known without compressing it."""
        kind = await asyncio.to_thread(self._kind, layer)
        if kind in _TYPES:
            return Descriptor(_TYPES[kind], layer.digest, layer.size)
        row = self._rows.get(layer.digest)
        return Descriptor(_TYPES[Compression.GZIP], row["digest"], row["size"]) if row else None

    def _kind(self, layer: Descriptor) -> Compression:
        with self._blobs.open(layer.digest) as file:
            return detect(file.read(6))

    @asynccontextmanager
    async def squeezed(self, layer: Descriptor) -> AsyncIterator[tuple[Descriptor, Path]]:
        """The compressed layer and the file that holds it, until the end of the block."""
        kind = await asyncio.to_thread(self._kind, layer)
        if kind in _TYPES:
            yield Descriptor(_TYPES[kind], layer.digest, layer.size), self._blobs.path(layer.digest)
            return
        path = self._blobs.temporary(f"gzip-{os.urandom(8).hex()}")
        try:
            made = await finish(lambda: self._squeeze(layer, path))
            await self._rows.put(layer.digest, {"digest": made.digest, "size": made.size}, durable=False)
            yield made, path
        finally:
            path.unlink(missing_ok=True)

    def _squeeze(self, layer: Descriptor, path: Path) -> Descriptor:
        with self._blobs.open(layer.digest) as source, open(path, "xb") as file:
            sink = _Hashing(file)
            with gzip_writer(cast(BinaryIO, sink)) as target:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
        return Descriptor(_TYPES[Compression.GZIP], f"sha256:{sink.hash.hexdigest()}", sink.size)


class _Hashing:
    """A writer that hashes what it passes on."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self.size += len(data)
        return self._sink.write(data)

    def flush(self) -> None:
        self._sink.flush()
