"""The images that the engine knows, by id and by reference; their rows, and what of blobs and layers no row needs any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from composer.engine.errors import InvalidArgument, NotFound
from composer.engine.local import files
from composer.engine.local.archive import finish
from composer.engine.local.image import digest
from composer.engine.local.image import reference as references
from composer.engine.local.image.blobs import Blobs
from composer.engine.local.image.layers import Layer, Layers
from composer.engine.local.image.manifest import Descriptor
from composer.engine.local.image.record import ImageRecord, from_row, parse_config, to_row
from composer.engine.local.image.reference import Reference
from composer.engine.local.layout import Layout
from composer.engine.local.state import State, Table


class ImageStore:
    """Rows of images; lookups are from memory. Rows are changed by one coroutine at a time (``lock``)."""

    def __init__(self, layout: Layout, state: State, blobs: Blobs, layers: Layers) -> None:
        self._layout = layout
        self._blobs = blobs
        self._layers = layers
        self._rows: Table[ImageRecord] = Table(state, "image", encode=to_row, decode=from_row)
        self._names: dict[str, str] = {}  # canonical reference -> id
        for record in self._rows:
            self._index(record)
        self.lock = asyncio.Lock()
        self.keepers: list[Callable[[], Iterable[str]]] = []  # chain ids and image ids that others rely on (build cache, containers)

    def all(self) -> list[ImageRecord]:
        """Every image that users see."""
        return [record for record in self._rows if not record.removed]

    def get(self, image_id: str) -> ImageRecord | None:
        """By full id, also one that was removed while a container still stands on it."""
        return self._rows.get(image_id)

    def named(self, name: Reference) -> ImageRecord | None:
        """The image with exactly this reference."""
        found = self._names.get(str(name.digested(name.digest) if name.digest else name.with_default_tag()))
        return self._rows.get(found) if found else None

    def resolve(self, ref: str) -> ImageRecord:
        """By id, reference, or unambiguous beginning of an id, in Docker's order. NotFound "No such image: X"."""
        if ref.startswith("sha256:") and (record := self._rows.get(ref)) is not None:
            return record
        name: Reference | None = None
        try:
            name = references.parse(ref)
        except InvalidArgument:
            if not _is_hexadecimal(ref.removeprefix("sha256:")):
                raise
        if name is not None and (record := self.named(name)) is not None:
            return record
        if (record := self._by_prefix(ref.removeprefix("sha256:"))) is not None:
            return record
        shown = name.with_default_tag().familiar if name is not None and not ref.startswith("sha256:") else ref
        raise NotFound(f"No such image: {shown}")

    def _by_prefix(self, prefix: str) -> ImageRecord | None:
        if not _is_hexadecimal(prefix):
            return None
        found = [record for record in self.all() if record.id.startswith(f"sha256:{prefix}")]
        return found[0] if len(found) == 1 else None

    async def put(
        self,
        config: bytes,
        layers: Sequence[Layer],
        *,
        tags: Sequence[Reference] = (),
        digests: Sequence[Reference] = (),
        manifest: Descriptor | None = None,
        blobs: Sequence[Descriptor] = (),
        parent: str = "",
    ) -> ImageRecord:
        """Record an image over layers that are unpacked, lowest first; an image that is known gains the names.

        ``blobs``: the layers' blobs as this image's manifest names them (default: those of the layers). Raises InvalidArgument.
        """
        with self._blobs.lease() as lease:
            lease.add(digest.of(config))
            image_id = await asyncio.to_thread(self._blobs.put, config)
            async with self.lock:
                record = old = self._rows.get(image_id)
                if record is None or record.removed:
                    size = sum(layer.size for layer in layers)
                    own = tuple(blobs) or tuple(layer.blob for layer in layers)
                    record = ImageRecord(image_id, parse_config(config), own, size=size, manifest=manifest, parent=parent)
                elif manifest is not None:
                    record = replace(record, manifest=manifest, layers=tuple(blobs) or record.layers)
                if record != old:
                    await finish(lambda: files.sync_filesystem(self._layout.root))
                await self._name(record, [str(tag.with_default_tag()) for tag in tags], [str(one) for one in digests])
                self._layers.release(layers)
                return self._rows[image_id]

    async def pushed(self, image_id: str, reference: Reference, manifest: Descriptor | None) -> None:
        """Remember by which digest a registry knows an image, and its manifest when all blobs of that are here."""
        async with self.lock:
            if (record := self._rows.get(image_id)) is not None:
                await self._name(record if manifest is None else replace(record, manifest=manifest), [], [str(reference)])

    async def tag(self, image_id: str, name: Reference) -> None:
        """Give an image a name, taking it from the one that had it."""
        async with self.lock:
            await self._name(self._rows[image_id], [str(name.with_default_tag())], [])

    async def _name(self, record: ImageRecord, tags: Sequence[str], digests: Sequence[str]) -> None:
        writes = []
        for name in (*tags, *digests):
            holder = self._rows.get(self._names.get(name, ""))
            if holder is not None and holder.id != record.id:
                writes.append(self._put(holder.named(_without(holder.tags, name), _without(holder.digests, name))))
        changed = record.named((*record.tags, *tags), (*record.digests, *digests))
        if tags:
            changed = replace(changed, tagged_at=datetime.now(UTC).isoformat().replace("+00:00", "Z"))
        await asyncio.gather(*writes, self._put(changed))

    async def _put(self, record: ImageRecord) -> None:
        old = self._rows.get(record.id)
        for name in (*old.tags, *old.digests) if old else ():
            if self._names.get(name) == record.id:
                del self._names[name]
        self._index(record)
        await self._rows.put(record.id, record)

    def _index(self, record: ImageRecord) -> None:
        for name in (*record.tags, *record.digests):
            self._names[name] = record.id

    async def untag(self, record: ImageRecord, names: Sequence[str]) -> ImageRecord:
        """Take canonical references from an image (the lock is held)."""
        gone = set(names)
        changed = record.named([t for t in record.tags if t not in gone], [d for d in record.digests if d not in gone])
        await self._put(changed)
        return changed

    async def forget(self, record: ImageRecord, *, in_use: bool) -> None:
        """Remove the row with all its names; one that a container stands on is only hidden (the lock is held)."""
        await self._put(replace(record.named((), ()), removed=True))
        if not in_use:
            await self._rows.delete(record.id)

    async def sweep(self) -> Swept:
        """Delete the rows, layers and blobs that nothing needs any more: marked from memory, swept on disk, rows before files."""
        kept = self._marked()
        for record in list(self._rows):
            if record.removed and record.id not in kept:
                await self._rows.delete(record.id)
        layers = []
        freed = 0
        for layer in sorted(self._layers.all(), key=lambda layer: layer.parent == ""):  # a lowest layer last
            if layer.chain_id not in self._marked():
                freed += await self._layers.delete(layer.chain_id, self._marked)
                layers.append(layer.chain_id)
        stored = await asyncio.to_thread(self._blobs.stored)
        kept = self._marked() | {layer.blob.digest for layer in self._layers.all()}
        gone = [self._blobs.put_aside(digest) for digest in stored if digest not in kept]  # at once, so that nobody leases one meanwhile
        freed += await finish(lambda: sum(self._blobs.delete(path) for path in gone))
        return Swept(tuple(layers), freed)

    def _marked(self) -> set[str]:
        kept = self._blobs.leased() | self._layers.loose()
        for keeper in self.keepers:
            kept.update(keeper())
        for record in self._rows:
            if not record.removed or record.id in kept:
                kept.update(record.blobs, record.chain_ids)
        return kept


@dataclass(frozen=True)
class Swept:
    """What a sweep removed: chain ids of layers, and bytes of layers and blobs."""

    layers: tuple[str, ...]
    freed: int


def _without(names: Sequence[str], name: str) -> list[str]:
    return [one for one in names if one != name]


def _is_hexadecimal(text: str) -> bool:
    return 0 < len(text) <= 64 and all(c in "0123456789abcdef" for c in text)
