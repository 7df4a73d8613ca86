"""Reading images out of a tar: a docker-archive (manifest.json) or an OCI image layout (index.json), compressed or not.

The tar is read once, as it comes: each large member becomes a blob at once, small ones (JSON) stay in memory; what they are is known
when the manifest, which may stand last, has been seen. Sources: Docker image specification v1.2 ("Combined Image JSON + Filesystem
Changeset Format"), OCI image specification (image-layout.md).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from composer.engine.errors import InvalidArgument
from composer.engine.local.archive import Entry, Kind, TarReader, plain
from composer.engine.local.image import digest as digests
from composer.engine.local.image import manifest as manifests
from composer.engine.local.image import reference as references
from composer.engine.local.image.blobs import Blobs, Lease
from composer.engine.local.image.manifest import Descriptor, Index, Manifest, Platform
from composer.engine.local.image.record import parse_config
from composer.engine.local.image.reference import Reference

_SMALL = 1 << 20  # members up to here are kept in memory until the manifest is known
_MEMORY = 64 << 20  # of all of them together
_CHUNK = 1 << 20
_NAME, _REF_NAME = "io.containerd.image.name", "org.opencontainers.image.ref.name"


@dataclass(frozen=True)
class Loaded:
    """One image of an archive: its blobs are in the store."""

    config: bytes
    layers: tuple[Descriptor, ...]
    tags: tuple[Reference, ...]
    manifest: Descriptor | None = None


@dataclass
class _Members:
    small: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, Descriptor] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)


def read_archive(source: BinaryIO, blobs: Blobs, lease: Lease, platform: Platform) -> list[Loaded]:
    """All images of the tar ``source`` (blocking). Raises InvalidArgument when it is neither of the two formats, or damaged."""
    reader, _ = plain(source)
    members = _collect(TarReader(reader), blobs, lease)
    archive = _Archive(members, blobs, lease)
    if "manifest.json" in members.small:
        return list(archive.docker())
    if "index.json" in members.small:
        return list(archive.layout(platform))
    raise InvalidArgument(
        "invalid archive: neither manifest.json (docker save) nor index.json (an OCI image layout) is in it",
        hint="a plain root file system is taken by `image import`",
    )


def _collect(tar: TarReader, blobs: Blobs, lease: Lease) -> _Members:
    members = _Members()
    held = 0
    for entry in tar:
        name = posixpath.normpath("/" + entry.name).strip("/")
        if entry.kind in (Kind.SYMLINK, Kind.HARDLINK):  # docker save of old wrote a layer once, and links to it
            base = posixpath.dirname(name) if entry.kind is Kind.SYMLINK else ""
            members.links[name] = posixpath.normpath(f"/{base}/{entry.link}").strip("/")
        elif entry.kind is Kind.FILE and entry.size <= _SMALL and held + entry.size <= _MEMORY:
            members.small[name] = tar.read()
            held += entry.size
        elif entry.kind is Kind.FILE:
            members.blobs[name] = _ingest(tar, entry, name, blobs, lease)
    return members


def _ingest(tar: TarReader, entry: Entry, name: str, blobs: Blobs, lease: Lease) -> Descriptor:
    known = f"sha256:{posixpath.basename(name)}" if name.startswith("blobs/sha256/") else ""
    with blobs.incoming() as blob:
        while chunk := tar.read(_CHUNK):
            blob.write(chunk)
        lease.add(blob.digest)
        return Descriptor("", blob.keep(known), entry.size)


class _Archive:
    """The members of an archive, read as images."""

    def __init__(self, members: _Members, blobs: Blobs, lease: Lease) -> None:
        self._members = members
        self._blobs = blobs
        self._lease = lease

    def docker(self) -> Iterator[Loaded]:
        document = manifests.load_json(self._members.small["manifest.json"], "manifest.json")
        if not isinstance(document, list):
            raise InvalidArgument("invalid archive: manifest.json is not a list")
        for one in document:
            if not isinstance(one, dict) or not isinstance(one.get("Config"), str) or not isinstance(one.get("Layers") or [], list):
                raise InvalidArgument("invalid archive: an image of manifest.json without Config or Layers")
            config = self._json(one["Config"])
            parse_config(config)
            layers = tuple(self._blob(str(name), manifests.OCI_LAYER) for name in one.get("Layers") or ())
            yield Loaded(config, layers, tuple(references.parse(str(tag)) for tag in one.get("RepoTags") or ()))

    def layout(self, platform: Platform) -> Iterator[Loaded]:
        top = manifests.parse(self._members.small["index.json"], manifests.OCI_INDEX)
        if not isinstance(top, Index):
            raise InvalidArgument("invalid archive: index.json is not an index")
        named: dict[str, tuple[Descriptor, list[Reference]]] = {}
        for one in top.manifests:
            named.setdefault(one.digest, (one, []))[1].extend(_names(one.annotations))
        for one, tags in named.values():
            parsed = manifests.parse(self._json(_path(one.digest)), one.media_type)
            if isinstance(parsed, Index):
                one = manifests.choose(parsed, platform, ", ".join(tag.familiar for tag in tags) or one.digest)
                parsed = manifests.parse(self._json(_path(one.digest)), one.media_type)
            if isinstance(parsed, Manifest):
                yield self._image(parsed, one, tags)

    def _image(self, parsed: Manifest, described: Descriptor, tags: list[Reference]) -> Loaded:
        config = self._json(_path(parsed.config.digest))
        parse_config(config)
        data = self._json(_path(described.digest))
        self._lease.add(digests.of(data))
        self._blobs.put(data)
        layers = tuple(self._blob(_path(layer.digest), layer.media_type) for layer in parsed.layers)
        return Loaded(config, layers, tuple(tags), Descriptor(parsed.media_type, digests.of(data), len(data)))

    def _resolve(self, name: str) -> str:
        name = posixpath.normpath("/" + name).strip("/")
        for _ in range(8):
            if name not in self._members.links:
                break
            name = self._members.links[name]
        return name

    def _json(self, name: str) -> bytes:
        name = self._resolve(name)
        data = self._members.small.get(name)
        if data is None and name in self._members.blobs:
            data = self._blobs.read(self._members.blobs[name].digest)
        if data is None:
            raise InvalidArgument(f"invalid archive: {name} is missing")
        if name.startswith("blobs/sha256/") and digests.hexadecimal(digests.of(data)) != posixpath.basename(name):
            raise InvalidArgument(f"invalid archive: the content of {name} has another digest")
        return data

    def _blob(self, name: str, media_type: str) -> Descriptor:
        """A layer's blob in the store; a small one is put there now."""
        resolved = self._resolve(name)
        if (found := self._members.blobs.get(resolved)) is not None:
            return Descriptor(media_type, found.digest, found.size)
        data = self._json(resolved)
        self._lease.add(digests.of(data))
        return Descriptor(media_type, self._blobs.put(data), len(data))


def _path(digest: str) -> str:
    return f"blobs/sha256/{digests.hexadecimal(digest)}"


def _names(annotations: Mapping[str, Any]) -> list[Reference]:
    """The names of an image in an OCI layout: containerd's whole name, else the reference name when it is more than a tag."""
    for key in (_NAME, _REF_NAME):
        text = str(annotations.get(key) or "")
        if text and (key == _NAME or ":" in text or "/" in text):
            return [references.parse(text)]
    return []
