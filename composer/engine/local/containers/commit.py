"""commit: a container's own layer and configuration become an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from composer.engine.local.containers import view
from composer.engine.local.containers.create import make_directory
from composer.engine.local.containers.parts import Parts
from composer.engine.local.containers.registry import Held
from composer.engine.local.image import changes as instructions
from composer.engine.local.image import reference
from composer.engine.local.image.imported import process_document
from composer.engine.local.image.record import config_bytes
from composer.engine.local.lifecycle import Phase


@dataclass(frozen=True)
class Wish:
    """``repo``: the new image's name, "" for none. ``changes``: Dockerfile instructions. ``pause``: it stands still meanwhile."""

    repo: str = ""
    comment: str = ""
    author: str = ""
    pause: bool = True
    changes: Sequence[str] = ()


async def commit(parts: Parts, held: Held, wish: Wish) -> str:
    """The image's id. InvalidArgument: a change or the name."""
    base = parts.images.resolve(held.record.image)
    process = instructions.apply(view.process_config(held.record), wish.changes)
    tags = [reference.parse(wish.repo)] if wish.repo else []
    async with held.lock:
        upper = parts.layout.container(held.id) / "upper"
        make_directory(upper.parent)
        upper.mkdir(exist_ok=True)
        frozen = wish.pause and held.run.phase is Phase.RUNNING
        bundle = parts.bundle(held)
        if frozen:
            await parts.runtime.pause(bundle)
        try:
            with parts.blobs.lease() as lease:
                layer = await parts.layers.commit(upper, base.chain_ids, lease, move=False)
                document = _document(base.config, process_document(process), layer.diff_id, held, wish)
                below = [row for chain_id in base.chain_ids if (row := parts.layers.get(chain_id)) is not None]
                record = await parts.images.put(config_bytes(document), [*below, layer], tags=tags, parent=base.id)
        finally:
            if frozen:
                await parts.runtime.unpause(bundle)
    parts.publish(held, "commit", {"comment": wish.comment})
    return record.id


def _document(base: Any, process: dict[str, Any], diff_id: str, held: Held, wish: Wish) -> dict[str, Any]:
    created = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    step = {"created": created, "created_by": " ".join(held.record.args), "comment": wish.comment, "author": wish.author}
    rootfs = base.get("rootfs") or {}
    for key in ("Hostname", "Domainname", "Image", "AttachStdin", "AttachStdout", "AttachStderr"):
        process.pop(key, None)
    return {
        **base,
        "created": created,
        "author": wish.author or base.get("author", ""),
        "config": process,
        "rootfs": {"type": "layers", "diff_ids": [*rootfs.get("diff_ids", []), diff_id]},
        "history": [*base.get("history", []), {key: value for key, value in step.items() if value}],
    }
