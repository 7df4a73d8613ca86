"""Healing with judgement: budgets, what is only reported, a history that lasts, and what `why` says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from composer.daemon.stack_api.healing import Healing
from composer.daemon.stack_api.journal import Drift
from composer.engine.local.state import State
from composer.engine.memory import MemoryEngine
from composer.reconcile.controller import Hint
from tests.stack_api.daemon import Client, daemon

STACK = """
services:
  web:
    image: busybox
    restart: always
    healthcheck: {test: [CMD, "true"]}
    x-heal: {restarts: 2, window: 10m}
  plain:
    image: busybox
    healthcheck: {test: [CMD, "true"]}
  told: {image: busybox, x-heal: report}
  left: {image: busybox, x-heal: ignore}
  late:
    image: busybox
    depends_on:
      web: {condition: service_healthy}
  tool: {image: busybox, profiles: [debug]}
  job: {image: busybox, x-schedule: "@daily"}
"""


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


async def look(client: Client, clock: Clock, event: str = "event container health_status: unhealthy") -> None:
    healing = Healing(client.stacks, clock=clock)
    assert await healing.heal("p", {name: Hint(event, clock.now) for name in ("web", "plain", "told", "left")}) == frozenset()


def drifts(client: Client, service: str) -> list[Drift]:
    return [one for one in client.stacks.journal.drifts.of("p") if one.service == service]


async def started(client: Client, name: str) -> str:
    return (await client.engine.containers.inspect(name)).state.started_at


def up(path: Path, work: Any) -> None:
    async def run() -> None:
        async with daemon(path, STACK) as client:
            client.engine.healthy_at_once = True
            await client.ok("up")
            await work(client)

    asyncio.run(run())


def test_unhealthy_ones_are_restarted_within_a_budget(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        clock, waits = Clock(), []
        client.stacks.later = lambda _, seconds: waits.append(seconds)

        async def ill() -> bool:
            before = await started(client, "p-web-1")
            client.engine.health("p-web-1", "unhealthy")
            await look(client, clock)
            return await started(client, "p-web-1") != before

        assert await ill()
        clock.now += 1
        assert not await ill()  # a pause between two
        assert 8 < waits[-1] <= 10
        clock.now += 10
        assert await ill()
        clock.now += 100
        assert not await ill()  # the budget is spent
        last = drifts(client, "web")[-1]
        assert (last.result, last.ended) == ("reported", 0)
        assert "2 restarts in 600 s are used up; next try at" in last.detail
        clock.now += waits[-1]
        assert await ill()
        assert [one.result for one in drifts(client, "web")] == ["healed", "healed", "healed"]

    up(tmp_path, work)


def test_without_a_policy_they_are_reported_until_they_are_well(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        clock, before = Clock(), await started(client, "p-plain-1")
        client.engine.health("p-plain-1", "unhealthy")
        for _ in range(3):
            await look(client, clock)
            clock.now += 5
        assert await started(client, "p-plain-1") == before
        (one,) = drifts(client, "plain")
        assert (one.result, one.ended, one.found) == ("reported", 0, "event container health_status: unhealthy")
        assert one.detail == "not restarted: it has no restart policy"
        client.engine.health("p-plain-1", "healthy")
        await look(client, clock)
        assert drifts(client, "plain")[0].ended == clock.now

    up(tmp_path, work)


def test_services_that_are_only_reported_or_ignored_stay_as_they_are(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        for name in ("p-told-1", "p-left-1", "p-web-1"):
            await client.engine.containers.stop(name)
        await look(client, Clock(), "event container die (exit 137)")
        assert await client.states() == {
            "web-1": "running",
            "plain-1": "running",
            "told-1": "exited",
            "left-1": "exited",
            "late-1": "running",
        }
        assert [drifts(client, name)[0].result for name in ("web", "told", "left")] == ["healed", "reported", "ignored"]

    up(tmp_path, work)


def test_the_history_is_bounded_and_outlives_the_daemon(tmp_path: Path) -> None:
    engine = MemoryEngine()

    async def first() -> None:
        async with daemon(tmp_path, STACK, engine=engine) as client:
            engine.healthy_at_once = True
            await client.ok("up")
            for number in range(230):
                await client.stacks.journal.drifts.add(Drift("p", "web", f"container {number}", "it was stopped", since=float(number)))

    async def then() -> None:
        async with daemon(tmp_path, STACK, engine=engine) as client:
            found = client.stacks.journal.drifts.of("p")
            assert (len(found), found[0].subject, found[-1].subject) == (200, "container 30", "container 229")
            assert [work.by for work in client.stacks.journal.works.of("p")] == ["up"]
            rows = (await client.ok("drift", tail=5))["drift"]
            assert [row["Subject"] for row in rows] == [f"container {number}" for number in range(225, 230)]
            await client.ok("down")
            assert client.stacks.journal.drifts.of("p") == []
        await engine.close()

    asyncio.run(first())
    asyncio.run(then())
    state = State(tmp_path / "state.db")
    assert state.read("drift") == {}
    asyncio.run(state.close())


def test_why(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        async def why(service: str) -> Any:
            return (await client.ok("why", service=service))["why"]

        web = await why("web")
        assert (web["summary"], web["at"], web["meant"]["by"]) == ("it runs", "stack.yml:3:3", "up")
        assert web["done"][0]["cause"] == "it does not exist"
        client.text = client.text.replace("x-heal: ignore", "x-heal: ignore, environment: {A: '1'}, command: [x]")
        await client.ok("up")
        left = await why("left")
        assert left["done"][0]["cause"] == "command, environment changed"
        assert left["done"][0]["places"] == ["command (stack.yml:12:65)", "environment (stack.yml:12:42)"]
        client.engine.health("p-web-1", "unhealthy")
        assert (await why("web"))["summary"] == "it runs, but is unhealthy: its health check fails"
        late = await why("late")
        assert late["waits_for"][0]["now"] == "p-web-1: running, unhealthy"
        assert late["waits_for"][0]["at"] == "stack.yml:16:7"
        await client.engine.containers.stop("p-late-1")
        assert (await why("late"))["summary"] == "it waits for web: p-web-1: running, unhealthy"
        client.engine.output("p-plain-1", b"one\ntwo\n")
        client.engine.exit("p-plain-1", 137, oom=True)
        plain = await why("plain")
        assert plain["summary"] == "it died: exit 137 (SIGKILL), out of memory"
        assert plain["containers"][0]["output"] == ["one", "two"]
        await client.ok("stop", services=["told"])
        assert (await why("told"))["summary"] == "it is stopped, by `composer stop`; composer start told"
        tool = await why("tool")
        assert tool["summary"].startswith("it is not started: no profile of it is enabled (debug)")
        assert tool["profiles"]["at"] == "stack.yml:17:26"
        assert (await why("job"))["schedule"]["cron"] == "0 0 * * *"
        wrong = await client.call("why", service="wep")
        assert (wrong["exit"], wrong["message"], wrong["hint"]) == (1, "no such service: wep", "did you mean 'web'?")

    up(tmp_path, work)
