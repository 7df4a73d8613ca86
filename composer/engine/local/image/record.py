"""What the engine remembers of an image: its configuration, its layers, its names. Values and their row; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from composer.engine.errors import InvalidArgument
from composer.engine.local.image import digest as digests
from composer.engine.local.image.manifest import Descriptor, load_json
from composer.engine.model import ZERO_TIME, ProcessConfig


@dataclass(frozen=True)
class ImageRecord:
    """An image. ``id`` is the digest of its configuration; ``config`` that configuration, decoded (OCI image specification, config.md).

    ``layers``: the blobs as they are stored, lowest first. ``tags`` and ``digests``: canonical references ("docker.io/library/bb:latest",
    "docker.io/library/bb@sha256:..."). ``size``: bytes of the unpacked files. ``manifest``: the manifest it was pulled by, or None.
    ``removed``: its names and itself are gone for users, but a container still stands on its layers.
    """

    id: str
    config: Mapping[str, Any]
    layers: tuple[Descriptor, ...] = ()
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    size: int = 0
    manifest: Descriptor | None = None
    tagged_at: str = ZERO_TIME
    parent: str = ""
    removed: bool = False

    @cached_property
    def process(self) -> ProcessConfig:
        return ProcessConfig.from_wire(self.config.get("config") or {})

    @cached_property
    def diff_ids(self) -> tuple[str, ...]:
        return tuple(digests.check(one) for one in (self.config.get("rootfs") or {}).get("diff_ids") or ())

    @cached_property
    def chain_ids(self) -> tuple[str, ...]:
        return digests.chain(self.diff_ids)

    @property
    def created(self) -> str:
        return str(self.config.get("created") or ZERO_TIME)

    @property
    def architecture(self) -> str:
        return str(self.config.get("architecture") or "")

    @property
    def variant(self) -> str:
        return str(self.config.get("variant") or "")

    @property
    def os(self) -> str:
        return str(self.config.get("os") or "linux")

    @property
    def blobs(self) -> tuple[str, ...]:
        """The digests of all blobs that it needs."""
        manifest = (self.manifest.digest,) if self.manifest else ()
        return (self.id, *(layer.digest for layer in self.layers), *manifest)

    def named(self, tags: Sequence[str], references: Sequence[str]) -> ImageRecord:
        return replace(self, tags=tuple(sorted(set(tags))), digests=tuple(sorted(set(references))))


def parse_config(data: bytes) -> dict[str, Any]:
    """Decode an image configuration and check what the engine relies on. Raises InvalidArgument."""
    document = load_json(data, "image configuration")
    if not isinstance(document, dict) or not isinstance(document.get("rootfs"), dict):
        raise InvalidArgument("invalid image configuration: no rootfs")
    diff_ids = document["rootfs"].get("diff_ids")
    if not isinstance(diff_ids, list | None):
        raise InvalidArgument("invalid image configuration: rootfs.diff_ids is not a list")
    for one in diff_ids or ():
        digests.check(one)
    if not isinstance(document.get("config"), dict | None) or not isinstance(document.get("history"), list | None):
        raise InvalidArgument("invalid image configuration: config or history has the wrong type")
    ProcessConfig.from_wire(document.get("config") or {})
    return document


def to_row(record: ImageRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "config": dict(record.config),
        "layers": [layer.to_json() for layer in record.layers],
        "tags": list(record.tags),
        "digests": list(record.digests),
        "size": record.size,
        "manifest": record.manifest.to_json() if record.manifest else None,
        "tagged_at": record.tagged_at,
        "parent": record.parent,
        "removed": record.removed,
    }


def from_row(row: dict[str, Any]) -> ImageRecord:
    return ImageRecord(
        id=row["id"],
        config=row["config"],
        layers=tuple(Descriptor.from_json(one) for one in row["layers"]),
        tags=tuple(row["tags"]),
        digests=tuple(row["digests"]),
        size=row["size"],
        manifest=Descriptor.from_json(row["manifest"]) if row["manifest"] else None,
        tagged_at=row["tagged_at"],
        parent=row["parent"],
        removed=row["removed"],
    )


def config_bytes(config: Mapping[str, Any]) -> bytes:
    """The configuration as bytes, the same for the same content."""
    return json.dumps(config, separators=(",", ":"), sort_keys=True).encode()
