"""Rollouts and revisions by the daemon's verbs, over the memory engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from composer.daemon.stack_api.healing import Healing
from composer.engine.model import ProcessConfig
from tests.stack_api.daemon import Client, daemon, eventually

STACK = """
services:
  web:
    image: nginx
    environment: {{V: "{v}", DB_PASSWORD: "{v}"}}
    ports: ["8080:80"]
    stop_grace_period: 0s
    healthcheck: {{test: [CMD, "true"]}}
    deploy:
      replicas: {replicas}
      update_config: {{order: {order}, failure_action: {action}, monitor: 20ms, parallelism: {parallelism}}}
"""


def text(v: str, *, replicas: int = 2, order: str = "start-first", action: str = "rollback", parallelism: int = 1) -> str:
    return STACK.format(v=v, replicas=replicas, order=order, action=action, parallelism=parallelism)


def rollout(tmp_path: Path, work: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with daemon(tmp_path, text("1")) as client:
            client.engine.healthy_at_once = True
            await client.ok("up")
            await work(client)

    asyncio.run(run())


async def versions(client: Client) -> dict[str, str]:
    """Name -> V of the containers that run and get traffic."""
    aside = client.engine.traffic.aside()
    found = await client.engine.containers.list()
    return {c.name[1:]: next(e[2:] for e in c.config.env if e.startswith("V=")) for c in found if c.id not in aside}


async def bad(client: Client, v: str = "bad", **fields: Any) -> dict[str, Any]:
    """An up of a revision whose containers never become healthy."""
    client.engine.healthy_at_once = False
    client.text = text(v, **fields)

    async def sicken() -> None:
        while True:
            for container in await client.engine.containers.list():
                if container.state.health is not None and container.state.health.status == "starting":
                    client.engine.health(container.id, "unhealthy")
            await asyncio.sleep(0.005)

    task = asyncio.create_task(sicken())
    try:
        return await client.call("up")
    finally:
        task.cancel()
        client.engine.healthy_at_once = True


async def statuses(client: Client) -> dict[int, str]:
    return {one["number"]: one["status"] for one in (await client.ok("history"))["revisions"]}


async def number(client: Client, count: int) -> bool:
    return len(await client.engine.containers.list()) == count


async def idle(client: Client) -> bool:
    return not client.stacks.turns.busy("p")


def test_a_change_moves_replica_by_replica_and_makes_a_revision(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        client.text = text("2")
        planned = await client.ok("plan")
        assert planned["plan"] == "roll service web: environment changed; 2 containers, 1 at a time, start-first"
        await client.ok("up")
        assert await versions(client) == {"p-web-1": "2", "p-web-2": "2"}
        assert (await client.ok("plan"))["plan"] == ""
        assert await statuses(client) == {1: "superseded", 2: "current"}
        await client.ok("up")
        assert await statuses(client) == {1: "superseded", 2: "current"}

    rollout(tmp_path, work)


def test_what_fails_goes_back_and_is_not_tried_again(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        before = await client.ids()
        result = await bad(client)
        assert (result["exit"], result["code"]) == (1, "rollout-failed")
        assert "was rolled back: container p-web-1 is unhealthy" in result["message"]
        assert await client.ids() == before
        assert await versions(client) == {"p-web-1": "1", "p-web-2": "1"}
        again = await client.call("up")
        assert again["exit"] == 1
        assert 'service "web" stays at revision 1: revision 2 failed (container p-web-1 is unhealthy)' in again["message"]
        assert await client.ids() == before
        assert await statuses(client) == {1: "current", 2: "failed"}
        forced = await client.call("up", force_recreate=True)
        assert forced["exit"] == 0
        assert await versions(client) == {"p-web-1": "bad", "p-web-2": "bad"}

    rollout(tmp_path, work)


def test_a_second_replica_that_fails_takes_the_first_back(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        client.text = text("2")
        seen: set[str] = set()

        async def sicken() -> None:
            while True:
                for container in await client.engine.containers.list():
                    if "V=2" in container.config.env and container.id not in seen:
                        seen.add(container.id)
                        client.engine.health(container.id, "healthy" if len(seen) == 1 else "unhealthy")
                    elif "V=1" in container.config.env and container.state.health and container.state.health.status == "starting":
                        client.engine.health(container.id, "healthy")
                await asyncio.sleep(0.003)

        client.engine.healthy_at_once = False
        task = asyncio.create_task(sicken())
        try:
            assert (await client.call("up"))["exit"] == 1
        finally:
            task.cancel()
        assert len(seen) == 2
        assert await versions(client) == {"p-web-1": "1", "p-web-2": "1"}
        assert len(await client.engine.containers.list(all=True)) == 2

    rollout(tmp_path, work)


def test_a_pause_leaves_what_is_there_until_something_changes(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        result = await bad(client, action="pause")
        assert "was paused" in result["message"]
        assert await versions(client) == {"p-web-1": "1", "p-web-2": "1"}
        assert "stays as it is: revision 2 was paused" in (await client.call("up"))["message"]
        client.text = text("3")
        await client.ok("up")
        assert await versions(client) == {"p-web-1": "3", "p-web-2": "3"}

    rollout(tmp_path, work)


def test_stop_first_and_all_at_once(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        client.text = text("2", order="stop-first", parallelism=0)
        await client.ok("up")
        assert await versions(client) == {"p-web-1": "2", "p-web-2": "2"}
        assert (await bad(client, order="stop-first", parallelism=0))["exit"] == 1

    rollout(tmp_path, work)


def test_a_replica_that_is_not_needed_any_more_is_drained(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        await client.ok("scale", scale={"web": 1})
        said = client.said()
        assert said.index("Container p-web-2 Drained") < said.index("Container p-web-2 Stopping")
        assert await versions(client) == {"p-web-1": "1"}

    rollout(tmp_path, work)


def test_rollback_and_diff(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        client.text = text("2")
        await client.ok("up")
        told = await client.ok("diff")
        assert (told["from"], told["to"]) == (1, 2)
        assert told["lines"] == [
            "~ service web",
            "  ~ environment.DB_PASSWORD: changed (not shown)",
            '  ~ environment.V: "1" -> "2"',
        ]
        assert (await client.ok("rollback"))["revision"] == 1
        assert await versions(client) == {"p-web-1": "1", "p-web-2": "1"}
        assert await statuses(client) == {1: "current", 2: "rolled back"}
        client.text = "services: ["  # a broken file is no hindrance
        assert (await client.ok("rollback", revision=2))["revision"] == 2
        assert await versions(client) == {"p-web-1": "2", "p-web-2": "2"}
        missing = await client.call("rollback", revision=9)
        assert (missing["exit"], missing["message"]) == (1, "stack p has no revision 9")

    rollout(tmp_path, work)


def test_back_means_the_image_of_then(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        engine = client.engine
        then = (await engine.images.inspect("nginx")).id
        moved = engine.add_image("nginx:latest", ProcessConfig(cmd=("sh", "-c", "later")))
        assert moved != then
        await client.ok("up")
        assert {c.image for c in await engine.containers.list()} == {moved}
        assert (await client.ok("history"))["revisions"][0]["changed"] == "web: image (another one of that name)"
        assert {then, moved} <= set(client.stacks.revisions.images())
        await client.ok("rollback")
        assert {c.image for c in await engine.containers.list()} == {then}
        await engine.containers.remove("p-web-1", force=True)
        assert await Healing(client.stacks).heal("p") == frozenset()
        assert {c.image for c in await engine.containers.list()} == {then}

    rollout(tmp_path, work)


def test_two_cannot_run_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        single = text("1", replicas=1).replace("    ports:", "    volumes: [data:/data]\n    ports:") + "volumes: {data: }\n"
        async with daemon(tmp_path, single) as client:
            client.engine.healthy_at_once = True
            await client.ok("up")
            client.text = single.replace('V: "1"', 'V: "2"')
            planned = await client.ok("plan")
            assert planned["plan"].endswith("1 container, 1 at a time, stop-first")
            assert any("start-first is not possible (volume data is written at /data)" in line.get("text", "") for line in client.lines)
            await client.ok("up")
            assert await versions(client) == {"p-web-1": "2"}

    asyncio.run(run())


def test_an_end_of_before_is_not_the_rollouts_failure(tmp_path: Path) -> None:
    """The machine went down in the middle: the new container that had come is started again, and the rollout goes on."""

    async def work(client: Client) -> None:
        client.engine.healthy_at_once = False
        client.text = text("2")
        task = asyncio.create_task(client.call("up"))
        await eventually(lambda: number(client, 3))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await eventually(lambda: idle(client))
        for container in await client.engine.containers.list():
            client.engine.exit(container.id, 137)
        client.engine.healthy_at_once = True
        await client.ok("up")
        assert await versions(client) == {"p-web-1": "2", "p-web-2": "2"}

    rollout(tmp_path, work)


def test_a_rollout_that_was_cut_off_is_finished_by_the_controller(tmp_path: Path) -> None:
    async def work(client: Client) -> None:
        client.engine.healthy_at_once = False
        client.text = text("2")
        task = asyncio.create_task(client.call("up"))
        await eventually(lambda: number(client, 3))
        task.cancel()  # the client is gone: nothing new begins
        await asyncio.gather(task, return_exceptions=True)
        await eventually(lambda: idle(client))
        assert len(await client.engine.containers.list(all=True)) == 3
        client.engine.healthy_at_once = True
        for container in await client.engine.containers.list():
            client.engine.health(container.id, "healthy")
        assert await Healing(client.stacks).heal("p") == frozenset()
        assert await versions(client) == {"p-web-1": "2", "p-web-2": "2"}
        assert len(await client.engine.containers.list(all=True)) == 2

    rollout(tmp_path, work)


def test_replicas_share_a_host_port_by_update_config_only(tmp_path: Path) -> None:
    async def run() -> None:
        async with daemon(tmp_path, "services: {web: {image: nginx, ports: ['8080:80'], scale: 3}}") as client:
            refused = await client.call("up")
            assert refused["exit"] == 1
            client.text = "services: {web: {image: nginx, ports: ['8080:80'], scale: 3, deploy: {update_config: {}}}}"
            await client.ok("up")
            assert set((await client.states()).values()) == {"running"}
            assert len(await client.ids()) == 3

    asyncio.run(run())
