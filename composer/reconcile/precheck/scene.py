"""What a plan will make and start, and what it gives up before: all that the rules look at, gathered once. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from composer.engine.model import Container, Image, Network
from composer.engine.model.facts import Facts
from composer.reconcile.images import Work
from composer.reconcile.model import Live, Plan, Policy, Ref, Resource
from composer.spec.model import Service, Stack

_LEAVING = frozenset({"stop", "remove"})


@dataclass(frozen=True)
class Engaged:
    """What the engine has at this moment, of all stacks: one listing each. ``tags``: names of images, when one is missing."""

    containers: Sequence[Container] = ()
    networks: Sequence[Network] = ()
    tags: Sequence[str] = ()


@dataclass(frozen=True)
class Scene:
    """``chosen``: the services that the plan is about. ``created``: service -> names of the containers that are made for it; ``started``:
    service -> how many of its containers start. ``networks``, ``volumes``: keys of those that are made.

    ``leaving``: ids of containers that give up name, ports and addresses before; ``gone``: ids of networks that are removed before.
    ``images``: what names mean here, None: not here. ``work``: what is pulled and built. ``oneoff``: the service of which `run` makes a
    container beside its own; ``oneoff_ports``: it publishes the service's ports; ``oneoff_publish``: (protocol, host address, first, last
    port) of those of the command line.
    """

    stack: Stack
    chosen: tuple[str, ...]
    created: Mapping[str, tuple[str, ...]]
    started: Mapping[str, int]
    networks: tuple[str, ...]
    volumes: tuple[str, ...]
    leaving: frozenset[str]
    gone: frozenset[str]
    have: Mapping[Ref, Live]
    scale: Mapping[str, int] = field(default_factory=dict)  # service -> how many containers it is to have
    images: Mapping[str, Image | None] = field(default_factory=dict)
    work: tuple[Work, ...] = ()
    want: Mapping[Ref, Resource] = field(default_factory=dict)  # {} when it could not be rendered
    oneoff: str = ""
    oneoff_ports: bool = False
    oneoff_publish: tuple[tuple[str, str, int, int], ...] = ()
    engaged: Engaged = field(default_factory=Engaged)
    facts: Facts = field(default_factory=Facts)

    def knowing(self, facts: Facts, engaged: Engaged | None = None) -> Scene:
        """The same with more known."""
        return replace(self, facts=facts, engaged=engaged or self.engaged)

    @property
    def acts(self) -> bool:
        """Whether anything is made or started: only then the machine is looked at."""
        return bool(self.created or self.started or self.networks or self.volumes)

    @cached_property
    def touched(self) -> tuple[Service, ...]:
        """The services of which something is made or started."""
        return tuple(self.stack.services[name] for name in self.chosen if self.created.get(name) or self.started.get(name))

    @cached_property
    def made(self) -> tuple[Service, ...]:
        """The services of which a container is made."""
        return tuple(self.stack.services[name] for name in self.chosen if self.created.get(name))

    @cached_property
    def by_id(self) -> dict[str, Container]:
        """The engine's containers by id."""
        return {container.id: container for container in self.engaged.containers}

    @cached_property
    def by_name(self) -> dict[str, Container]:
        """The engine's containers by name."""
        return {container.name.removeprefix("/"): container for container in self.engaged.containers}


def survey(
    stack: Stack,
    chosen: Collection[str],
    have: Mapping[Ref, Live],
    policy: Policy,
    plan: Plan | None,
    images: Mapping[str, Image | None] | None = None,
    work: Sequence[Work] = (),
    want: Mapping[Ref, Resource] | None = None,
) -> Scene:
    """``plan`` None: none could be made, because the stack asks for what cannot be; then all that is chosen counts as made anew."""
    known = tuple(name for name in chosen if name in stack.services)
    scene = _planned(stack, known, have, plan) if plan is not None else _anew(stack, known, have, policy)
    scale = {name: policy.scale.get(name, stack.services[name].replicas) for name in known}
    return replace(scene, scale=scale, images=images or {}, work=tuple(work), want=want or {})


def with_oneoff(scene: Scene, service: str, name: str, *, ports: bool, publish: Sequence[tuple[str, str, int, int]] = ()) -> Scene:
    """The scene with a one-off container of the service: made and started beside the others. ``name`` "": one that nobody has."""
    own = scene.stack.services[service]
    lacking = {
        kind: tuple(key for key in keys if not declared[key].external and Ref(kind, declared[key].name) not in scene.have)
        for kind, keys, declared in (
            ("network", [key for key in own.networks if key in scene.stack.networks], scene.stack.networks),
            ("volume", [mount.source for mount in own.volumes if mount.source in scene.stack.volumes], scene.stack.volumes),
        )
    }
    return replace(
        scene,
        chosen=tuple(dict.fromkeys((*scene.chosen, service))),
        created={**scene.created, service: (name,)},
        started={**scene.started, service: 1},
        networks=tuple(dict.fromkeys((*scene.networks, *lacking["network"]))),
        volumes=tuple(dict.fromkeys((*scene.volumes, *lacking["volume"]))),
        oneoff=service,
        oneoff_ports=ports,
        oneoff_publish=tuple(publish),
    )


def _planned(stack: Stack, chosen: tuple[str, ...], have: Mapping[Ref, Live], plan: Plan) -> Scene:
    created: dict[str, list[str]] = {}
    started: dict[str, int] = {}
    leaving: set[str] = set()
    for action in plan.actions:
        name = action.service
        if action.verb == "roll":  # what it decides on its way is within this
            created.setdefault(name, []).extend(f"{stack.name}-{name}-{number}" for number in action.numbers)
            started[name] = started.get(name, 0) + len(action.numbers)
            leaving.update(action.stale)
        elif action.ref.kind == "container" and action.verb == "create":
            created.setdefault(name, []).append(action.ref.name)
        elif action.ref.kind == "container" and action.verb == "start":
            started[name] = started.get(name, 0) + 1
        elif action.ref.kind == "container" and action.verb in _LEAVING:
            leaving.add(action.id)
    making = {action.ref for action in plan.actions if action.verb == "create"}
    return Scene(
        stack,
        chosen,
        {name: tuple(names) for name, names in created.items()},
        started,
        tuple(key for key, network in stack.networks.items() if Ref("network", network.name) in making),
        tuple(key for key, volume in stack.volumes.items() if Ref("volume", volume.name) in making),
        frozenset(leaving),
        frozenset(action.id for action in plan.actions if action.verb == "remove" and action.ref.kind == "network"),
        have,
    )


def _anew(stack: Stack, chosen: tuple[str, ...], have: Mapping[Ref, Live], policy: Policy) -> Scene:
    counts = {name: policy.scale.get(name, stack.services[name].replicas) for name in chosen}
    names = {
        name: (stack.services[name].container_name,) * bool(count)
        if stack.services[name].container_name
        else tuple(f"{stack.name}-{name}-{number}" for number in range(1, count + 1))
        for name, count in counts.items()
    }
    return Scene(
        stack,
        chosen,
        names,
        counts if policy.start else {},
        tuple(key for key, one in stack.networks.items() if not one.external and Ref("network", one.name) not in have),
        tuple(key for key, one in stack.volumes.items() if not one.external and Ref("volume", one.name) not in have),
        frozenset(live.id for live in have.values() if live.ref.kind == "container" and live.project == stack.name),
        frozenset(),
        have,
    )
