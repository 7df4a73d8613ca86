"""An image made of one root file system tar. `config` and `with_layer` are pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, BinaryIO

from composer.engine.local.archive import plain
from composer.engine.local.image import changes as instructions
from composer.engine.local.image.blobs import Blobs, Lease
from composer.engine.local.image.manifest import OCI_LAYER, Descriptor, Platform
from composer.engine.local.image.record import config_bytes
from composer.engine.model import ProcessConfig


def config(changes: Sequence[str], comment: str, platform: Platform, now: datetime) -> dict[str, Any]:
    """An image configuration without its layer. Raises InvalidArgument for a change that is none."""
    process = instructions.apply(ProcessConfig(), changes)
    created = now.isoformat().replace("+00:00", "Z")
    document: dict[str, Any] = {
        "architecture": platform.architecture,
        "os": platform.os,
        "created": created,
        "config": process_document(process),
        "history": [{"created": created, "comment": comment}],
    }
    return document | ({"variant": platform.variant} if platform.variant else {})


def process_document(process: ProcessConfig) -> dict[str, Any]:
    """The configuration's ``config`` object: only what is set, as image configurations have it."""
    return {key: value for key, value in process.to_wire().items() if value not in (None, "", [], {}, False, 0)}


def with_layer(document: dict[str, Any], diff_id: str) -> bytes:
    return config_bytes({**document, "rootfs": {"type": "layers", "diff_ids": [diff_id]}})


def ingest(source: BinaryIO, blobs: Blobs, lease: Lease) -> Descriptor:
    """The tar, decompressed, as a blob (blocking); InvalidArgument when it is damaged."""
    reader, _ = plain(source)
    with blobs.incoming() as blob:
        while chunk := reader.read(1 << 20):
            blob.write(chunk)
        lease.add(blob.digest)
        return Descriptor(OCI_LAYER, blob.keep(), blob.size)
