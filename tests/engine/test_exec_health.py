"""exec and health checks in real containers."""

from __future__ import annotations

import asyncio

import pytest

from composer.engine.errors import CommandNotFound, Conflict, NotFound, NotRunning
from composer.engine.local.engine import LocalEngine
from composer.engine.model import ContainerConfig, ExecConfig, HealthConfig, HostConfig
from tests.conftest import Opened, eventually, run
from tests.fixtures.patience import patient

pytestmark = pytest.mark.root
MS = 1_000_000


async def up(e: LocalEngine, **changes: object) -> str:
    config = ContainerConfig(image="bb", cmd=("idle",), host_config=HostConfig(network_mode="none")).replace(**changes)
    ident = (await e.containers.create(config, "cc")).id
    await e.containers.start(ident)
    return ident


async def execute(e: LocalEngine, *cmd: str, stdin: bytes = b"", **changes: object) -> tuple[bytes, int | None]:
    config = ExecConfig(cmd=cmd, attach_stdin=bool(stdin), attach_stdout=True, attach_stderr=True).replace(**changes)
    ident = await e.containers.exec_create("cc", config)
    stream = await e.containers.exec_start(ident, tty=config.tty)
    assert stream is not None
    if stdin:
        await stream.write(stdin)
        await stream.close_stdin()
    text = b"".join([frame.data async for frame in stream])

    async def ended() -> bool:
        return not (await e.containers.exec_inspect(ident)).running

    await eventually(ended)
    return text, (await e.containers.exec_inspect(ident)).exit_code


def test_exec(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            await up(e, env=("A=container", "B=container"), working_dir="/srv/app")
            assert await execute(e, "sh", "-c", "pwd; echo $A $B; id -u; exit 3", env=("B=own",)) == (b"/srv/app\ncontainer own\n0\n", 3)
            assert await execute(e, "id", "-un", user="app") == (b"app\n", 0)
            assert await execute(e, "cat", stdin=b"x" * 100_000) == (b"x" * 100_000, 0)
            assert (await execute(e, "tty", tty=True))[0].startswith(b"/dev/")
            ident = await e.containers.exec_create("cc", ExecConfig(cmd=("nosuch",), attach_stdout=True))
            try:
                stream = await e.containers.exec_start(ident)
                assert stream is not None
                assert b"executable file not found" in b"".join([f.data async for f in stream])
            except CommandNotFound:
                pass

            async def told() -> bool:
                return (await e.containers.exec_inspect(ident)).exit_code == 127

            await eventually(told)
            with pytest.raises(Conflict):
                await e.containers.exec_start(ident)
            with pytest.raises(NotFound, match="No such exec instance"):
                await e.containers.exec_inspect("nosuch")
            detached = await e.containers.exec_create("cc", ExecConfig(cmd=("sh", "-c", "echo y >/flag")))
            assert await e.containers.exec_start(detached, detach=True) is None

            async def done() -> bool:
                return (await execute(e, "cat", "/flag"))[0] == b"y\n"

            await eventually(done)
            await e.containers.pause("cc")
            with pytest.raises(Conflict, match="is paused, unpause the container before exec"):
                await e.containers.exec_create("cc", ExecConfig(cmd=("true",)))
            await e.containers.unpause("cc")
            await e.containers.stop("cc", timeout=0)
            with pytest.raises(NotRunning):
                await e.containers.exec_create("cc", ExecConfig(cmd=("true",)))

    run(main())


def test_an_exec_that_hangs_does_not_hold_up_the_end(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            await up(e)
            ident = await e.containers.exec_create("cc", ExecConfig(cmd=("sleep", "1000")))
            await e.containers.exec_start(ident, detach=True)
            async with asyncio.timeout(patient(3)):
                await e.containers.kill("cc")

            async def ended() -> bool:
                return not (await e.containers.exec_inspect(ident)).running

            await eventually(ended)

    run(main())


def test_health_follows_the_probes(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            events = e.events({"event": ["health_status"]})
            check = HealthConfig(test=("CMD-SHELL", "echo probing; test -e /ok"), interval=100 * MS, timeout=2000 * MS, retries=2)
            await up(e, healthcheck=check)
            assert (await health(e)).startswith("starting")
            await execute(e, "touch", "/ok")
            await eventually(lambda: is_health(e, "healthy"))
            await execute(e, "rm", "/ok")
            await eventually(lambda: is_health(e, "unhealthy"))
            shown = (await e.containers.inspect("cc")).state.health
            assert shown is not None
            assert shown.failing_streak >= 2
            assert 0 < len(shown.log) <= 5
            assert shown.log[-1].output == "probing\n"
            assert shown.log[-1].exit_code == 1
            actions = [(await anext(events)).action for _ in range(2)]
            assert [a for a in actions if a.endswith("unhealthy")] or actions[0].endswith("healthy")
            assert [c.name for c in await e.containers.list(filters={"health": ["unhealthy"]})] == ["/cc"]

    run(main())


def test_a_probe_that_takes_too_long_fails_and_is_killed(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            check = HealthConfig(test=("CMD", "sleep", "777"), interval=50 * MS, timeout=200 * MS, retries=1)
            await up(e, healthcheck=check)
            await eventually(lambda: is_health(e, "unhealthy"))
            shown = (await e.containers.inspect("cc")).state.health
            assert shown is not None
            assert shown.log[0].output == "Health check exceeded timeout (200ms)"
            assert shown.log[0].exit_code == -1
            await eventually(lambda: few_sleeps(e))

    run(main())


async def few_sleeps(e: LocalEngine) -> bool:
    rows = (await e.containers.top("cc")).processes
    return sum("sleep 777" in row[-1] for row in rows) <= 1


def test_start_period_and_interval(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            check = HealthConfig(
                test=("CMD", "test", "-e", "/ok"), interval=60_000 * MS, start_period=60_000 * MS, start_interval=100 * MS, retries=1
            )
            await up(e, healthcheck=check)
            await asyncio.sleep(0.5)
            assert await is_health(e, "starting")  # failures within the start period do not count
            await execute(e, "touch", "/ok")
            await eventually(lambda: is_health(e, "healthy"), within=3)

    run(main())


async def health(e: LocalEngine) -> str:
    found = (await e.containers.inspect("cc")).state.health
    return found.status if found is not None else "none"


async def is_health(e: LocalEngine, wanted: str) -> bool:
    return await health(e) == wanted
