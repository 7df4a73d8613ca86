"""The images of a stack's services: which are there, which must be pulled or built, and doing it before anything else is touched.

Source: Compose Specification, `pull_policy` and `build`; build.go and pull.go of docker compose 2.40.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from composer.engine.errors import EngineError, NotFound
from composer.engine.interface import Engine
from composer.engine.model import Image
from composer.errors import ComposerError
from composer.reconcile.build import build_order, build_service
from composer.reconcile.model import Progress
from composer.reconcile.render import image_of
from composer.spec.model import Service, Stack

T = TypeVar("T")

_AT_ONCE = 4
_EVERY = re.compile(r"(?:every_)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_PERIODS = {"daily": timedelta(days=1), "weekly": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """``pull``: stronger than the services' own pull_policy ("", always, missing, never, build). ``build``: build all that can be."""

    pull: str = ""
    build: bool = False
    no_build: bool = False
    no_cache: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done for one service: verb pull or build; ``needed``: it fails when that fails."""

    verb: str
    service: Service
    image: str
    cause: str
    needed: bool = True


async def local_images(engine: Engine, stack: Stack, services: Collection[str]) -> dict[str, Image | None]:
    """Image name -> the image, None when it is not here."""
    names = {image_of(stack, stack.services[name]) for name in services}

    async def look(name: str) -> Image | None:
        try:
            return await engine.images.inspect(name)
        except NotFound:
            return None

    ordered = sorted(names)
    return dict(zip(ordered, await asyncio.gather(*(look(name) for name in ordered)), strict=True))


def image_work(stack: Stack, services: Collection[str], here: Mapping[str, Image | None], policy: ImagePolicy, now: datetime) -> list[Work]:
    """What must be pulled or built, by service. Raises ComposerError for a pull policy that is not known."""
    found: list[Work] = []
    for name in sorted(services):
        service = stack.services[name]
        if service.provider is None:
            work = _work(service, image_of(stack, service), here, policy, now)
            if work is not None:
                found.append(work)
    return _built_once(stack, found)


def _built_once(stack: Stack, found: list[Work]) -> list[Work]:
    """An image that one service builds is not pulled for another that only names it: it is built, by the first."""
    builders: dict[str, Service] = {}
    for service in stack.services.values():
        if service.build is not None:
            builders.setdefault(image_of(stack, service), service)
    building = {work.image for work in found if work.verb == "build"}
    kept: list[Work] = []
    for work in found:
        if work.verb == "pull" and work.service.build is None and work.image in builders:
            if work.image in building:
                continue
            building.add(work.image)
            work = Work("build", builders[work.image], work.image, f"{work.service.name} needs it, and it is not here")
        kept.append(work)
    return kept


def _work(service: Service, image: str, here: Mapping[str, Image | None], policy: ImagePolicy, now: datetime) -> Work | None:
    wish = policy.pull or service.pull_policy or "missing"
    there = here.get(image)
    if service.build is not None and not policy.no_build:
        if policy.build or wish == "build":
            return Work("build", service, image, "a build is asked for")
        if there is None and wish != "always":
            return Work("build", service, image, "it is not here")
    if wish == "never":
        return None
    if wish == "always":
        return Work("pull", service, image, "pull_policy is always", needed=service.build is None)
    if wish in ("missing", "if_not_present", "build", "policy"):
        return Work("pull", service, image, "it is not here") if there is None else None
    period = refresh_period(wish, service)
    if there is None:
        return Work("pull", service, image, "it is not here")
    if now - _time(there.metadata.last_tag_time) > period:
        return Work("pull", service, image, f"it is older than pull_policy {wish} allows", needed=False)
    return None


def refresh_period(wish: str, service: Service) -> timedelta:
    """daily, weekly, every_<duration>. Raises ComposerError for anything else."""
    text = service.pull_refresh_after if wish == "refresh" else wish
    match = _EVERY.fullmatch(text)
    if text in _PERIODS:
        return _PERIODS[text]
    if match is None or not any(match.groups()):
        raise ComposerError(
            f'service "{service.name}": unknown pull_policy {wish!r}', hint="always, missing, never, build, daily, weekly or every_12h"
        )
    weeks, days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


async def provide(
    engine: Engine, stack: Stack, work: Collection[Work], report: Callable[[Progress], None], policy: ImagePolicy
) -> dict[str, str]:
    """Pull, then build, what `image_work` found. Image name -> id of what was built or pulled. Raises the first engine's error."""
    pulls = {item.image: item for item in work if item.verb == "pull"}
    builds = {item.service.name: item for item in work if item.verb == "build"}
    slots = asyncio.Semaphore(_AT_ONCE)

    async def fetch(item: Work) -> Work | None:
        async with slots:
            return await _pull(engine, item, report)

    failed = await _together(fetch(item) for item in pulls.values())
    for item in failed:
        if item is not None:  # an image that may be built instead
            builds[item.service.name] = item
    for wave in build_order(stack, builds):
        await _together(build_service(engine, stack, stack.services[name], report, no_cache=policy.no_cache, slots=slots) for name in wave)
    found: dict[str, str] = {}
    for name in sorted({item.image for item in work}):
        try:
            found[name] = (await engine.images.inspect(name)).id
        except NotFound:
            continue  # told when a container is to be made from it
    return found


async def _together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All of them to their end; then the first failure, if there is one."""
    results = await asyncio.gather(*work, return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done


async def _pull(engine: Engine, item: Work, report: Callable[[Progress], None]) -> Work | None:
    """None when it is here; the item when it has to be built instead. Raises EngineError."""
    name = item.service.name
    report(Progress(name, "Pulling"))
    try:
        async for line in engine.images.pull(item.image, platform=item.service.platform):
            if line.status and line.id:
                report(Progress(f"{name} {line.id}", line.status))
    except EngineError as error:
        if item.needed:
            report(Progress(name, "Error", done=True, error=True, detail=error.message))
            raise
        if item.service.build is not None:
            report(Progress(name, "Warning", done=True, detail=error.message))
            return item
        report(Progress(name, "Warning", done=True, detail=f"{error.message}; the image that is here is used"))
        return None
    report(Progress(name, "Pulled", done=True))
    return None
