"""`run`: a one-off container of a service, made but not started: the client attaches, starts and waits by the Docker API.

What the service needs is brought up before (unless ``no_deps``); the service's own containers are left alone.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from composer.daemon.stack_api.applying import apply, raise_first, write_files
from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.loader import Loaded
from composer.daemon.stack_api.oneoff import one_off, published
from composer.daemon.stack_api.precheck import judge, tell
from composer.daemon.stack_api.providers import ask
from composer.daemon.stack_api.stacks import Stacks
from composer.daemon.stack_api.up import Situation, converge, fetch, image_policy, remember, with_images
from composer.engine.errors import InvalidArgument
from composer.errors import ComposerError
from composer.reconcile import precheck
from composer.reconcile.check import check_names
from composer.reconcile.images import image_work, local_images
from composer.reconcile.model import COMPLETED, HEALTHY, Action, Live, Plan, Policy, Ref, Resource
from composer.reconcile.observe import observe
from composer.reconcile.operate import replicas
from composer.reconcile.order import closure, services_of
from composer.reconcile.plan import plan
from composer.reconcile.precheck import Scene, with_oneoff
from composer.reconcile.render import instantiate

Line = dict[str, Any]


async def run(stacks: Stacks, call: Call) -> Line:
    """Options as `docker compose run` has them; ``service``, ``command`` (a list). The result: id, name, tty, stdin."""
    name = call.options.text("service")
    if not name:
        raise InvalidArgument("run needs a service")
    loaded = await stacks.load(call)
    check_names([name], loaded.enabled([name]).services)
    try:
        stack, rendered = loaded.with_services([name])
    except ComposerError as error:
        await _refuse(stacks, call, loaded, name, error)
        raise
    if stack.services[name].provider is not None:
        raise InvalidArgument(f'service "{name}" is run by a provider: it has no container')
    ask(call, stack, [name])
    service = rendered[Ref("service", name)]
    async with stacks.turns.take(stack.name, "run", blocked=call.blocked):
        needed = [] if call.options.flag("no_deps") else [n for n in closure([name], services_of(rendered)) if n != name]
        situation = await _survey(stacks, call, loaded, name, needed)
        await fetch(stacks, call, replace(situation, policy=replace(situation.policy, services=frozenset([*needed, name]))))
        if needed or call.options.flag("remove_orphans"):
            await remember(stacks, loaded, situation)
            raise_first(await converge(stacks, call, situation))
        await asyncio.to_thread(write_files, {service.ref: service})
        await _ground(stacks, call, situation, service)
        if needed:
            await _conditions(stacks, call, situation, service)
        return await _create(stacks, call, situation, name)


async def _survey(stacks: Stacks, call: Call, loaded: Loaded, name: str, needed: list[str]) -> Situation:
    stack, rendered = loaded.with_services([name])
    names = [*needed, name]
    have, images = await asyncio.gather(observe(stacks.engine, stack.name), local_images(stacks.engine, stack, names))
    want = with_images(rendered, images)
    work = image_work(stack, names, images, image_policy(call.options), datetime.now(UTC))
    policy = Policy(
        services=frozenset(needed),
        no_deps=True,
        remove_orphans=call.options.flag("remove_orphans"),
        known=frozenset({*stack.services, *stack.disabled_services}),
    )
    first = plan(stack.name, want, have, policy)
    around = precheck.survey(stack, needed, have, policy, first, images, work, want)
    scene = _beside(around, call, name)
    await tell(stacks, call, loaded, await judge(stacks.engine, scene))
    return Situation(stack, want, have, policy, images, work, first)


def _beside(scene: Scene, call: Call, name: str) -> Scene:
    """The scene with the one-off container."""
    publish = []
    for text in call.options.names("publish"):
        key, binding = published(text)
        low, _, high = binding.host_port.partition("-")
        if low.isdigit() and int(low) and (high or low).isdigit():
            publish.append((key.rpartition("/")[2], binding.host_ip, int(low), int(high or low)))
    return with_oneoff(scene, name, call.options.text("name"), ports=call.options.flag("service_ports"), publish=publish)


async def _refuse(stacks: Stacks, call: Call, loaded: Loaded, name: str, refusal: ComposerError) -> None:
    """Say all that is wrong with a service that cannot be rendered. Raises Refused."""
    stack = loaded.enabled([name])
    have, images = await asyncio.gather(observe(stacks.engine, stack.name), local_images(stacks.engine, stack, [name]))
    work = image_work(stack, [name], images, image_policy(call.options), datetime.now(UTC))
    scene = precheck.survey(stack, [], have, Policy(), Plan(), images, work)
    scene = _beside(scene, call, name)
    await tell(stacks, call, loaded, await judge(stacks.engine, scene, refusal))


async def _ground(stacks: Stacks, call: Call, situation: Situation, service: Resource) -> None:
    """The networks and volumes of the service itself."""
    have = await observe(stacks.engine, situation.stack.name)
    used = [Ref("network", item) for item in service.replicas.networks] + [Ref("volume", item) for item in service.replicas.volumes]
    missing = [ref for ref in used if ref not in have and not situation.want[ref].external]
    plan = Plan(tuple(Action("create", ref, "it does not exist") for ref in missing))
    raise_first(await apply(stacks.engine, call, situation.stack.name, plan, situation.want, have))


async def _conditions(stacks: Stacks, call: Call, situation: Situation, service: Resource) -> None:
    """Wait until what it needs is as it needs it."""
    have = await observe(stacks.engine, situation.stack.name)
    actions = [
        Action("wait", live.ref, f"{service.ref.name} depends on it", id=live.id, service=live.service, condition=need.condition)
        for need in service.needs
        if need.condition in (HEALTHY, COMPLETED) and need.required
        for live in replicas(situation.stack.name, have, [need.service])
        if not _met(live, need.condition)
    ]
    raise_first(await apply(stacks.engine, call, situation.stack.name, Plan(tuple(actions)), situation.want, have))


def _met(live: Live, condition: str) -> bool:
    if condition == HEALTHY:
        return live.running and live.health == "healthy"
    return live.state == "exited" and live.exit_code == 0


async def _create(stacks: Stacks, call: Call, situation: Situation, name: str) -> Line:
    stack, have = situation.stack, await observe(stacks.engine, situation.stack.name)
    slug = secrets.token_hex(32)
    container = call.options.text("name") or f"{stack.name}-{name}-run-{slug[:12]}"

    def lender(service: str) -> str:
        found = replicas(stack.name, have, [service])
        if not found:
            raise InvalidArgument(f'service "{service}" has no container whose namespaces or volumes could be shared')
        return found[0].id

    base = instantiate(situation.want[Ref("service", name)], 1, container, lender=lender, anonymous={})
    environment = call.project.get("environment") or {}
    config = one_off(base, stack, container, slug, call.options, environment, str(call.project.get("cwd") or "/"))
    made = await stacks.engine.containers.create(config, container)
    return {
        "project": stack.name,
        "id": made.id,
        "name": container,
        "tty": config.tty,
        "stdin": config.open_stdin,
        "warnings": list(made.warnings),
    }
