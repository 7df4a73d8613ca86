"""The verbs of `/composer/v1` over the memory engine."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.stack_api.daemon import daemon

TWO = """
services:
  db: {image: busybox}
  web: {image: busybox, depends_on: [db], environment: {V: "1"}}
"""


def test_up_then_nothing_to_do_then_one_change_then_down(tmp_path: Path) -> None:
    async def run() -> None:
        async with daemon(tmp_path, TWO) as client:
            first = await client.ok("up")
            assert first["changed"]
            assert await client.states() == {"db-1": "running", "web-1": "running"}
            assert "Network p_default Created" in client.said()
            before = await client.ids()
            again = await client.ok("up")
            assert not again["changed"]
            assert client.said() == ["Container p-db-1 Running", "Container p-web-1 Running"]
            client.text = TWO.replace('"1"', '"2"')
            plan = await client.ok("plan")
            assert plan["plan"].splitlines()[0] == "create container p-web-1: environment changed"
            await client.ok("up")
            after = await client.ids()
            assert after["db-1"] == before["db-1"]
            assert after["web-1"] != before["web-1"]
            await client.ok("down")
            assert await client.states() == {}
            assert [network.name for network in await client.engine.networks.list()].count("p_default") == 0

    asyncio.run(run())


def test_stop_start_and_the_words_for_what_is_not_there(tmp_path: Path) -> None:
    async def run() -> None:
        async with daemon(tmp_path, TWO) as client:
            failed = await client.call("start")
            assert failed["exit"] == 1
            assert "has no container to start" in failed["message"]
            for verb in ("stop", "restart", "down"):
                await client.ok(verb)
            await client.ok("create")
            assert await client.states() == {"db-1": "created", "web-1": "created"}
            await client.ok("start", services=["web"])
            assert await client.states() == {"db-1": "running", "web-1": "running"}
            await client.ok("stop", services=["db"])
            assert (await client.states())["db-1"] == "exited"
            await client.ok("rm", services=["db"])
            assert "db-1" not in await client.states()
            missing = await client.call("stop", services=["nosuch"])
            assert missing["message"] == "no such service: nosuch"

    asyncio.run(run())


def test_scale_wait_logs_and_run(tmp_path: Path) -> None:
    async def run() -> None:
        async with daemon(tmp_path, TWO) as client:
            await client.ok("up")
            await client.ok("scale", scale={"web": 3})
            assert sorted(await client.states()) == ["db-1", "web-1", "web-2", "web-3"]
            await client.ok("scale", scale=["web=1"])
            client.engine.output("p-web-1", b"one\ntwo\n")
            client.engine.output("p-db-1", b"three\n")
            await client.ok("logs")
            assert [(line["service"], line["text"]) for line in client.lines if line["kind"] == "log"] == [
                ("web", "one"),
                ("web", "two"),
                ("db", "three"),
            ]
            made = await client.ok("run", service="web", command=["echo", "x"], rm=True)
            container = await client.engine.containers.inspect(made["id"])
            assert container.config.labels["com.docker.compose.oneoff"] == "True"
            assert container.name.startswith("/p-web-run-")
            assert container.args == ("x",)
            waiting = asyncio.ensure_future(client.call("wait", services=["web"]))
            await asyncio.sleep(0.05)
            client.engine.exit("p-web-1", 5)
            assert (await waiting)["exit"] == 5

    asyncio.run(run())


def test_a_wrong_file_is_told_with_its_place_and_exit_2(tmp_path: Path) -> None:
    async def run() -> None:
        async with daemon(tmp_path, "services: {a: {imagee: x}}\n") as client:
            result = await client.call("up")
            assert result["exit"] == 2
            assert any("imagee" in line["text"] and "stack.yml:1:" in line["text"] for line in client.lines if line["kind"] == "diagnostic")

    asyncio.run(run())
