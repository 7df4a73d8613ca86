"""Small stacks built by hand, and one `up` of them on an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from composer.engine.interface import Engine
from composer.reconcile.execute import Execution
from composer.reconcile.model import Outcome, Plan, Policy, Progress, Ref, Resource
from composer.reconcile.observe import observe
from composer.reconcile.plan import plan
from composer.reconcile.render import Site, render
from composer.spec.model import Dependency, Network, Service, ServiceNetwork, Stack

SITE = Site(version="test", content="/content")
IMAGE = "busybox:latest"


def service(name: str, **fields: Any) -> Service:
    """A service in the default network."""
    fields = {"image": IMAGE, "networks": {"default": ServiceNetwork()}, **fields}
    return Service(name=name, **fields)


def stack(*services: Service, name: str = "p", **fields: Any) -> Stack:
    networks = {"default": Network(name=f"{name}_default"), **fields.pop("networks", {})}
    return Stack(name=name, directory="/d", files=("/d/stack.yml",), services={s.name: s for s in services}, networks=networks, **fields)


def on(condition: str = "service_started", **fields: Any) -> Dependency:
    return Dependency(condition=condition, **fields)


async def wanted(engine: Engine, spec: Stack, images: Mapping[str, str] | None = None) -> dict[Ref, Resource]:
    """Rendered, with the ids of the images."""
    found = render(spec, SITE)
    for ref, resource in found.items():
        if ref.kind == "service":
            image = await engine.images.inspect(resource.replicas.template.image)
            found[ref] = replace(resource, config=replace(resource.replicas, image_id=image.id))
    return found


async def planned(engine: Engine, spec: Stack, policy: Policy | None = None) -> Plan:
    return plan(spec.name, await wanted(engine, spec), await observe(engine, spec.name), policy or Policy())


async def up(engine: Engine, spec: Stack, policy: Policy | None = None, said: list[Progress] | None = None) -> list[Outcome]:
    """Plan and carry out."""
    want, have = await wanted(engine, spec), await observe(engine, spec.name)
    execution = Execution(engine, spec.name, want, have, said.append if said is not None else lambda _: None)
    return await execution.run(plan(spec.name, want, have, policy or Policy()), patience=10)


async def states(engine: Engine, project: str = "p") -> dict[str, str]:
    """Container name -> status."""
    found = await engine.containers.list(all=True, filters={"label": [f"com.docker.compose.project={project}"]})
    return {container.name.removeprefix("/"): container.state.status for container in found}


async def reaches(engine: Engine, name: str, status: str) -> None:
    """Wait until a container is in this state, five seconds at most."""
    end = asyncio.get_running_loop().time() + 5
    while (await states(engine)).get(name) != status:
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"{name} did not become {status}: {await states(engine)}")
        await asyncio.sleep(0.001)
