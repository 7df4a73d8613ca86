"""Asking a registry whether it has an image, without fetching anything: HEAD of the manifest, as dockerd begins a pull.

Source: OCI distribution specification v1.1, "Checking if content exists in the registry".
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from composer.engine.errors import EngineError, NotFound, Unauthorized, Unavailable
from composer.engine.local.image import manifest as manifests
from composer.engine.local.image import reference as references
from composer.engine.local.image.reference import Reference
from composer.engine.local.image.registry import Registry, RegistryProblem, translated
from composer.engine.model.facts import ABSENT, DENIED, FOUND, SLOW, UNREACHABLE, ImageFact

_AT_ONCE = 8
_PATIENCE = 6.0  # seconds for all of them: who is slower is asked again by the pull, which has more


async def probe(images: Iterable[tuple[str, str]]) -> dict[str, ImageFact]:
    """Reference -> what its registry says. Never raises for what a registry does; ends within `_PATIENCE` seconds."""
    slots = asyncio.Semaphore(_AT_ONCE)
    asked = list(dict.fromkeys(name for name, _ in images))
    try:
        async with asyncio.timeout(_PATIENCE + 1), asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(_patiently(name, slots)) for name in asked}
    except TimeoutError:  # each has its own limit, so only a blocked loop comes here
        return {name: ImageFact(SLOW) for name in asked}
    return {name: task.result() for name, task in tasks.items()}


async def _patiently(name: str, slots: asyncio.Semaphore) -> ImageFact:
    try:
        async with asyncio.timeout(_PATIENCE), slots:
            return await _ask(name)
    except TimeoutError:
        return ImageFact(SLOW, f"no answer within {_PATIENCE:.0f} seconds")


async def _ask(name: str) -> ImageFact:
    try:
        wanted = references.parse(name).with_default_tag()
    except EngineError as error:
        return ImageFact(ABSENT, error.message)
    try:
        return await _head(wanted)
    except (RegistryProblem, Unauthorized) as error:
        return _verdict(translated(error, wanted.familiar_name, wanted.familiar))
    except Unavailable as error:
        return ImageFact(UNREACHABLE, error.message)
    except EngineError as error:
        return ImageFact(SLOW, error.message)


async def _head(wanted: Reference) -> ImageFact:
    async with Registry(wanted.domain) as registry:
        url = registry.url(f"{wanted.path}/manifests/{wanted.digest or wanted.tag}")
        headers = {"Accept": ", ".join(manifests.ACCEPTED)}
        await registry.request("HEAD", url, scope=f"repository:{wanted.path}:pull", headers=headers)
    return ImageFact(FOUND)


def _verdict(error: EngineError) -> ImageFact:
    if not isinstance(error, NotFound):  # the registry is in trouble: the pull tries again, with more patience
        return ImageFact(SLOW, error.message)
    return ImageFact(DENIED if "access denied" in error.message else ABSENT, error.message)
