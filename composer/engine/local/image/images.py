"""The engine's images: `interface.Images` over the store, the layers and the blobs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from composer.engine.local import files
from composer.engine.local.archive import feed, finish
from composer.engine.local.image.blobs import Blobs, Lease
from composer.engine.local.image.layers import Layers
from composer.engine.local.image.load import Loaded, read_archive
from composer.engine.local.image.manifest import Platform
from composer.engine.local.image.record import ImageRecord, parse_config
from composer.engine.local.image.snapshot import Snapshots
from composer.engine.local.image.store import ImageStore
from composer.engine.local.layout import Layout
from composer.engine.local.state import State
from composer.engine.model import Actor, Event, Progress

Publish = Callable[[Event], None]
Used = Callable[[], Mapping[str, Sequence[str]]]  # image id -> names of the containers that stand on it


class LocalImages:
    """Images on this machine. ``store``, ``layers``, ``blobs`` and ``snapshots`` are for the other parts of the local engine."""

    def __init__(self, layout: Layout, state: State, publish: Publish, used: Used) -> None:
        self._layout = layout
        self._publish = publish
        self._used = used
        self.blobs = Blobs(layout)
        self.layers = Layers(layout, state, self.blobs)
        self.store = ImageStore(layout, state, self.blobs, self.layers)
        self.store.keepers.append(lambda: used().keys())
        self.snapshots = Snapshots(layout)

    async def recover(self) -> list[str]:
        """At start, before anything else uses the store: remove what an earlier life left half-done. What was done, in words."""
        await finish(self._clear)
        told = await self.layers.recover()
        await self.store.sweep()
        return told

    def _clear(self) -> None:
        for path in self._layout.temporary.iterdir():
            files.remove_tree(path)

    async def load(self, tar: AsyncIterator[bytes]) -> AsyncIterator[Progress]:
        """Images from a docker-archive or an OCI layout."""
        with self.blobs.lease() as lease:
            loaded = await feed(tar, lambda source: read_archive(source, self.blobs, lease, Platform.host()))
            for one in loaded:
                record = await self._record(one, lease)
                for tag in one.tags:
                    yield Progress(stream=f"Loaded image: {tag.with_default_tag().familiar}\n")
                if not one.tags:
                    yield Progress(stream=f"Loaded image ID: {record.id}\n")
                self._tell("load", record.id, record.tags[0] if record.tags else record.id)

    async def _record(self, one: Loaded, lease: Lease) -> ImageRecord:
        diff_ids = parse_config(one.config)["rootfs"].get("diff_ids") or []
        layers = await self.layers.ensure(diff_ids, one.layers, lease)
        return await self.store.put(one.config, layers, tags=one.tags, manifest=one.manifest, blobs=one.layers)

    def _tell(self, action: str, image_id: str, name: str) -> None:
        now = time.time_ns()
        actor = Actor(id=image_id, attributes={"name": name})
        self._publish(Event(type="image", action=action, actor=actor, time=now // 10**9, time_nano=now))
