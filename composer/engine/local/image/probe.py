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
_PATIENCE = 3.0  # seconds for each step of an answer: who is slower is asked again by the pull, which has more
_STEPS = 3  # to connect, to agree on TLS, to answer


async def probe(images: Iterable[tuple[str, str]], patience: float = _PATIENCE) -> dict[str, ImageFact]:
    """Reference -> what its registry says. Never raises for what a registry does; ends after ``patience`` seconds for each step."""
    slots = asyncio.Semaphore(_AT_ONCE)
    asked = list(dict.fromkeys(name for name, _ in images))
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(_patiently(name, slots, patience)) for name in asked}
    return {name: task.result() for name, task in tasks.items()}


async def _patiently(name: str, slots: asyncio.Semaphore, patience: float) -> ImageFact:
    try:
        async with asyncio.timeout(patience * _STEPS * 2), slots:  # an address of this machine is tried by https and by http
            return await _ask(name, patience)
    except TimeoutError:
        return ImageFact(SLOW, f"no answer within {patience * _STEPS * 2:g} seconds")


async def _ask(name: str, patience: float) -> ImageFact:
    try:
        wanted = references.parse(name).with_default_tag()
    except EngineError as error:
        return ImageFact(ABSENT, error.message)
    try:
        return await _head(wanted, patience)
    except (RegistryProblem, Unauthorized) as error:
        return _verdict(translated(error, wanted.familiar_name, wanted.familiar))
    except Unavailable as error:
        return ImageFact(SLOW if "timed out" in error.message else UNREACHABLE, error.message)
    except EngineError as error:
        return ImageFact(SLOW, error.message)


async def _head(wanted: Reference, patience: float) -> ImageFact:
    async with Registry(wanted.domain, patience=patience) as registry:
        url = registry.url(f"{wanted.path}/manifests/{wanted.digest or wanted.tag}")
        headers = {"Accept": ", ".join(manifests.ACCEPTED)}
        await registry.request("HEAD", url, scope=f"repository:{wanted.path}:pull", headers=headers)
    return ImageFact(FOUND)


def _verdict(error: EngineError) -> ImageFact:
    if not isinstance(error, NotFound):  # the registry is in trouble: the pull tries again, with more patience
        return ImageFact(SLOW, error.message)
    return ImageFact(DENIED if "access denied" in error.message else ABSENT, error.message)
