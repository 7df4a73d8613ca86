"""Everything at once on few containers: whatever is asked in whatever order, each call ends, and the engine's picture stays true."""

from __future__ import annotations

import asyncio
import random

import pytest

from composer.engine.errors import EngineError
from composer.engine.local.engine import LocalEngine
from composer.engine.local.lifecycle import Phase
from composer.engine.model import ContainerConfig, ExecConfig, HealthConfig, HostConfig, LogOptions, RestartPolicy
from tests.conftest import Opened, run
from tests.fixtures.patience import patient

pytestmark = [pytest.mark.root, pytest.mark.slow]
NAMES = ("aa", "bb", "cc")


async def one(e: LocalEngine, moments: random.Random) -> None:
    name = moments.choice(NAMES)
    policy = moments.choice(("no", "always", "on-failure"))
    command = moments.choice((("idle",), ("sh", "-c", "sleep 0.2; exit 1"), ("nosuch",)))
    check = HealthConfig(test=("CMD", "true"), interval=50_000_000)
    host = HostConfig(
        network_mode=moments.choice(("none", "bridge")), restart_policy=RestartPolicy(name=policy), binds=(f"v{name}:/v", "/a")
    )
    config = ContainerConfig(image="bb", cmd=command, healthcheck=check, host_config=host)
    c = e.containers
    choice = moments.randrange(12)
    if choice <= 1:
        await c.create(config, name)
    elif choice <= 4:
        await c.start(name)
    elif choice == 5:
        await c.stop(name, timeout=moments.choice((0, 1)))
    elif choice == 6:
        await c.kill(name)
    elif choice == 7:
        await c.restart(name, timeout=0)
    elif choice == 8:
        await (c.pause(name) if moments.random() < 0.5 else c.unpause(name))
    elif choice == 9:
        await c.remove(name, force=moments.random() < 0.8, volumes=True)
    elif choice == 10:
        ident = await c.exec_create(name, ExecConfig(cmd=("true",), attach_stdout=True))
        stream = await c.exec_start(ident)
        if stream is not None:
            async for _ in stream:
                pass
            await stream.close()
    else:
        await c.list(all=True)
        [frame async for frame in c.logs(name, LogOptions())]


def test_a_storm_of_calls(engine: Opened) -> None:
    seed = random.randrange(1 << 30)

    async def client(e: LocalEngine, number: int) -> None:
        moments = random.Random(seed + number)
        for _ in range(25):
            try:
                async with asyncio.timeout(patient(20)):
                    await one(e, moments)
            except EngineError:
                pass  # refused: that is an answer

    async def main() -> None:
        async with engine() as e:
            await asyncio.gather(*(client(e, number) for number in range(6)))
            for held in e.registry:
                assert not held.lock.locked(), f"seed {seed}"
                if held.run.phase.alive:
                    assert e.runtime.alive(held.run.handle) or held.run.handle is None, f"seed {seed}"  # type: ignore[arg-type]
                assert held.run.phase is not Phase.STARTING, f"seed {seed}"

    run(main(), 110)
