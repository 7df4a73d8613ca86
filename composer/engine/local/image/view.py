"""An image as Docker's API shows it: inspect, list, history. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from composer.engine.local.image import reference as references
from composer.engine.local.image.record import ImageRecord
from composer.engine.model import GraphDriver, HistoryItem, Image, ImageMetadata, ImageSummary, RootFS


def seconds(moment: str) -> int:
    """Seconds since 1970 of an RFC 3339 time; 0 for what is none (an image may say anything)."""
    try:
        return max(0, int(datetime.fromisoformat(moment).timestamp()))
    except (ValueError, OverflowError):
        return 0


def familiar(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(references.parse(name).familiar for name in names)


def inspected(record: ImageRecord, paths: Sequence[Path]) -> Image:
    """``paths``: the layers' directories, topmost first."""
    config = record.config
    history = config.get("history") or [{}]
    last = history[-1] if isinstance(history[-1], dict) else {}
    data = {"UpperDir": str(paths[0]), "LowerDir": ":".join(map(str, paths[1:]))} if paths else {}
    return Image(
        id=record.id,
        repo_tags=familiar(record.tags),
        repo_digests=familiar(record.digests),
        parent=record.parent,
        comment=str(last.get("comment") or ""),
        created=record.created,
        docker_version=str(config.get("docker_version") or ""),
        author=str(config.get("author") or ""),
        config=record.process,
        architecture=record.architecture,
        variant=record.variant,
        os=record.os,
        size=record.size,
        graph_driver=GraphDriver(data={key: value for key, value in data.items() if value}),
        root_fs=RootFS(layers=record.diff_ids),
        metadata=ImageMetadata(last_tag_time=record.tagged_at),
    )


def summary(record: ImageRecord, containers: int) -> ImageSummary:
    return ImageSummary(
        id=record.id,
        parent_id=record.parent,
        repo_tags=familiar(record.tags),
        repo_digests=familiar(record.digests),
        created=seconds(record.created),
        size=record.size,
        labels=record.process.labels,
        containers=containers,
    )


def history(record: ImageRecord, sizes: Mapping[str, int]) -> list[HistoryItem]:
    """Newest first. ``sizes``: bytes of each layer, by chain id."""
    items: list[HistoryItem] = []
    chain = iter(record.chain_ids)
    steps = [step for step in record.config.get("history") or [] if isinstance(step, dict)]
    if not steps:  # an image without a history still has layers
        steps = [{"created": record.created} for _ in record.chain_ids]
    for step in steps:
        size = 0 if step.get("empty_layer") else sizes.get(next(chain, ""), 0)
        items.append(
            HistoryItem(
                created=seconds(str(step.get("created") or "")),
                created_by=str(step.get("created_by") or ""),
                size=size,
                comment=str(step.get("comment") or ""),
            )
        )
    items.reverse()
    if items:
        items[0] = items[0].replace(id=record.id, tags=familiar(record.tags))
    return items
