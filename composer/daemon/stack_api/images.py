"""`pull`, `push`, `build`: the images of a stack's services."""

from __future__ import annotations

import asyncio
from typing import Any

from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.stacks import Stacks
from composer.engine.errors import EngineError, NotFound
from composer.errors import ComposerError
from composer.reconcile.build import build_order, build_service, with_build_needs
from composer.reconcile.check import check_names
from composer.reconcile.model import Policy, Progress
from composer.reconcile.order import selected, services_of
from composer.reconcile.render import image_of
from composer.spec.model import Stack

Line = dict[str, Any]

_AT_ONCE = 4


async def _chosen(stacks: Stacks, call: Call, *, deps: bool) -> tuple[Stack, list[str]]:
    loaded = await stacks.load(call)
    names = call.options.names("services")
    stack, want = loaded.with_services(names)
    check_names(names, stack.services)
    policy = Policy(services=frozenset(names) if names else None, no_deps=not deps)
    return stack, [service.ref.name for service in selected(services_of(want), policy)]


async def build(stacks: Stacks, call: Call) -> Line:
    """``services``, ``no_cache``, ``pull``, ``with_dependencies``, ``push``, ``build_arg`` ({NAME: value})."""
    stack, names = await _chosen(stacks, call, deps=call.options.flag("with_dependencies"))
    args = call.options.strings("build_arg")
    wanted = [name for name in with_build_needs(stack, names) if stack.services[name].build is not None]
    if not wanted:
        call.warn("No services to build")
    slots = asyncio.Semaphore(_AT_ONCE)
    flags = {"no_cache": call.options.flag("no_cache"), "pull": call.options.flag("pull")}
    if args:
        stack = _with_args(stack, wanted, args)
    for wave in build_order(stack, wanted):
        work = (build_service(stacks.engine, stack, stack.services[name], call.progress, slots=slots, **flags) for name in wave)
        for outcome in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
    if call.options.flag("push"):
        await _push(stacks, call, stack, wanted)
    return {"project": stack.name, "images": [image_of(stack, stack.services[name]) for name in wanted]}


def _with_args(stack: Stack, names: list[str], args: dict[str, str]) -> Stack:
    services = dict(stack.services)
    for name in names:
        build_ = services[name].build
        if build_ is not None:
            changed = build_.model_copy(update={"args": {**build_.args, **args}})
            services[name] = services[name].model_copy(update={"build": changed})
    return stack.model_copy(update={"services": services})


async def pull(stacks: Stacks, call: Call) -> Line:
    """``services``, ``include_deps``, ``ignore_buildable``, ``ignore_pull_failures``, ``policy`` (missing, always)."""
    stack, names = await _chosen(stacks, call, deps=call.options.flag("include_deps"))
    missing_only = call.options.text("policy") == "missing"
    failed: list[EngineError] = []
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str) -> None:
        service = stack.services[name]
        image = image_of(stack, service)
        if service.build is not None and (call.options.flag("ignore_buildable") or not service.image):
            call.progress(Progress(name, "Skipped - No image to be pulled", done=True))
            return
        if missing_only and await _is_here(stacks, image):
            call.progress(Progress(name, "Skipped - Image is already present locally", done=True))
            return
        async with slots:
            call.progress(Progress(name, "Pulling"))
            try:
                async for line in stacks.engine.images.pull(image, platform=service.platform):
                    if line.status and line.id:
                        call.progress(Progress(f"{name} {line.id}", line.status))
            except EngineError as error:
                buildable = service.build is not None
                call.progress(Progress(name, "Warning" if buildable else "Error", done=True, error=not buildable, detail=error.message))
                if not buildable:
                    failed.append(error)
                return
            call.progress(Progress(name, "Pulled", done=True))

    await asyncio.gather(*(one(name) for name in names))
    if failed and not call.options.flag("ignore_pull_failures"):
        raise failed[0]
    return {"project": stack.name}


async def _is_here(stacks: Stacks, image: str) -> bool:
    try:
        await stacks.engine.images.inspect(image)
    except NotFound:
        return False
    return True


async def push(stacks: Stacks, call: Call) -> Line:
    """``services``, ``include_deps``, ``ignore_push_failures``: the images of those that are built."""
    stack, names = await _chosen(stacks, call, deps=call.options.flag("include_deps"))
    await _push(stacks, call, stack, [name for name in names if stack.services[name].build is not None])
    return {"project": stack.name}


async def _push(stacks: Stacks, call: Call, stack: Stack, names: list[str]) -> None:
    for name in names:
        service = stack.services[name]
        if not service.image:
            call.progress(Progress(name, "Skipped - No image to be pushed", done=True))
            continue
        call.progress(Progress(name, "Pushing"))
        try:
            async for line in stacks.engine.images.push(service.image):
                if line.status and line.id:
                    call.progress(Progress(f"{name} {line.id}", line.status))
        except ComposerError as error:
            call.progress(Progress(name, "Error", done=True, error=True, detail=error.message))
            if not call.options.flag("ignore_push_failures"):
                raise
            continue
        call.progress(Progress(name, "Pushed", done=True))
