"""Building the images of services that have `build`, those whose image another build starts from first.

Source: Compose Build Specification; additional_contexts "service:x" makes x's image a context of another.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection

from composer.engine.errors import EngineError, InvalidArgument, Unsupported
from composer.engine.interface import Engine
from composer.engine.model import BuildConfig
from composer.errors import ComposerError
from composer.reconcile import labels
from composer.reconcile.model import Progress
from composer.reconcile.order import sorted_by_need
from composer.reconcile.render import image_of
from composer.spec.model import Build, Service, Stack

_SERVICE = "service:"
_REMOTE = ("http://", "https://", "git://", "ssh://", "git@", "github.com/")


def build_needs(service: Service) -> list[str]:
    """The services whose image its build starts from."""
    if service.build is None:
        return []
    return [context.removeprefix(_SERVICE) for context in service.build.additional_contexts.values() if context.startswith(_SERVICE)]


def build_order(stack: Stack, names: Collection[str]) -> list[list[str]]:
    """Waves: the services of one can be built at the same time."""
    needs = {name: [need for need in build_needs(stack.services[name]) if need in names] for name in names}
    waves: list[list[str]] = []
    depth: dict[str, int] = {}
    for name in sorted_by_need(needs):
        depth[name] = max((depth.get(need, -1) + 1 for need in needs[name]), default=0)
        while len(waves) <= depth[name]:
            waves.append([])
        waves[depth[name]].append(name)
    return waves


def with_build_needs(stack: Stack, names: Collection[str]) -> list[str]:
    """These, and the services that their builds start from."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and name in stack.services:
            found[name] = None
            waiting.extend(build_needs(stack.services[name]))
    return sorted(found)


def build_config(stack: Stack, service: Service, *, no_cache: bool = False, pull: bool = False) -> BuildConfig:
    """What the engine is asked to build. Raises Unsupported for remote contexts and ssh."""
    build = service.build
    if build is None:
        raise InvalidArgument(f'service "{service.name}" has no build')
    if build.context.startswith(_REMOTE):
        raise Unsupported(f'service "{service.name}": a remote build context ({build.context}) is not supported', hint="clone it first")
    if build.ssh:
        raise Unsupported(f'service "{service.name}": build.ssh is not supported', hint="use build.secrets")
    image = image_of(stack, service)
    own = {labels.PROJECT: stack.name, labels.SERVICE: service.name}
    return BuildConfig(
        context=build.context,
        dockerfile=build.dockerfile or "Dockerfile",
        dockerfile_inline=build.dockerfile_inline,
        tags=tuple(dict.fromkeys((image, *build.tags))),
        args=dict(build.args),
        target=build.target,
        labels={**build.labels, **own},
        additional_contexts={name: _context(stack, context) for name, context in build.additional_contexts.items()},
        secrets=_secrets(stack, service, build),
        no_cache=no_cache or build.no_cache,
        pull=pull or build.pull,
        network=build.network,
        shm_size=build.shm_size,
        extra_hosts=tuple(":".join(host.split("=", 1)) for host in build.extra_hosts),
        ulimits={name: (limit.soft, limit.hard) for name, limit in build.ulimits.items()},
        platform=service.platform or (build.platforms[0] if build.platforms else ""),
        privileged=build.privileged,
        cache_from=tuple(build.cache_from),
    )


def _context(stack: Stack, context: str) -> str:
    if not context.startswith(_SERVICE):
        return context
    name = context.removeprefix(_SERVICE)
    service = stack.services.get(name) or stack.disabled_services.get(name)
    if service is None:
        raise ComposerError(f"no such service: {name}", code="no-such-service")
    return f"docker-image://{image_of(stack, service)}"


def _secrets(stack: Stack, service: Service, build: Build) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for grant in build.secrets:
        secret = stack.secrets[grant.source]
        if secret.data is None:
            raise ComposerError(secret.problem or f'secret "{grant.source}" of the build of "{service.name}" has no content')
        found[os.path.basename(grant.target or grant.source)] = secret.data
    return found


async def build_service(
    engine: Engine,
    stack: Stack,
    service: Service,
    report: Callable[[Progress], None],
    *,
    no_cache: bool = False,
    pull: bool = False,
    slots: asyncio.Semaphore,
) -> str:
    """Build one image; its id. Its output is reported line by line as detail of "Building". Raises the engine's error."""
    image = image_of(stack, service)
    async with slots:
        report(Progress(image, "Building"))
        ident = ""
        try:
            async for line in engine.images.build(build_config(stack, service, no_cache=no_cache, pull=pull)):
                if line.stream.strip():
                    report(Progress(image, "Building", detail=line.stream.rstrip("\n")))
                ident = str((line.aux or {}).get("ID", ident))
        except EngineError as error:
            report(Progress(image, "Error", done=True, error=True, detail=error.message))
            raise
    report(Progress(image, "Built", done=True))
    return ident
