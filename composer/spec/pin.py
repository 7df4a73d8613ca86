"""Image names pinned to digests: `config --resolve-image-digests` and `--lock-image-digests`. Pure: digests come in from outside.

Source: the reference grammar of github.com/distribution/reference; what is printed is docker compose's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from composer.spec.model import Stack

_HUB = "docker.io"


def full_name(image: str) -> str:
    """An image's name with all that is implied: `busybox` is `docker.io/library/busybox:latest`. A tag beside a digest goes."""
    name, at, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        first, rest = _HUB, name
    elif first == "index.docker.io":
        first = _HUB
    if first == _HUB and "/" not in rest:
        rest = f"library/{rest}"
    path, colon, tag = rest.rpartition(":")
    path, tag = (path, tag) if colon else (rest, "latest")
    return f"{first}/{path}@{digest}" if at else f"{first}/{path}:{tag}"


def unpinned(images: Iterable[str], digests: Mapping[str, str]) -> tuple[str, ...]:
    """The full names of those that have no digest, neither written nor in `digests`."""
    names = dict.fromkeys(full_name(image) for image in images if image)
    return tuple(name for name in names if "@" not in name and name not in digests)


def pinned(image: str, digests: Mapping[str, str]) -> str:
    """The full name with its digest."""
    name = full_name(image)
    return name if "@" in name else f"{name}@{digests[name]}"


def with_digests(stack: Stack, digests: Mapping[str, str]) -> Stack:
    """The stack with every image pinned; services without an image, which are built, stay as they are."""
    services = {
        name: service.model_copy(update={"image": pinned(service.image, digests)}) if service.image else service
        for name, service in stack.services.items()
    }
    return stack.model_copy(update={"services": services})
