"""`down`: containers, networks, and what else is asked for (volumes, images) of a stack go; what is external stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from composer.daemon.stack_api.applying import apply, raise_first
from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.providers import told
from composer.daemon.stack_api.stacks import Stacks
from composer.daemon.stack_api.subject import Subject, subject
from composer.engine.errors import Conflict, EngineError, InvalidArgument, NotFound, Unavailable
from composer.reconcile.model import Progress
from composer.reconcile.operate import Going, of_project, plan_down
from composer.reconcile.render import image_of

Line = dict[str, Any]


async def down(stacks: Stacks, call: Call) -> Line:
    """``volumes``, ``rmi`` (local, all), ``remove_orphans``, ``timeout``, ``services``."""
    rmi = call.options.text("rmi")
    if rmi not in ("", "local", "all"):
        raise InvalidArgument(f"invalid value for --rmi: {rmi!r}", hint="local or all")
    about = await subject(stacks, call)
    async with stacks.turns.take(about.name, "down", blocked=call.blocked):
        await _forget(stacks, call, about)
        if stacks.jobs is not None:
            await stacks.jobs.stop_all(about.name, about.services if about.named else None)
        have = await about.look(stacks)
        plan = plan_down(about.name, have, _going(about, call))
        outcomes = await apply(stacks.engine, call, about.name, plan, about.want, have)
        if rmi:
            await _remove_images(stacks, call, about, rmi)
        raise_first(outcomes)
        if not about.named and not of_project(about.name, await about.look(stacks), "container"):
            await _forgotten(stacks, call, about.name)
    providers = _providers(about)
    if not plan and not rmi and not providers:
        call.warn(f"No resource found to remove for project {about.name!r}.")
    return {"project": about.name, "changed": bool(plan), "providers": providers}


def _providers(about: Subject) -> list[Line]:
    """What the client has to take down itself, those first that need others."""
    if about.loaded is None:
        return []
    stack = about.loaded.stack
    return told(stack, [name for name in stack.services if about.services is None or name in about.services])[::-1]


def _going(about: Subject, call: Call) -> Going:
    loaded = about.loaded
    stack = loaded.stack if loaded is not None else None
    return Going(
        services=about.services if about.named else None,
        known=frozenset({*stack.services, *stack.disabled_services}) if stack is not None else None,
        enabled=frozenset(stack.services) if stack is not None else None,
        orphans=call.options.flag("remove_orphans"),
        volumes=call.options.flag("volumes"),
        timeout=call.options.number("timeout"),
    )


async def _forget(stacks: Stacks, call: Call, about: Subject) -> None:
    """Nothing of it is to be looked after any more, said before the first container goes."""
    row = stacks.store.row(about.name)
    if not stacks.store.known(about.name):
        return
    left = {name: wish for name, wish in row.intent.items() if about.services is not None and name not in about.services}
    await stacks.mean(call, replace(row, intent=left))


async def _forgotten(stacks: Stacks, call: Call, name: str) -> None:
    try:
        await stacks.revisions.forget(name)
        await stacks.store.forget(name)
        await stacks.isolation.forget(name)
    except Unavailable as error:
        call.warn(f"{error.message}; the stack is down, but its files are still remembered: run `down` again when there is room")


async def _remove_images(stacks: Stacks, call: Call, about: Subject, rmi: str) -> None:
    """local: those that were built without a name of their own; all: every image of the services."""
    if about.loaded is None:
        return
    stack = about.loaded.stack
    services = [service for service in stack.services.values() if about.services is None or service.name in about.services]
    names = {image_of(stack, service) for service in services if rmi == "all" or not service.image}
    for name in sorted(names):
        call.progress(Progress(f"Image {name}", "Removing"))
        try:
            await stacks.engine.images.remove(name)
        except NotFound:
            continue
        except Conflict as error:
            call.progress(Progress(f"Image {name}", "Resource is still in use", done=True, detail=error.message))
            continue
        except EngineError as error:
            call.progress(Progress(f"Image {name}", "Error", done=True, error=True, detail=error.message))
            raise
        call.progress(Progress(f"Image {name}", "Removed", done=True))
