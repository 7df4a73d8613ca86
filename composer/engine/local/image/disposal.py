"""Removing images: rows and events first, then what of layers and blobs nothing needs any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from composer.engine.filters.images import PRUNE_KEYS
from composer.engine.filters.words import Filters, before, check, flag, labels_match
from composer.engine.local.image import view
from composer.engine.local.image.record import ImageRecord
from composer.engine.local.image.remove import Removal, decide
from composer.engine.local.image.store import ImageStore
from composer.engine.model import ImageDeleted, PruneReport

Used = Callable[[], Mapping[str, Sequence[str]]]  # image id -> names of the containers that stand on it
Tell = Callable[[str, ImageRecord, str], None]  # action, image, name: publishes the event


class Disposal:
    """`remove` one image, `prune` many. ``spared``: ids of images that `prune` leaves although nothing stands on them."""

    def __init__(self, store: ImageStore, used: Used, tell: Tell, spared: Sequence[Callable[[], Iterable[str]]] = ()) -> None:
        self._store = store
        self._used = used
        self._tell = tell
        self._spared = spared

    async def remove(self, ref: str, *, force: bool) -> list[ImageDeleted]:
        """By Docker's rules: a reference is untagged, the last one takes the image along. Conflict, NotFound."""
        async with self._store.lock:
            record = self._store.resolve(ref)
            removal = decide(record, ref, force=force, users=self._used().get(record.id, ()))
            told = await self._apply(record, removal)
        if removal.whole:
            told.extend(ImageDeleted(deleted=chain_id) for chain_id in (await self._store.sweep()).layers)
        return told

    async def _apply(self, record: ImageRecord, removal: Removal) -> list[ImageDeleted]:
        """Rows and events; the store's lock is held."""
        if removal.whole:
            await self._store.forget(record, in_use=bool(self._used().get(record.id)))
        else:
            await self._store.untag(record, removal.names)
        for _ in removal.names:
            self._tell("untag", record, record.id)
        told = [ImageDeleted(untagged=name) for name in view.familiar(removal.names)]
        if removal.whole:
            told.append(ImageDeleted(deleted=record.id))
            self._tell("delete", record, record.id)
        return told

    async def prune(self, filters: Filters | None) -> PruneReport:
        """Images without a name (``dangling``, the default), or all that no container stands on (dangling=false)."""
        wanted = check(filters, PRUNE_KEYS)
        dangling = flag(wanted, "dangling") is not False
        limit = before(wanted, time.time())
        gone: list[str] = []
        async with self._store.lock:
            used = {image for image, users in self._used().items() if users}.union(*(others() for others in self._spared))
            for record in self._store.all():
                if (dangling and record.tags) or record.id in used or not _matches(record, wanted, limit):
                    continue
                removal = Removal((*record.tags, *record.digests), whole=True)
                gone += [step.untagged or step.deleted for step in await self._apply(record, removal)]
        swept = await self._store.sweep()
        return PruneReport(deleted=(*gone, *swept.layers), space_reclaimed=swept.freed)


def _matches(record: ImageRecord, wanted: Filters, limit: float) -> bool:
    return view.seconds(record.created) < limit and labels_match(record.process.labels, wanted)
