"""`up`, `create`, `start`, `scale`: bring a stack, or some of its services, to where its file says."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from composer.daemon.stack_api.applying import apply, failed_services, raise_first, tell_running, write_files
from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.loader import Loaded
from composer.daemon.stack_api.options import Options
from composer.daemon.stack_api.precheck import Refused, as_json, judge, tell
from composer.daemon.stack_api.providers import ask
from composer.daemon.stack_api.rollouts import Ledger, Pinned, pinned
from composer.daemon.stack_api.stacks import Stacks
from composer.daemon.stack_api.store import CREATED, RUNNING
from composer.engine.errors import InvalidArgument, NotFound
from composer.engine.model import Image
from composer.errors import ComposerError
from composer.reconcile import precheck
from composer.reconcile.check import check_names, check_scale
from composer.reconcile.images import ImagePolicy, Work, image_work, local_images, provide
from composer.reconcile.model import Action, Live, Outcome, Plan, Policy, Ref, Resource
from composer.reconcile.observe import observe
from composer.reconcile.operate import replicas
from composer.reconcile.order import selected, services_of
from composer.reconcile.plan import plan
from composer.reconcile.precheck import Finding
from composer.reconcile.summary import changes, counts
from composer.spec.model import Stack

Line = dict[str, Any]


@dataclass
class Situation:
    """All that a plan is made from, gathered once. ``pins``: what stays where it is though the file says something else, as its rollout
    failed; ``ledger``: the revision that is being brought up, once it has begun."""

    stack: Stack
    want: dict[Ref, Resource]
    have: dict[Ref, Live]
    policy: Policy
    images: dict[str, Image | None]
    work: list[Work]
    plan: Plan
    findings: list[Finding] = field(default_factory=list)
    pins: Pinned | None = None
    ledger: Ledger | None = None

    @property
    def wanted(self) -> Mapping[Ref, Resource]:
        """What the file says, whatever stays where it is."""
        return self.pins.wanted if self.pins is not None else self.want

    @property
    def names(self) -> list[str]:
        return [service.ref.name for service in self.chosen]

    @property
    def chosen(self) -> list[Resource]:
        return selected(services_of(self.want), self.policy)


def policy_of(call: Call, stack: Stack) -> Policy:
    """The policy that the flags of `up`, `create` and `scale` say."""
    options = call.options
    if options.flag("force_recreate") and options.flag("no_recreate"):
        raise InvalidArgument("--force-recreate and --no-recreate are incompatible")
    services = options.names("services")
    scale = options.counts("scale")
    check_names([*services, *scale], {*stack.services})
    check_scale(stack, scale)
    return Policy(
        services=frozenset(services) if services else None,
        no_deps=options.flag("no_deps"),
        force_recreate=options.flag("force_recreate"),
        no_recreate=options.flag("no_recreate"),
        always_recreate_deps=options.flag("always_recreate_deps"),
        renew_anon_volumes=options.flag("renew_anon_volumes"),
        remove_orphans=options.flag("remove_orphans") or call.variable("COMPOSE_REMOVE_ORPHANS"),
        scale=scale,
        timeout=options.number("timeout"),
        start=not options.flag("no_start"),
        wait=options.flag("wait"),
        known=frozenset({*stack.services, *stack.disabled_services}),
    )


def image_policy(options: Options) -> ImagePolicy:
    """The image part of the same flags."""
    if options.flag("build") and options.flag("no_build"):
        raise InvalidArgument("--build and --no-build are incompatible")
    return ImagePolicy(options.text("pull"), options.flag("build"), options.flag("no_build"), options.flag("no_cache"))


async def survey(stacks: Stacks, call: Call, loaded: Loaded, policy: Policy) -> Situation:
    """Look at what is, plan, and find what cannot be. Raises Refused, with all findings told, when no plan can be made at all."""
    named = [*(policy.services or ()), *policy.scale]
    stack, refusal = loaded.enabled(named), None
    rendered: Mapping[Ref, Resource] = {}
    try:
        stack, rendered = loaded.with_services(named)
        names = [service.ref.name for service in selected(services_of(rendered), policy)]
    except ComposerError as error:
        refusal = error
        names = list(stack.select(policy.services or (), dependencies=not policy.no_deps).services)
    have, images = await asyncio.gather(observe(stacks.engine, stack.name), local_images(stacks.engine, stack, names))
    pins = await pinned(stacks, stack.name, with_images(rendered, images), forced=forced(policy, names))
    want = pins.want
    work = image_work(stack, names, images, image_policy(call.options), datetime.now(UTC))
    first = plan(stack.name, want, have, policy) if refusal is None else None
    scene = precheck.survey(stack, names, have, policy, first, images, work, want)
    findings = await judge(stacks.engine, scene, refusal)
    if first is None:
        await tell(stacks, call, loaded, findings)
        raise refusal or Refused("no plan can be made")
    return Situation(stack, want, have, policy, images, work, first, findings, pins)


def forced(policy: Policy, names: Collection[str]) -> Collection[str]:
    """The services that are to be tried although they failed as they are."""
    return (policy.services or names) if policy.force_recreate else ()


def with_images(want: Mapping[Ref, Resource], images: Mapping[str, Image | None]) -> dict[Ref, Resource]:
    """The resources with what the images' names mean now."""
    found = dict(want)
    for ref, resource in want.items():
        if ref.kind == "service":
            image = images.get(resource.replicas.template.image)
            if image is not None:
                found[ref] = replace(resource, config=replace(resource.replicas, image_id=image.id))
    return found


async def up(stacks: Stacks, call: Call) -> Line:
    """`up`: images, networks, volumes, containers, running. Success means that a fresh plan is empty."""
    loaded = await stacks.load(call)
    stack = loaded.enabled([*call.options.names("services"), *call.options.counts("scale")])
    policy = policy_of(call, stack)
    ask(call, stack, call.options.names("services"))
    async with stacks.turns.take(stack.name, "up", blocked=call.blocked):
        situation = await survey(stacks, call, loaded, policy)
        if call.options.flag("dry_run"):
            return await dry_run(stacks, call, loaded, situation)
        await tell(stacks, call, loaded, situation.findings)
        await fetch(stacks, call, situation)
        await remember(stacks, loaded, situation)
        try:
            outcomes = await converge(stacks, call, situation)
        except asyncio.CancelledError:
            await let_go(stacks, situation, [])
            raise
        if call.cancelled:
            await let_go(stacks, situation, outcomes)
        stacks.changed(stack.name, failed_services(outcomes))
        raise_first(outcomes)
        tell_pins(situation)
    return result_of(situation, outcomes)


def tell_pins(situation: Situation) -> None:
    """Raise when something stays at an earlier revision: the stack is not as its file says."""
    error = situation.pins.error() if situation.pins is not None else None
    if error is not None:
        raise error


async def fetch(stacks: Stacks, call: Call, situation: Situation) -> None:
    """Pull and build what is missing or asked for, and take note of what the names mean then. NotFound: an image is still missing."""
    names = [service.ref.name for service in situation.chosen]
    if situation.work:
        await provide(stacks.engine, situation.stack, situation.work, call.progress, image_policy(call.options))
        situation.images = await local_images(stacks.engine, situation.stack, names)
        raw = with_images(situation.wanted, situation.images)
        situation.pins = await pinned(stacks, situation.stack.name, raw, forced=forced(situation.policy, names))
        situation.want = situation.pins.want
    missing = {name for name, image in situation.images.items() if image is None}
    if missing:
        found = plan(situation.stack.name, situation.want, situation.have, situation.policy)
        for action in found.actions:
            service = situation.want.get(Ref("service", action.service))
            if action.verb == "create" and service is not None and service.replicas.template.image in missing:
                raise NotFound(f"No such image: {service.replicas.template.image}", hint="pull it, build it, or load it from a file")


async def remember(stacks: Stacks, loaded: Loaded, situation: Situation) -> None:
    """The revision and what is meant, on disk before anything is made."""
    name = situation.stack.name
    revision = await stacks.store.keep_request(name, loaded.project)
    wish = RUNNING if situation.policy.start else CREATED
    row = stacks.store.row(name)
    names = [service.ref.name for service in situation.chosen]
    scale = {key: count for key, count in row.scale.items() if key not in names} | dict(situation.policy.scale)
    row = row.wanting(dict.fromkeys(names, wish))
    situation.ledger = Ledger(stacks, situation.stack, situation.wanted, situation.pins or Pinned(situation.want))
    number = await situation.ledger.begin(loaded, revision, names, forced(situation.policy, names))
    await stacks.store.keep(
        replace(row, revision=revision, scale=scale, config_files=",".join(situation.stack.files), number=number, held=held(situation))
    )
    await asyncio.to_thread(write_files, situation.want)


def held(situation: Situation) -> dict[str, str]:
    """Service -> hash of its containers, where they are left as they are though the file says otherwise."""
    chosen = () if situation.policy.no_recreate else {service.ref.name for service in situation.chosen}
    found: dict[str, set[str]] = {}
    for live in replicas(situation.stack.name, situation.have):
        found.setdefault(live.service, set()).add(live.hash)
    wanted = {name: service.hash for name, service in services_of(situation.want).items() if name not in chosen}
    return {name: min(found[name]) for name, hashed in wanted.items() if len(found.get(name, ())) == 1 and hashed not in found[name]}


async def converge(stacks: Stacks, call: Call, situation: Situation) -> list[Outcome]:
    """Plan, apply, and look again: what is then still to do (a change in the meantime) is done once more."""
    name = situation.stack.name
    first = plan(name, situation.want, situation.have, situation.policy) if situation.work else situation.plan
    if not (call.options.flag("ignore_orphans") or call.variable("COMPOSE_IGNORE_ORPHANS")):
        for note in first.notes:
            call.warn(note)
    tell_running(call, first, situation.have, name, frozenset(service.ref.name for service in situation.chosen))
    patience = call.options.seconds("wait_timeout") or None
    ledger = situation.ledger
    outcomes = await apply(stacks.engine, call, name, first, situation.want, situation.have, patience=patience, journal=ledger)
    if ledger is not None and not call.cancelled:
        await ledger.ended(outcomes, situation.names)
    if not first or call.cancelled or any(outcome.result != "done" for outcome in outcomes):
        return outcomes
    calm = replace(situation.policy, force_recreate=False, always_recreate_deps=False, healing=True, wait=False)
    for _ in range(2):
        have = await observe(stacks.engine, name)
        rest = plan(name, situation.want, have, calm)
        if not rest or call.cancelled:
            return outcomes
        outcomes = await apply(stacks.engine, call, name, rest, situation.want, have, patience=patience, journal=ledger)
        raise_first(outcomes)
    raise ComposerError(f"the stack does not settle: {rest.actions[0]}", hint="someone else changes it at the same time", code="unsettled")


async def let_go(stacks: Stacks, situation: Situation, outcomes: list[Outcome]) -> None:
    """After an interruption: what was not started is not looked after either."""
    have = await observe(stacks.engine, situation.stack.name)
    running = {live.service for live in replicas(situation.stack.name, have) if live.running}
    row = stacks.store.row(situation.stack.name)
    held = {service.ref.name: CREATED for service in situation.chosen if service.ref.name not in running}
    await stacks.store.keep(row.wanting(held))


def result_of(situation: Situation, outcomes: list[Outcome]) -> Line:
    """What `up` answers: whether anything was done, and the services whose output the foreground shows."""
    attach = [s.ref.name for s in situation.chosen if situation.stack.services[s.ref.name].attach is not False]
    return {"project": situation.stack.name, "changed": bool(outcomes), "attach": sorted(attach)}


def full_plan(situation: Situation) -> Plan:
    """The plan, with pulls and builds in front."""
    images = tuple(
        Action(item.verb, Ref("image", item.image), item.cause, service=item.service.name)
        for item in {work.image: work for work in situation.work}.values()
    )
    return Plan((*images, *situation.plan.actions), situation.plan.notes)


async def dry_run(stacks: Stacks, call: Call, loaded: Loaded, situation: Situation) -> Line:
    """Say what would be done, and what would be in the way."""
    found = full_plan(situation)
    for note in found.notes:
        call.warn(note)
    told = await tell(stacks, call, loaded, situation.findings, planning=True)
    changed = changes(found)
    return {
        "project": situation.stack.name,
        "plan": str(found),
        "changes": [change.to_json() for change in changed],
        "summary": counts(changed),
        "actions": found.to_json(),
        "changed": bool(found),
        "findings": [as_json(one) for one in told],
        "notes": list(found.notes),
    }


async def plan_verb(stacks: Stacks, call: Call) -> Line:
    """`plan`: what `up` would do and why; nothing is touched, nobody is waited for."""
    loaded = await stacks.load(call)
    stack = loaded.enabled([*call.options.names("services"), *call.options.counts("scale")])
    return await dry_run(stacks, call, loaded, await survey(stacks, call, loaded, policy_of(call, stack)))


async def create(stacks: Stacks, call: Call) -> Line:
    """`create`: as `up`, but nothing is started."""
    loaded = await stacks.load(call)
    stack = loaded.enabled([*call.options.names("services"), *call.options.counts("scale")])
    policy = replace(policy_of(call, stack), start=False)
    ask(call, stack, call.options.names("services"))
    async with stacks.turns.take(stack.name, "create", blocked=call.blocked):
        situation = await survey(stacks, call, loaded, policy)
        await tell(stacks, call, loaded, situation.findings)
        await fetch(stacks, call, situation)
        await remember(stacks, loaded, situation)
        raise_first(await converge(stacks, call, situation))
    return {"project": stack.name}


async def start(stacks: Stacks, call: Call) -> Line:
    """`start`: what exists of the services and of what they need."""
    loaded = await stacks.load(call)
    names = call.options.names("services")
    stack, want = loaded.with_services(names)
    check_names(names, stack.services)
    policy = Policy(
        services=frozenset(names) if names else None,
        create=False,
        wait=call.options.flag("wait"),
        known=frozenset({*stack.services, *stack.disabled_services}),
    )
    async with stacks.turns.take(stack.name, "start", blocked=call.blocked):
        have = await observe(stacks.engine, stack.name)
        chosen = [service.ref.name for service in selected(services_of(want), policy)]
        there = {live.service for live in replicas(stack.name, have)}
        for name in names or [name for name in chosen if want[Ref("service", name)].replicas.scale]:
            if name not in there:
                raise NotFound(f'service "{name}" has no container to start', hint=f"make it: composer up -d {name}")
        await _mean_running(stacks, loaded, stack.name, [name for name in chosen if name in there])
        await asyncio.to_thread(write_files, want)
        found = plan(stack.name, want, have, policy)
        outcomes = await apply(stacks.engine, call, stack.name, found, want, have, patience=call.options.seconds("wait_timeout"))
        stacks.changed(stack.name, failed_services(outcomes))
        raise_first(outcomes)
    return {"project": stack.name}


async def _mean_running(stacks: Stacks, loaded: Loaded, name: str, services: Collection[str]) -> None:
    row = stacks.store.row(name)
    if not stacks.store.known(name):
        row = replace(row, revision=await stacks.store.keep_request(name, loaded.project), config_files=",".join(loaded.stack.files))
    await stacks.store.keep(row.wanting(dict.fromkeys(services, RUNNING)))


async def scale(stacks: Stacks, call: Call) -> Line:
    """`scale web=3`: the number of containers of some services; their settings are brought up to date, too."""
    loaded = await stacks.load(call)
    counts = call.options.counts("scale")
    if not counts:
        raise InvalidArgument("scale needs SERVICE=NUMBER")
    stack = loaded.enabled(counts)
    check_names(counts, stack.services)
    ask(call, stack, list(counts))
    policy = Policy(
        services=frozenset(counts),
        scale=counts,
        no_deps=call.options.flag("no_deps"),
        known=frozenset({*stack.services, *stack.disabled_services}),
    )
    async with stacks.turns.take(stack.name, "scale", blocked=call.blocked):
        situation = await survey(stacks, call, loaded, policy)
        await tell(stacks, call, loaded, situation.findings)
        await fetch(stacks, call, situation)
        await remember(stacks, loaded, situation)
        outcomes = await converge(stacks, call, situation)
        stacks.changed(stack.name, failed_services(outcomes))
        raise_first(outcomes)
        tell_pins(situation)
    return {"project": stack.name}
