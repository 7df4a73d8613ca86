"""Ctrl-C, commands at the same time, and failures that are not tried again at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from composer.daemon.stack_api import VERBS
from composer.engine.errors import Unavailable
from composer.engine.memory import MemoryEngine
from tests.stack_api.daemon import daemon, eventually

WAITS = """
services:
  slow: {image: busybox, healthcheck: {test: ["CMD", "false"]}}
  app: {image: busybox, depends_on: {slow: {condition: service_healthy}}}
"""


def test_an_interrupted_up_leaves_what_was_started_and_begins_nothing_more(tmp_path: Path) -> None:
    async def run() -> None:
        async with daemon(tmp_path, WAITS, controlled=True) as client:
            lines = client.stacks.answer(VERBS["up"], client.body({}))
            async for line in lines:
                if line.get("status") == "Waiting":
                    break
                if line["kind"] == "need":
                    raise AssertionError(line)
            await lines.aclose()  # type: ignore[attr-defined]

            async def idle() -> bool:
                return not client.stacks.turns.busy("p")

            await eventually(idle)
            client.engine.health("p-slow-1", "healthy")
            await asyncio.sleep(0.2)
            assert await client.states() == {"slow-1": "running", "app-1": "created"}
            await client.ok("down")
            assert await client.states() == {}

    asyncio.run(run())


def test_commands_on_one_stack_wait_for_each_other_and_say_so(tmp_path: Path) -> None:
    async def run() -> None:
        async with daemon(tmp_path, WAITS) as client:
            first = asyncio.ensure_future(client.call("up"))
            await client.becomes({"slow-1": "running", "app-1": "created"})
            second = asyncio.ensure_future(client.call("stop"))
            await asyncio.sleep(0.05)
            assert not second.done()
            client.engine.health("p-slow-1", "healthy")
            assert (await first)["exit"] == 0
            assert (await second)["exit"] == 0
            assert any("waiting for `up`" in line.get("text", "") for line in client.lines)
            assert set((await client.states()).values()) == {"exited"}

    asyncio.run(run())


def test_what_fails_for_the_user_is_not_tried_again_at_once(tmp_path: Path) -> None:
    text = "services: {app: {image: busybox, command: [nosuch]}}\n"

    async def run() -> None:
        engine = MemoryEngine()
        engine.missing_commands.add("nosuch")
        async with daemon(tmp_path, text, engine=engine, controlled=True) as client:
            failed = await client.call("up")
            assert failed["exit"] == 1
            assert "nosuch" in failed["message"]
            await asyncio.sleep(0.3)
            assert not [line for line in client.stacks.log.lines if "healing" in line]  # type: ignore[attr-defined]
            engine.missing_commands.clear()
            await client.ok("up")
            assert await client.states() == {"app-1": "running"}
        await engine.close()

    asyncio.run(run())


def test_a_missing_image_is_said_before_anything_is_touched(tmp_path: Path) -> None:
    text = "services: {a: {image: busybox}, b: {image: nowhere, pull_policy: never}}\n"

    async def run() -> None:
        async with daemon(tmp_path, text) as client:
            failed = await client.call("up")
            assert (failed["exit"], failed["message"]) == (1, "1 error found, so nothing was touched")
            assert client.findings() == ["stack.yml:1:44: error: No such image: nowhere [plan.image-missing]"]
            assert await client.states() == {}
            assert "p_default" not in [network.name for network in await client.engine.networks.list()]
            await client.ok("up", services=["a"])

    asyncio.run(run())


def test_an_external_network_that_is_missing_is_said_before_anything_is_touched(tmp_path: Path) -> None:
    text = "services: {a: {image: busybox, networks: [n]}}\nnetworks: {n: {external: true, name: nowhere}}\n"

    async def run() -> None:
        async with daemon(tmp_path, text) as client:
            failed = await client.call("up")
            assert failed["exit"] == 1
            assert client.findings() == [
                "stack.yml:2:26: error: network nowhere declared as external, but could not be found [plan.external]"
            ]
            assert await client.states() == {}

    asyncio.run(run())


def test_without_a_file_a_stack_is_known_by_its_name(tmp_path: Path) -> None:
    async def run() -> None:
        async with daemon(tmp_path, "services: {a: {image: busybox}}\n") as client:
            await client.ok("up")
            client.text = ""
            body = client.body({})
            body["project"]["contents"] = {}
            for verb in ("stop", "start", "restart", "up"):
                assert (await client.raw(verb, client.body({})))["exit"] == 0, client.lines
            listed = await client.ok("stacks")
            assert listed["stacks"][0]["status"] == "running(1)"
            await client.ok("down")
            nothing = await client.call("up")
            assert nothing["exit"] == 2
            await client.ok("down")

    asyncio.run(run())


def test_a_full_disk_stops_neither_rm_nor_down(tmp_path: Path) -> None:
    """Trap 7."""

    async def run() -> None:
        async with daemon(tmp_path, "services: {a: {image: busybox}, b: {image: busybox}}\n") as client:
            await client.ok("up")

            async def full(*_: object, **__: object) -> None:
                raise Unavailable("cannot write the state: disk full")

            client.stacks.store.keep = full  # type: ignore[method-assign]
            await client.ok("rm", services=["a"], stop=True)
            assert await client.states() == {"b-1": "running"}
            await client.ok("down")
            assert await client.states() == {}

    asyncio.run(run())
