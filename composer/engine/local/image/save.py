"""Writing images into one tar that both `docker load` (manifest.json) and OCI tools (index.json, oci-layout) read, each blob once.

Sources: Docker image specification v1.2, OCI image specification (image-layout.md); the shape is that of docker save since Docker 25.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, BinaryIO

from composer.engine.local.archive import Compression, Entry, Kind, TarWriter, detect
from composer.engine.local.image import digest as digests
from composer.engine.local.image import manifest as manifests
from composer.engine.local.image import reference as references
from composer.engine.local.image.blobs import Blobs
from composer.engine.local.image.manifest import Descriptor, Manifest
from composer.engine.local.image.record import ImageRecord

_CHUNK = 1 << 20
Wanted = tuple[ImageRecord, Sequence[str]]  # an image, and the canonical tags that it is saved under


def manifest_of(record: ImageRecord, blobs: Blobs) -> bytes:
    """The image's manifest: the one that it came with, or one made from what it is (the same each time)."""
    if record.manifest is not None and blobs.has(record.manifest.digest):
        return blobs.read(record.manifest.digest)
    config = Descriptor(manifests.OCI_CONFIG, record.id, blobs.path(record.id).stat().st_size)
    return Manifest(config, tuple(_typed(layer, blobs) for layer in record.layers)).to_bytes()


def _typed(layer: Descriptor, blobs: Blobs) -> Descriptor:
    with blobs.open(layer.digest) as file:
        kind = detect(file.read(6))
    suffix = f"+{kind.value}" if kind in (Compression.GZIP, Compression.ZSTD) else ""
    return Descriptor(manifests.OCI_LAYER + suffix, layer.digest, layer.size)


def write_archive(wanted: Sequence[Wanted], blobs: Blobs, sink: BinaryIO) -> None:
    """Blocking. Raises NotFound when a blob is missing."""
    tar = TarWriter(sink)
    for directory in ("blobs", "blobs/sha256"):
        tar.add(Entry(name=directory, kind=Kind.DIRECTORY, mode=0o755))
    written: set[str] = set()
    index: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    for record, tags in wanted:
        data = manifest_of(record, blobs)
        for digest in (record.id, *(layer.digest for layer in record.layers)):
            if digest not in written:
                written.add(digest)
                _copy(tar, digest, blobs)
        digest = digests.of(data)
        if digest not in written:
            written.add(digest)
            tar.add_bytes(_path(digest), data)
        index.extend(_described(data, digest, record, tags))
        images.append({"Config": _path(record.id), "RepoTags": _familiar(tags) or None, "Layers": [_path(x.digest) for x in record.layers]})
    tar.add_bytes("index.json", _json({"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": index}))
    tar.add_bytes("manifest.json", _json(images))
    tar.add_bytes("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    tar.close()


def _described(data: bytes, digest: str, record: ImageRecord, tags: Sequence[str]) -> list[dict[str, Any]]:
    kind = str(json.loads(data).get("mediaType") or manifests.OCI_MANIFEST)
    platform = {"architecture": record.architecture, "os": record.os} | ({"variant": record.variant} if record.variant else {})
    base = Descriptor(kind, digest, len(data), platform)
    named = [
        Descriptor(kind, digest, len(data), platform, {"io.containerd.image.name": tag, "org.opencontainers.image.ref.name": name.tag})
        for tag, name in ((tag, references.parse(tag)) for tag in tags)
    ]
    return [one.to_json() for one in named or [base]]


def _copy(tar: TarWriter, digest: str, blobs: Blobs) -> None:
    with blobs.open(digest) as file:
        tar.add(Entry(name=_path(digest), size=blobs.path(digest).stat().st_size))
        while chunk := file.read(_CHUNK):
            tar.write(chunk)


def _path(digest: str) -> str:
    return f"blobs/sha256/{digests.hexadecimal(digest)}"


def _familiar(tags: Sequence[str]) -> list[str]:
    return [references.parse(tag).familiar for tag in tags]


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
