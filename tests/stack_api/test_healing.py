"""What is meant holds, what a process does is its policy's matter, what was done behind the stack's back is put right."""

from __future__ import annotations

import asyncio
from pathlib import Path

from composer.engine.memory import MemoryEngine
from composer.engine.model import ContainerUpdate
from tests.fixtures.patience import patient
from tests.stack_api.daemon import Client, daemon, eventually

TWO = """
services:
  db: {image: busybox, mem_limit: 100m}
  web: {image: busybox, depends_on: [db]}
"""
UP = {"db-1": "running", "web-1": "running"}


async def settled(client: Client) -> None:
    """Nothing to do for the controller."""
    await asyncio.sleep(0.1)


def test_what_is_done_at_the_container_level_is_put_right(tmp_path: Path) -> None:
    async def run() -> None:
        async with daemon(tmp_path, TWO, controlled=True) as client:
            await client.ok("up")
            containers = client.engine.containers
            await containers.stop("p-web-1")
            await client.becomes(UP)
            await containers.kill("p-db-1")
            await client.becomes(UP)
            await containers.pause("p-db-1")
            await client.becomes(UP)
            before = await client.ids()
            await containers.remove("p-web-1", force=True)
            await client.becomes(UP)
            await containers.rename("p-web-1", "other")
            await client.becomes(UP)
            assert (await client.ids())["db-1"] == before["db-1"]

    asyncio.run(run())


def test_limits_and_networks_that_were_changed_by_hand_are_put_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with daemon(tmp_path, TWO, controlled=True) as client:
            await client.ok("up")
            before = await client.ids()
            await client.engine.containers.update("p-db-1", ContainerUpdate(memory=1 << 30))
            await client.engine.networks.disconnect("p_default", "p-web-1", force=True)

            async def put_back() -> bool:
                db, web = [await client.engine.containers.inspect(name) for name in ("p-db-1", "p-web-1")]
                return db.host_config.memory == 100 << 20 and "p_default" in web.network_settings.networks

            await eventually(put_back)
            assert await client.ids() == before

    asyncio.run(run())


def test_what_the_stacks_own_commands_mean_holds(tmp_path: Path) -> None:
    async def run() -> None:
        async with daemon(tmp_path, TWO, controlled=True) as client:
            await client.ok("up")
            await client.ok("stop", services=["web"])
            await settled(client)
            assert await client.states() == {"db-1": "running", "web-1": "exited"}
            await client.ok("start", services=["web"])
            await client.ok("pause", services=["web"])
            await settled(client)
            assert await client.states() == {"db-1": "running", "web-1": "paused"}
            await client.ok("unpause", services=["web"])
            await client.ok("kill", services=["web"])
            await settled(client)
            assert await client.states() == {"db-1": "running", "web-1": "exited"}
            await client.ok("rm", services=["web"])
            await settled(client)
            assert await client.states() == {"db-1": "running"}
            await client.ok("scale", scale={"db": 2})
            await client.engine.containers.remove("p-db-1", force=True)
            await client.becomes({"db-1": "running", "db-2": "running"})
            await client.ok("down")
            await settled(client)
            assert await client.states() == {}

    asyncio.run(run())


def test_a_process_that_ends_stays_ended_and_is_run_again_by_up_only(tmp_path: Path) -> None:
    async def run() -> None:
        async with daemon(tmp_path, TWO, controlled=True) as client:
            await client.ok("up")
            client.engine.exit("p-web-1", 0)
            await client.engine.containers.stop("p-db-1")  # makes the controller look
            await client.becomes({"db-1": "running", "web-1": "exited"})
            await settled(client)
            assert await client.states() == {"db-1": "running", "web-1": "exited"}
            await client.ok("up")
            assert await client.states() == UP

    asyncio.run(run())


def test_services_that_were_never_asked_for_are_left_alone(tmp_path: Path) -> None:
    async def run() -> None:
        async with daemon(tmp_path, TWO, controlled=True) as client:
            await client.ok("up", services=["db"])
            await client.engine.containers.remove("p-db-1", force=True)
            await client.becomes({"db-1": "running"})

    asyncio.run(run())


def test_after_the_machines_start_what_ran_runs_again_in_order(tmp_path: Path) -> None:
    async def run() -> None:
        engine = MemoryEngine()
        async with daemon(tmp_path, TWO, engine=engine, controlled=True, boot="1") as client:
            await client.ok("up")
            await settled(client)
            assert len(client.stacks.store.row("p").ran) == 2
        for name in ("p-db-1", "p-web-1"):
            engine.exit(name, 255)
        async with daemon(tmp_path, TWO, engine=engine, controlled=True, boot="1") as client:
            await settled(client)
            assert set((await client.states()).values()) == {"exited"}  # the machine is the same: they ended by themselves
        async with daemon(tmp_path, TWO, engine=engine) as client:
            await client.ok("up")
        async with daemon(tmp_path, TWO, engine=engine, controlled=True, boot="1") as client:
            await settled(client)
        for name in ("p-db-1", "p-web-1"):
            engine.exit(name, 255)
        async with daemon(tmp_path, TWO, engine=engine, controlled=True, boot="2") as client:
            await client.becomes(UP)
            db, web = [(await engine.containers.inspect(name)).state.started_at for name in ("p-db-1", "p-web-1")]
            assert db < web
        await engine.close()

    asyncio.run(run())


def test_a_command_is_not_held_up_by_healing_that_waits(tmp_path: Path) -> None:
    text = """
services:
  db: {image: busybox, healthcheck: {test: ["CMD", "true"]}}
  web: {image: busybox, depends_on: {db: {condition: service_healthy}}}
"""

    async def run() -> None:
        engine = MemoryEngine()
        engine.healthy_at_once = True
        async with daemon(tmp_path, text, engine=engine, controlled=True) as client:
            await client.ok("up")
            engine.healthy_at_once = False
            for name in ("p-web-1", "p-db-1"):
                await engine.containers.remove(name, force=True)
            await client.becomes({"db-1": "running", "web-1": "created"})
            async with asyncio.timeout(patient(2)):
                await client.ok("down")
            assert await client.states() == {}
        await engine.close()

    asyncio.run(run())


def test_who_shares_a_namespace_follows_its_owner(tmp_path: Path) -> None:
    text = """
services:
  web: {image: busybox, restart: always}
  side: {image: busybox, network_mode: "service:web"}
"""

    async def run() -> None:
        async with daemon(tmp_path, text, controlled=True) as client:
            await client.ok("up")
            before = await client.ids()
            side = (await client.engine.containers.inspect("p-side-1")).state.started_at
            await client.engine.containers.restart("p-web-1", timeout=0)

            async def side_again() -> bool:
                return (await client.engine.containers.inspect("p-side-1")).state.started_at != side

            await eventually(side_again)
            await client.becomes({"web-1": "running", "side-1": "running"})
            assert await client.ids() == before
            await client.engine.containers.remove("p-web-1", force=True)

            async def side_anew() -> bool:
                return (await client.ids()).get("side-1") not in (None, before["side-1"])

            await eventually(side_anew)
            await client.becomes({"web-1": "running", "side-1": "running"})
            side_now = await client.engine.containers.inspect("p-side-1")
            assert side_now.host_config.network_mode == f"container:{(await client.ids())['web-1']}"

    asyncio.run(run())
