"""Manifests and indexes of OCI and of Docker (schema 2), and the choice of one by platform. Pure.

Sources: OCI image specification v1.1 (manifest.md, image-index.md), Docker image manifest v2 schema 2.
"""

from __future__ import annotations

import json
import platform as machine
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from composer.engine.errors import InvalidArgument, NotFound, Unsupported
from composer.engine.local.image import digest as digests

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
ACCEPTED = (OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST)
_MACHINES = {"x86_64": ("amd64", ""), "aarch64": ("arm64", "v8"), "armv7l": ("arm", "v7"), "armv6l": ("arm", "v6")} | {
    name: (name, "") for name in ("ppc64le", "s390x", "riscv64", "loong64")
}
_VARIANTS = {"arm64": "v8", "arm": "v7"}  # what is meant when none is said
_LAYERS_LIMIT = 500  # what overlayfs mounts at most


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob: what it is, its digest, its size in bytes."""

    media_type: str
    digest: str
    size: int
    platform: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.platform:
            found["platform"] = dict(self.platform)
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return found

    @classmethod
    def from_json(cls, document: object) -> Descriptor:
        data = _mapping(document, "descriptor")
        size = data.get("size")
        if not isinstance(size, int) or size < 0:
            raise InvalidArgument("invalid manifest: a descriptor without a size")
        media_type = str(data.get("mediaType", ""))
        platform, annotations = data.get("platform") or {}, data.get("annotations") or {}
        return cls(
            media_type, digests.check(data.get("digest")), size, _mapping(platform, "platform"), _mapping(annotations, "annotations")
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image: its configuration and its layers, lowest first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = OCI_MANIFEST

    def to_bytes(self) -> bytes:
        document = {
            "schemaVersion": 2,
            "mediaType": self.media_type,
            "config": self.config.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
        }
        return json.dumps(document, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Index:
    """Several images under one name, one a platform."""

    manifests: tuple[Descriptor, ...]


def parse(data: bytes, media_type: str = "") -> Manifest | Index:
    """Decode a manifest or an index. ``media_type`` is what the registry said; the document's own word comes first.

    Raises InvalidArgument, or Unsupported for schema 1.
    """
    document = _mapping(load_json(data, "manifest"), "manifest")
    kind = document.get("mediaType") or media_type.partition(";")[0].strip()
    if document.get("schemaVersion") == 1:
        raise Unsupported("the image has a manifest of Docker's schema 1, which is not supported", hint="push it again with a newer client")
    if "manifests" in document and kind not in (OCI_MANIFEST, DOCKER_MANIFEST):
        return Index(tuple(Descriptor.from_json(one) for one in _sequence(document["manifests"], "manifests")))
    if "config" not in document or "layers" not in document:
        raise InvalidArgument("invalid manifest: neither an image manifest nor an index")
    layers = tuple(Descriptor.from_json(one) for one in _sequence(document["layers"], "layers"))
    if len(layers) > _LAYERS_LIMIT:
        raise Unsupported(f"the image has {len(layers)} layers; at most {_LAYERS_LIMIT} can be mounted")
    return Manifest(Descriptor.from_json(document["config"]), layers, str(kind or OCI_MANIFEST))


def load_json(data: bytes, what: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"invalid {what}: it is not JSON") from error


@dataclass(frozen=True, slots=True)
class Platform:
    """ "os/architecture[/variant]"."""

    os: str = "linux"
    architecture: str = ""
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @classmethod
    def host(cls) -> Platform:
        architecture, variant = _MACHINES.get(machine.machine(), (machine.machine(), ""))
        return cls("linux", architecture, variant)

    @classmethod
    def parse(cls, text: str) -> Platform:
        """ "" is the host's. Raises InvalidArgument."""
        if not text:
            return cls.host()
        parts = text.lower().split("/")
        if len(parts) > 3 or not all(part.replace("_", "").replace("-", "").isalnum() for part in parts):
            raise InvalidArgument(f'"{text}" is an invalid platform', hint="write it as linux/amd64 or linux/arm64/v8")
        if len(parts) == 1:
            parts = ["linux", parts[0]]
        architecture, variant = _MACHINES.get(parts[1], (parts[1], _VARIANTS.get(parts[1], "")))
        return cls(parts[0], architecture, parts[2] if len(parts) == 3 else variant)


def choose(index: Index, wanted: Platform, name: str) -> Descriptor:
    """The manifest for the platform: its exact variant, else one without, else any of the architecture. NotFound with Docker's words."""
    fitting = [
        one
        for one in index.manifests
        if one.platform.get("os", "linux") == wanted.os and one.platform.get("architecture", wanted.architecture) == wanted.architecture
    ]
    for variant in (wanted.variant, ""):
        for one in fitting:
            if (one.platform.get("variant") or "") == variant:
                return one
    if not fitting:
        raise NotFound(f"no matching manifest for {wanted} in the manifest list entries: {name}")
    return fitting[0]


def _mapping(document: object, what: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise InvalidArgument(f"invalid manifest: {what} is not an object")
    return document


def _sequence(document: object, what: str) -> Sequence[Any]:
    if not isinstance(document, list):
        raise InvalidArgument(f"invalid manifest: {what} is not a list")
    return document
