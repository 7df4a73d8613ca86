"""How containers end, and what follows: exit codes, signals, out of memory, restart policies, auto_remove, a killed conmon."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from composer.engine.errors import CommandNotExecutable, CommandNotFound, Conflict, NotFound, NotRunning
from composer.engine.local.engine import LocalEngine
from composer.engine.model import ContainerConfig, HostConfig, RestartPolicy
from tests.conftest import Opened, eventually, run
from tests.fixtures.patience import patient

pytestmark = pytest.mark.root


async def made(e: LocalEngine, *cmd: str, name: str = "cc", **host: object) -> str:
    config = ContainerConfig(image="bb", cmd=cmd or ("idle",), host_config=HostConfig(network_mode="none").replace(**host))
    return (await e.containers.create(config, name)).id


async def started(e: LocalEngine, *cmd: str, name: str = "cc", **host: object) -> str:
    ident = await made(e, *cmd, name=name, **host)
    await e.containers.start(ident)
    return ident


async def status(e: LocalEngine, ref: str = "cc") -> str:
    state = (await e.containers.inspect(ref)).state
    return f"{state.status} {state.exit_code}"


def test_exit_codes_are_told(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            for code in (0, 3, 255):
                ident = await started(e, "sh", "-c", f"exit {code}", name=f"c{code}")
                assert (await e.containers.wait(ident)).status_code == code
                assert await status(e, ident) == f"exited {code}"
            ident = await started(e, name="kk")
            await e.containers.kill(ident)
            assert (await e.containers.wait(ident)).status_code == 137

    run(main())


def test_what_cannot_be_started_stays_created(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            for command, error, code in (("nosuch", CommandNotFound, 127), ("/etc/passwd", CommandNotExecutable, 126)):
                ident = await made(e, command, name="cc", restart_policy=RestartPolicy(name="always"))
                with pytest.raises(error):
                    await e.containers.start(ident)
                assert await status(e) == f"created {code}"
                assert "exec:" in (await e.containers.inspect(ident)).state.error
                await e.containers.remove(ident)

    run(main())


def test_out_of_memory_is_told(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            events = e.events({"event": ["oom"]})
            script = "a=x; while :; do a=$a$a; done"
            ident = await started(e, "sh", "-c", script, memory=16 << 20, memory_swap=16 << 20)
            assert (await e.containers.wait(ident)).status_code == 137
            state = (await e.containers.inspect(ident)).state
            assert state.oom_killed
            async with asyncio.timeout(patient(2)):
                assert (await anext(events)).actor.id == ident

    run(main())


def test_stop_asks_then_kills(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            await started(e, "sh", "-c", "trap '' TERM; while :; do sleep 1; done", name="deaf")
            await asyncio.sleep(0.1)
            began = time.monotonic()
            await e.containers.stop("deaf", timeout=1)
            assert 0.9 < time.monotonic() - began < 3
            assert await status(e, "deaf") == "exited 137"
            await e.containers.stop("deaf")  # level: nothing to do
            with pytest.raises(NotRunning):
                await e.containers.kill("deaf")

    run(main())


def test_always_is_back_within_a_second(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            await started(e, restart_policy=RestartPolicy(name="always"))
            pid = (await e.containers.inspect("cc")).state.pid
            began = time.monotonic()
            os.kill(pid, signal.SIGKILL)

            async def back() -> bool:
                state = (await e.containers.inspect("cc")).state
                return state.status == "running" and state.pid != pid

            await eventually(back)
            assert time.monotonic() - began < 1.0
            assert (await e.containers.inspect("cc")).restart_count == 1
            await e.containers.stop("cc", timeout=0)
            shown = await e.containers.inspect("cc")
            assert shown.state.status == "exited"
            assert shown.stopped_by_request

    run(main())


def test_on_failure_gives_up(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            await started(e, "sh", "-c", "exit 4", restart_policy=RestartPolicy(name="on-failure", maximum_retry_count=2))

            async def given_up() -> bool:
                shown = await e.containers.inspect("cc")
                return shown.state.status == "exited" and shown.restart_count == 2

            await eventually(given_up)
            assert await status(e) == "exited 4"
            assert (await e.containers.wait("cc")).status_code == 4

    run(main())


def test_restart_is_stopped_while_it_waits(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            await started(e, "false", restart_policy=RestartPolicy(name="always"))

            async def waits() -> bool:
                return (await e.containers.inspect("cc")).state.status == "restarting"

            await eventually(waits)
            await e.containers.stop("cc")
            assert await status(e) == "exited 1"
            await asyncio.sleep(0.3)
            assert await status(e) == "exited 1"

    run(main())


def test_auto_remove(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            ident = await made(e, "sh", "-c", "exit 7", auto_remove=True)
            waiting = asyncio.ensure_future(e.containers.wait(ident, "removed"))
            await asyncio.sleep(0)
            await e.containers.start(ident)
            assert (await waiting).status_code == 7
            with pytest.raises(NotFound):
                await e.containers.inspect(ident)

    run(main())


def test_conmon_killed_the_container_runs_on_and_its_end_is_seen(engine: Opened) -> None:
    """Trap 5: no exit file ever comes; the process itself is watched."""

    async def main() -> None:
        async with engine() as e:
            ident = await started(e, "sleep", "1000")
            handle = e.registry.find(ident).run.handle
            assert handle is not None
            os.kill(handle.conmon.pid, signal.SIGKILL)
            await asyncio.sleep(0.2)
            assert (await e.containers.inspect(ident)).state.running
            await e.containers.kill(ident)
            shown = await e.containers.inspect(ident)
            assert shown.state.status == "exited"
            assert shown.state.exit_code in (137, 255)
            if shown.state.exit_code == 255:
                assert "unknown" in shown.state.error

    run(main())


def test_pause_and_what_it_forbids(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            await started(e)
            await e.containers.pause("cc")
            assert (await status(e)).startswith("paused")
            with pytest.raises(Conflict, match="already paused"):
                await e.containers.pause("cc")
            with pytest.raises(Conflict, match="paused and must be unpaused"):
                await e.containers.remove("cc")
            await e.containers.unpause("cc")
            await e.containers.pause("cc")
            await e.containers.stop("cc", timeout=1)  # a frozen process handles no signal: it is thawed
            assert (await status(e)).startswith("exited")
            await e.containers.start("cc")
            await e.containers.pause("cc")
            await e.containers.remove("cc", force=True)

    run(main())


def test_events_in_dockers_words(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            seen = e.events({"type": ["container"]})
            config = ContainerConfig(image="bb", cmd=("idle",), labels={"a": "b"}, host_config=HostConfig(network_mode="none"))
            await e.containers.create(config, "cc")
            await e.containers.start("cc")
            await e.containers.rename("cc", "dd")
            await e.containers.kill("dd")
            await e.containers.remove("dd")
            actions = []
            async with asyncio.timeout(patient(5)):
                async for event in seen:
                    actions.append(event.action)
                    assert event.actor.attributes["a"] == "b"
                    assert event.actor.attributes["image"] == "bb"
                    if event.action == "die":
                        assert event.actor.attributes["exitCode"] == "137"
                    if event.action == "destroy":
                        break
            assert actions == ["create", "start", "rename", "kill", "die", "destroy"]

    run(main())


def test_names_conflict_and_prefixes_find(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            ident = await made(e, name="web")
            with pytest.raises(Conflict, match=f'name "/web" is already in use by container "{ident}"'):
                await made(e, name="web")
            assert (await e.containers.inspect(ident[:12])).name == "/web"
            with pytest.raises(NotFound, match="No such container: x"):
                await e.containers.inspect("x")
            with pytest.raises(NotFound, match="No such image: nope"):
                await e.containers.create(ContainerConfig(image="nope"))

    run(main())


def test_shared_network_namespace(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            first = await started(e, name="aa", network_mode="bridge")
            await made(e, "sh", "-c", "exit 0", name="bb", network_mode="container:aa")
            await e.containers.start("bb")
            assert (await e.containers.wait("bb")).status_code == 0
            assert (await e.containers.inspect("bb")).host_config.network_mode == f"container:{first}"
            await e.containers.stop("aa", timeout=0)
            with pytest.raises(Conflict, match="non running container"):
                await e.containers.start("bb")

    run(main())
