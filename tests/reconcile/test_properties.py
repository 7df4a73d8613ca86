"""Properties of plans: deterministic, empty when converged, converging from a crash at any step, never about what is not ours."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from composer.engine.memory import MemoryEngine
from composer.engine.model import ContainerConfig, NetworkConfig
from composer.reconcile.execute import Execution, first_error
from composer.reconcile.model import Plan, Policy
from composer.reconcile.observe import observe
from composer.reconcile.plan import plan
from composer.spec.model import ServiceVolume, Stack
from tests.reconcile.stacks import IMAGE, on, planned, service, stack, states, up, wanted

NAMES = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Shape:
    """One revision of a small stack: for each service its scale, a setting, what it needs, and whether it has an anonymous volume."""

    services: tuple[tuple[str, int, str, tuple[tuple[str, bool], ...], bool], ...]

    def build(self) -> Stack:
        made = []
        for name, scale, value, needs, volume in self.services:
            fields: dict[str, Any] = {"scale": scale, "environment": {"V": value}}
            fields["depends_on"] = {need: on(restart=restart) for need, restart in needs}
            if volume:
                fields["volumes"] = [ServiceVolume(type="volume", target="/anon")]
            made.append(service(name, **fields))
        return stack(*made)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    found = []
    for index, name in enumerate(NAMES[: draw(st.integers(1, 4))]):
        needs = tuple((need, draw(st.booleans())) for need in NAMES[:index] if draw(st.booleans()))
        found.append((name, draw(st.integers(0, 3)), draw(st.sampled_from("12")), needs, draw(st.booleans())))
    return Shape(tuple(found))


def cut(whole: Plan, steps: int) -> Plan:
    return Plan(whole.actions[:steps])


async def crash(engine: MemoryEngine, spec: Stack, policy: Policy, steps: int) -> None:
    """Only the first steps of the plan are done."""
    want, have = await wanted(engine, spec), await observe(engine, spec.name)
    part = cut(plan(spec.name, want, have, policy), steps)
    await Execution(engine, spec.name, want, have, lambda _: None).run(part, patience=10)


async def meddle(engine: MemoryEngine, choice: int) -> None:
    """Somebody does something to one of the containers."""
    containers = await engine.containers.list(all=True, filters={"label": ["com.docker.compose.project=p"]})
    if not containers:
        return
    target = sorted(containers, key=lambda c: c.name)[choice % len(containers)]
    if choice % 3 == 0:
        await engine.containers.remove(target.id, force=True)
    elif choice % 3 == 1:
        await engine.containers.stop(target.id, timeout=0)
    elif target.state.status == "running":
        await engine.containers.pause(target.id)


@settings(max_examples=60, deadline=None)
@given(first=shapes(), second=shapes(), steps=st.integers(0, 30), again=st.integers(0, 30), choice=st.integers(0, 99))
def test_from_any_state_a_stack_becomes_what_its_file_says(first: Shape, second: Shape, steps: int, again: int, choice: int) -> None:
    async def run() -> None:
        engine = MemoryEngine()
        await engine.networks.create(NetworkConfig(name="foreign"))
        stranger = (await engine.containers.create(ContainerConfig(image=IMAGE), "stranger")).id
        await engine.containers.start(stranger)
        policy = Policy(remove_orphans=True)
        await up(engine, first.build(), policy)
        await meddle(engine, choice)
        spec = second.build()
        await crash(engine, spec, policy, steps)
        await meddle(engine, choice + 1)
        await crash(engine, spec, policy, again)
        assert first_error(await up(engine, spec, policy)) is None
        expected = {f"p-{name}-{number}" for name, scale, *_ in second.services for number in range(1, scale + 1)}
        found = await states(engine)
        assert len(found) == len(expected)
        assert set(found.values()) <= {"running"}
        assert str(await planned(engine, spec, policy)) == ""
        assert (await engine.containers.inspect(stranger)).state.running
        assert any(network.name == "foreign" for network in await engine.networks.list())
        await engine.close()

    asyncio.run(run())


@settings(max_examples=60, deadline=None)
@given(first=shapes(), second=shapes(), choice=st.integers(0, 99), force=st.booleans(), wait=st.booleans())
def test_the_same_input_gives_the_same_plan_in_an_order_that_can_be_done(
    first: Shape, second: Shape, choice: int, force: bool, wait: bool
) -> None:
    async def run() -> None:
        engine = MemoryEngine()
        await up(engine, first.build(), Policy())
        await meddle(engine, choice)
        spec, policy = second.build(), Policy(force_recreate=force, wait=wait, remove_orphans=choice % 2 == 0)
        want, have = await wanted(engine, spec), await observe(engine, spec.name)
        one = plan("p", want, have, policy)
        other = plan("p", dict(reversed(want.items())), dict(reversed(have.items())), policy)
        assert str(one) == str(other)
        assert one == other
        seen: set[str] = set()
        for action in one.actions:
            assert seen.issuperset((*action.after, *action.softly)), action
            assert action.cause
            seen.add(action.key)
        assert len(seen) == len(one.actions)
        assert not any("stranger" in action.ref.name for action in one.actions)
        await engine.close()

    asyncio.run(run())
