"""Stacks brought up on the memory engine: what is planned, what comes of it."""

from __future__ import annotations

import asyncio

from composer.engine.memory import MemoryEngine
from composer.reconcile.execute import Execution, first_error
from composer.reconcile.model import Plan, Policy, Progress
from composer.reconcile.observe import observe
from composer.reconcile.plan import plan
from composer.spec.model import HealthCheck, ServiceVolume
from tests.reconcile.stacks import on, planned, reaches, service, stack, states, up, wanted


def test_one_service_is_planned_carried_out_and_then_there_is_nothing_to_do() -> None:
    async def run() -> None:
        engine = MemoryEngine()
        spec = stack(service("web"))
        first = await planned(engine, spec)
        assert str(first) == (
            "create network p_default: it does not exist\n"
            "create container p-web-1: it does not exist\n"
            "start container p-web-1: it does not exist"
        )
        said: list[Progress] = []
        outcomes = await up(engine, spec, said=said)
        assert [outcome.result for outcome in outcomes] == ["done", "done", "done"]
        assert [(line.id, line.status) for line in said][-2:] == [("Container p-web-1", "Starting"), ("Container p-web-1", "Started")]
        assert await states(engine) == {"p-web-1": "running"}
        assert not await planned(engine, spec)
        await engine.close()

    asyncio.run(run())


def test_a_change_replaces_only_that_service_and_keeps_its_name() -> None:
    async def run() -> None:
        engine = MemoryEngine()
        await up(engine, stack(service("a", environment={"V": "1"}), service("b", depends_on={"a": on()})))
        changed = stack(service("a", environment={"V": "2"}), service("b", depends_on={"a": on()}))
        before = await engine.containers.inspect("p-a-1")
        assert str(await planned(engine, changed)) == (
            "create container p-a-1: environment changed\n"
            "stop container p-a-1: environment changed\n"
            "remove container p-a-1: environment changed\n"
            "rename container p-a-1: environment changed\n"
            "start container p-a-1: environment changed"
        )
        outcomes = await up(engine, changed)
        assert first_error(outcomes) is None
        after = await engine.containers.inspect("p-a-1")
        assert after.id != before.id
        assert await states(engine) == {"p-a-1": "running", "p-b-1": "running"}
        assert not await planned(engine, changed)
        await engine.close()

    asyncio.run(run())


def test_an_unhealthy_dependency_leaves_its_dependant_created_and_the_rest_running() -> None:
    async def run() -> None:
        engine = MemoryEngine()
        check = HealthCheck(test=["CMD", "false"])
        spec = stack(service("db", healthcheck=check), service("app", depends_on={"db": on("service_healthy")}), service("other"))
        working = asyncio.ensure_future(up(engine, spec))
        await reaches(engine, "p-other-1", "running")
        await reaches(engine, "p-db-1", "running")
        engine.health("p-db-1", "unhealthy")
        error = first_error(await working)
        assert str(error) == "dependency failed to start: container p-db-1 is unhealthy"
        assert await states(engine) == {"p-app-1": "created", "p-db-1": "running", "p-other-1": "running"}
        await engine.close()

    asyncio.run(run())


def test_scale_up_and_down_takes_the_highest_numbers() -> None:
    async def run() -> None:
        engine = MemoryEngine()
        spec = stack(service("web"))
        await up(engine, spec, Policy(scale={"web": 3}))
        await up(engine, spec, Policy(scale={"web": 2}))
        assert sorted(await states(engine)) == ["p-web-1", "p-web-2"]
        await engine.close()

    asyncio.run(run())


def test_anonymous_volumes_survive_a_replacement_that_was_cut_off() -> None:
    async def volume(engine: MemoryEngine) -> str:
        found = await engine.containers.list(all=True)
        (container,) = [c for c in found if c.state.running or len(found) == 1]
        return next(mount.name for mount in container.mounts if mount.destination == "/anon")

    async def run(steps: int) -> None:
        engine = MemoryEngine()
        anonymous = [ServiceVolume(type="volume", target="/anon")]
        await up(engine, stack(service("a", volumes=anonymous, environment={"V": "1"})))
        before = await volume(engine)
        changed = stack(service("a", volumes=anonymous, environment={"V": "2"}))
        want, have = await wanted(engine, changed), await observe(engine, "p")
        part = Plan(plan("p", want, have, Policy()).actions[:steps])
        await Execution(engine, "p", want, have, lambda _: None).run(part)
        assert first_error(await up(engine, changed)) is None
        assert await states(engine) == {"p-a-1": "running"}
        assert await volume(engine) == before
        await up(engine, changed, Policy(force_recreate=True, renew_anon_volumes=True))
        assert await volume(engine) != before
        await engine.close()

    for steps in range(6):
        asyncio.run(run(steps))


def test_wait_waits_for_a_one_shot_to_be_done_not_to_run() -> None:
    async def run() -> None:
        engine = MemoryEngine()
        spec = stack(service("web", depends_on={"migrate": on("service_completed_successfully")}), service("migrate"))
        found = str(await planned(engine, spec, Policy(wait=True)))
        assert "wait container p-migrate-1 service_completed_successfully" in found
        assert "wait container p-migrate-1 service_running_or_healthy" not in found
        assert "wait container p-web-1 service_running_or_healthy" in found
        await engine.close()

    asyncio.run(run())
