"""The engine's images: `interface.Images` over the store, the layers and the blobs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime

from composer.engine.errors import InvalidArgument, Unsupported
from composer.engine.filters import images as filtering
from composer.engine.filters.words import Filters, before
from composer.engine.local import files
from composer.engine.local.archive import drain, feed, finish
from composer.engine.local.image import bootstrap, imported, view
from composer.engine.local.image import reference as references
from composer.engine.local.image.blobs import Blobs, Lease
from composer.engine.local.image.disposal import Disposal, Used
from composer.engine.local.image.layers import Layers
from composer.engine.local.image.load import Loaded, read_archive
from composer.engine.local.image.lookup import look_up
from composer.engine.local.image.manifest import Platform
from composer.engine.local.image.pull import Puller
from composer.engine.local.image.push import Pusher
from composer.engine.local.image.record import ImageRecord, parse_config
from composer.engine.local.image.save import Wanted, write_archive
from composer.engine.local.image.snapshot import Snapshots
from composer.engine.local.image.store import ImageStore
from composer.engine.local.layout import Layout
from composer.engine.local.state import State
from composer.engine.model import (
    Actor,
    BuildConfig,
    Event,
    HistoryItem,
    Image,
    ImageDeleted,
    ImageSummary,
    Progress,
    PruneReport,
    RegistryAuth,
    RegistryImage,
)

Publish = Callable[[Event], None]
Builder = Callable[[BuildConfig], AsyncIterator[Progress]]


class LocalImages:
    """Images on this machine. ``store``, ``layers``, ``blobs`` and ``snapshots`` are for the other parts of the local engine.

    ``builder`` and ``forget_builds`` (bytes freed) are set by the engine, as building needs its containers.
    """

    def __init__(self, layout: Layout, state: State, publish: Publish, used: Used) -> None:
        self._layout = layout
        self._publish = publish
        self._used = used
        self.blobs = Blobs(layout)
        self.layers = Layers(layout, state, self.blobs)
        self.store = ImageStore(layout, state, self.blobs, self.layers)
        self.store.keepers.append(lambda: used().keys())
        self.snapshots = Snapshots(layout)
        self.builder: Builder | None = None
        self.forget_builds: Callable[[], Awaitable[int]] | None = None
        self.spared: list[Callable[[], Iterable[str]]] = []  # ids of images that `prune` leaves, as others may go back to them
        self._disposal = Disposal(self.store, used, self._tell, self.spared)
        self._puller = Puller(self.blobs, self.layers, self.store)
        self._pusher = Pusher(state, self.blobs, self.store)

    async def recover(self) -> list[str]:
        """At start, before anything else uses the store: remove what an earlier life left half-done. What was done, in words."""
        await finish(self._clear)
        told = await self.layers.recover()
        await self.store.sweep()
        return told

    def _clear(self) -> None:
        for path in self._layout.temporary.iterdir():
            files.remove_tree(path)

    async def inspect(self, ref: str) -> Image:
        record = self.store.resolve(ref)
        return view.inspected(record, [self.layers.path(chain_id) for chain_id in reversed(record.chain_ids)])

    async def list(self, *, all: bool = False, filters: Filters | None = None) -> Sequence[ImageSummary]:
        """Newest first. Filters: dangling, label, reference, before, since, until."""
        used = self._used()
        rows = [view.summary(record, len(used.get(record.id, ()))) for record in self.store.all()]
        rows.sort(key=lambda row: row.created, reverse=True)
        found = filtering.select(rows, filters, created=lambda ref: view.seconds(self.store.resolve(ref).created))
        limit = before(filters or {}, time.time())
        return [row for row in found if row.created < limit]

    async def history(self, ref: str) -> Sequence[HistoryItem]:
        record = self.store.resolve(ref)
        return view.history(record, {layer.chain_id: layer.size for layer in self.layers.all()})

    async def tag(self, ref: str, target: str) -> None:
        record = self.store.resolve(ref)
        name = references.parse(target)
        if name.digest:
            raise InvalidArgument("refusing to create a tag with a digest reference")
        await self.store.tag(record.id, name)
        self._tell("tag", record, name.with_default_tag().familiar)

    async def remove(self, ref: str, *, force: bool = False, prune: bool = True) -> Sequence[ImageDeleted]:
        """By Docker's rules: a reference is untagged, the last one takes the image along. Conflict, NotFound."""
        return await self._disposal.remove(ref, force=force)

    async def prune(self, filters: Filters | None = None) -> PruneReport:
        """Images without a name (``dangling``, the default), or all that no container stands on (dangling=false)."""
        return await self._disposal.prune(filters)

    async def prune_builds(self) -> PruneReport:
        freed = await self.forget_builds() if self.forget_builds is not None else 0
        swept = await self.store.sweep()
        return PruneReport(deleted=swept.layers, space_reclaimed=swept.freed + freed)

    async def load(self, tar: AsyncIterator[bytes]) -> AsyncIterator[Progress]:
        """Images from a docker-archive or an OCI layout."""
        with self.blobs.lease() as lease:
            for one in await feed(tar, lambda source: read_archive(source, self.blobs, lease, Platform.host())):
                record = await self._record(one, lease)
                self._tell("load", record, view.familiar(record.tags)[0] if record.tags else record.id)
                for tag in one.tags:
                    yield Progress(stream=f"Loaded image: {tag.with_default_tag().familiar}\n")
                if not one.tags:
                    yield Progress(stream=f"Loaded image ID: {record.id}\n")

    async def _record(self, one: Loaded, lease: Lease) -> ImageRecord:
        diff_ids = parse_config(one.config)["rootfs"].get("diff_ids") or []
        layers = await self.layers.ensure(diff_ids, one.layers, lease)
        return await self.store.put(one.config, layers, tags=one.tags, manifest=one.manifest, blobs=one.layers)

    async def save(self, refs: Sequence[str]) -> AsyncIterator[bytes]:
        """One tar that Docker and OCI tools read. A name without a tag means all tags of that repository."""
        tags: dict[str, list[str]] = {}
        for record, names in map(self._wanted, refs):
            tags.setdefault(record.id, []).extend(names)
        wanted = [(self.store.resolve(image_id), tuple(dict.fromkeys(names))) for image_id, names in tags.items()]
        with self.blobs.lease() as lease:
            for record, _ in wanted:
                lease.update(record.blobs)
            async for chunk in drain(lambda sink: write_archive(wanted, self.blobs, sink)):
                yield chunk

    def _wanted(self, ref: str) -> Wanted:
        record = self.store.resolve(ref)
        if record.id[7:].startswith(ref.removeprefix("sha256:")):
            return record, ()
        name = references.parse(ref)
        return record, () if name.digest else (str(name.with_default_tag()),)

    async def import_(
        self, tar: AsyncIterator[bytes], ref: str, *, changes: Sequence[str] = (), message: str = ""
    ) -> AsyncIterator[Progress]:
        """A root file system as an image of one layer. ``ref`` may be empty. The last Progress has its id as ``status``."""
        name = references.parse(ref).with_default_tag() if ref else None
        with self.blobs.lease() as lease:
            config = imported.config(changes, message or "Imported from -", Platform.host(), datetime.now(UTC))
            blob = await feed(tar, lambda source: imported.ingest(source, self.blobs, lease))
            data = imported.with_layer(config, blob.digest)
            layers = await self.layers.ensure([blob.digest], [blob], lease)
            record = await self.store.put(data, layers, tags=[name] if name else [])
        self._tell("import", record, name.familiar if name else record.id)
        yield Progress(status=record.id)

    async def bootstrap(self, ref: str) -> AsyncIterator[Progress]:
        """Make a base image from the distribution's own package mirror (mmdebstrap). InvalidArgument lists the names that are known."""
        recipe = bootstrap.recipe(ref)
        run = bootstrap.Run(recipe, self._layout.temporary)
        async for progress in run.follow(lambda tar: self.import_(tar, recipe.name, changes=recipe.changes, message=recipe.message)):
            yield progress

    async def distribution(self, ref: str, *, auth: RegistryAuth | None = None) -> RegistryImage:
        return await look_up(references.parse(ref).with_default_tag(), auth)

    async def pull(self, ref: str, *, platform: str = "", auth: RegistryAuth | None = None) -> AsyncIterator[Progress]:
        name = references.parse(ref).with_default_tag()
        async for progress in self._puller.pull(name, Platform.parse(platform), auth):
            yield progress
        self._tell("pull", self.store.resolve(str(name)), name.familiar_name, name.familiar)

    async def push(self, ref: str, *, auth: RegistryAuth | None = None) -> AsyncIterator[Progress]:
        name = references.parse(ref)
        if name.digest:
            raise InvalidArgument("cannot push a digest reference")
        name = name.with_default_tag()
        async for progress in self._pusher.push(name, auth):
            yield progress
        self._tell("push", self.store.resolve(str(name)), name.familiar_name, name.familiar)

    def build(self, config: BuildConfig) -> AsyncIterator[Progress]:
        if self.builder is None:
            raise Unsupported("this engine was assembled without a builder")
        return self.builder(config)

    def _tell(self, action: str, record: ImageRecord, name: str, subject: str = "") -> None:
        now = time.time_ns()
        actor = Actor(id=subject or record.id, attributes={**record.process.labels, "name": name})
        self._publish(Event(type="image", action=action, actor=actor, time=now // 10**9, time_nano=now))
