"""What a starting engine makes of what an earlier one left: after kill -9 at any moment, an orderly end, a reboot, a lost database."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from composer.engine.errors import NotFound, Unavailable
from composer.engine.local.engine import LocalEngine, Settings
from composer.engine.local.layout import Layout
from composer.engine.local.lifecycle import Phase
from composer.engine.local.runtime.cgroup import Hierarchies
from composer.engine.model import ContainerConfig, HostConfig, LogOptions, RestartPolicy
from tests.conftest import Opened, clear, eventually, open_engine, run
from tests.fixtures.patience import patient

pytestmark = pytest.mark.root

# An engine of its own process that makes and removes containers until it is killed; it says "ready" first, then what it did.
LOOP = """
import asyncio, sys
from pathlib import Path
from composer.engine.local.engine import LocalEngine
from composer.engine.local.layout import Layout
from composer.engine.model import ContainerConfig, HostConfig, RestartPolicy

async def main():
    engine = LocalEngine(Layout(Path(sys.argv[1]), Path(sys.argv[2]), pool=sys.argv[3]))
    await engine.start()
    print("ready", flush=True)
    async def one(name):
        while True:
            host = HostConfig(network_mode="bridge", binds=("vol-" + name + ":/v", "/anonymous"))
            await engine.containers.create(ContainerConfig(image="bb", cmd=("idle",), host_config=host), name)
            await engine.containers.start(name)
            await engine.containers.stop(name, timeout=0)
            await engine.containers.start(name)
            await engine.containers.remove(name, force=True, volumes=True)
    await asyncio.gather(*(one(f"loop{n}") for n in range(3)))

asyncio.run(main())
"""


def spawn(place: Layout) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP, str(place.root), str(place.run), place.pool],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_kill_9_at_random_moments_leaves_nothing_that_no_row_owns(engine: Opened, place: Layout) -> None:
    rounds = int(os.environ.get("COMPOSER_TEST_KILLS", "8"))
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)

    async def prepare() -> None:
        async with engine():
            pass

    async def look() -> None:
        async with open_engine(place) as e:
            for held in e.registry:
                assert held.run.phase in (Phase.CREATED, Phase.EXITED, Phase.RUNNING), f"seed {seed}: {held.run}"
                if held.run.phase is Phase.RUNNING:
                    assert (await e.containers.inspect(held.id)).state.pid > 0
                    await e.containers.stop(held.id, timeout=0)
                await e.containers.start(held.id)  # whatever it was, it works
            await clear(e)
            assert not list((place.root / "containers").iterdir()), f"seed {seed}"

    run(prepare())
    for _ in range(rounds):
        process = spawn(place)
        time.sleep(moments.uniform(0.01, 0.6))
        process.kill()
        process.communicate(timeout=patient(10))
        run(look())


def test_containers_run_on_and_are_known_again(engine: Opened, place: Layout) -> None:
    async def main() -> None:
        async with engine() as first:
            host = HostConfig(network_mode="bridge")
            script = "trap 'exit 5' TERM; n=0; while :; do n=$((n+1)); echo $n; sleep 0.1 & wait $!; done"
            ident = (await first.containers.create(ContainerConfig(image="bb", cmd=("sh", "-c", script), host_config=host), "cc")).id
            ended = (
                await first.containers.create(ContainerConfig(image="bb", cmd=("sh", "-c", "sleep 0.4; exit 9"), host_config=host), "dd")
            ).id
            await first.containers.start(ident)
            await first.containers.start(ended)
            before = await first.containers.inspect(ident)
            await first.close()
            await asyncio.sleep(0.6)
            async with open_engine(place) as second:
                after = await second.containers.inspect(ident)
                assert after.state.running
                assert after.state.pid == before.state.pid
                assert after.network_settings.networks["bridge"].ip_address == before.network_settings.networks["bridge"].ip_address
                await eventually(lambda: has_ended(second, ended))
                assert (await second.containers.inspect(ended)).state.exit_code == 9
                await second.containers.stop(ident)
                assert (await second.containers.inspect(ident)).state.exit_code == 5
                lines = [int(f.data) async for f in second.containers.logs(ident, LogOptions())]
                assert lines == list(range(1, len(lines) + 1))
                assert len(lines) > 5
                await clear(second)
            await restart_empty(first)

    run(main())


def test_an_engine_with_another_cgroup_parent_knows_where_its_containers_are(engine: Opened, place: Layout) -> None:
    """On demand first, then by the unit of `engine install`, with a container running in between."""

    async def main() -> None:
        async with engine() as first:
            host = HostConfig(memory=64 << 20, network_mode="none")
            ident = (await first.containers.create(ContainerConfig(image="bb", cmd=("sleep", "100"), host_config=host), "cc")).id
            await first.containers.start(ident)
            await first.close()
            async with open_engine(replace(place, cgroup_parent=f"{place.default_cgroups}-unit")) as second:
                cgroup = Path(f"/proc/{(await second.containers.inspect(ident)).state.pid}/cgroup")
                assert f"{place.default_cgroups}/{ident}" in cgroup.read_text()
                stats = await anext(second.containers.stats(ident, stream=False))
                assert stats.memory_stats.limit == 64 << 20
                await second.containers.pause(ident)
                await second.containers.unpause(ident)
                await second.containers.restart(ident, timeout=0)
                cgroup = Path(f"/proc/{(await second.containers.inspect(ident)).state.pid}/cgroup")
                assert f"{place.default_cgroups}-unit/{ident}" in cgroup.read_text()
                await clear(second)
            Hierarchies.detect().delete(f"{place.default_cgroups}-unit")  # a unit's own is systemd's to remove
            await restart_empty(first)

    run(main())


async def restart_empty(engine: LocalEngine) -> None:
    """`engine` was closed inside its own block: start it anew so that the block's end finds one."""
    engine.__init__(engine.layout)  # type: ignore[misc]
    await engine.start()


async def has_ended(e: LocalEngine, ref: str) -> bool:
    return (await e.containers.inspect(ref)).state.status == "exited"


def test_policies_after_a_reboot(engine: Opened, place: Layout) -> None:
    """A boot id that differs: nothing runs, whatever the rows say; policies decide, but for what `hold` leaves to others."""

    async def main() -> None:
        async with engine() as e:
            for name, policy in (
                ("no", "no"),
                ("always", "always"),
                ("unless", "unless-stopped"),
                ("stopped", "unless-stopped"),
                ("held", "always"),
            ):
                config = ContainerConfig(
                    image="bb",
                    cmd=("idle",),
                    labels={"held": "yes"} if name == "held" else {},
                    host_config=HostConfig(network_mode="none", restart_policy=RestartPolicy(name=policy)),
                )
                await e.containers.create(config, name)
                await e.containers.start(name)
            await e.containers.stop("stopped", timeout=0)
            for held in e.registry:
                if held.run.handle is not None:
                    await e.registry.run(held, held.run.replace(boot="another boot"))
            await e.close()
            async with open_engine(place, settings=Settings(hold=lambda labels, _: "held" in labels)) as again:
                await eventually(lambda: running(again, {"always", "unless"}))
                assert (await again.containers.inspect("no")).state.exit_code == 255
                await clear(again)
            await restart_empty(e)

    run(main())


async def running(e: LocalEngine, wanted: set[str]) -> bool:
    return {c.name[1:] for c in await e.containers.list()} == wanted


def test_a_restart_that_was_waiting_goes_on(engine: Opened, place: Layout) -> None:
    async def main() -> None:
        async with engine() as e:
            host = HostConfig(network_mode="none", restart_policy=RestartPolicy(name="always"), binds=("vol:/v",))
            config = ContainerConfig(image="bb", cmd=("sh", "-c", "test -e /v/go && exec idle; exit 1"), host_config=host)
            await e.containers.create(config, "cc")
            await e.containers.start("cc")

            async def waits() -> bool:
                return (await e.containers.inspect("cc")).state.status == "restarting"

            await eventually(waits)
            (Path((await e.volumes.inspect("vol")).mountpoint) / "go").touch()
            await e.close()
            async with open_engine(place) as again:
                await eventually(lambda: running(again, {"cc"}))
                await clear(again)
            await restart_empty(e)

    run(main())


def test_an_empty_database_is_not_believed(engine: Opened, place: Layout) -> None:
    """Trap 6: what runs goes on running, and nothing is deleted."""

    async def main() -> None:
        async with engine() as e:
            await e.containers.create(ContainerConfig(image="bb", cmd=("idle",), host_config=HostConfig(network_mode="none")), "cc")
            await e.containers.start("cc")
            pid = (await e.containers.inspect("cc")).state.pid
            await e.close()
            kept = place.database.read_bytes()
            for extra in ("-wal", "-shm"):
                place.database.with_name(place.database.name + extra).unlink(missing_ok=True)
            place.database.write_bytes(b"")
            with pytest.raises(Unavailable, match="missing or empty"):
                async with open_engine(place):
                    pass
            os.kill(pid, 0)
            place.database.write_bytes(kept)
            async with open_engine(place) as again:
                assert (await again.containers.inspect("cc")).state.pid == pid
                await clear(again)
            await restart_empty(e)

    run(main())


def test_a_reused_pid_is_not_taken_for_the_container(engine: Opened, place: Layout) -> None:
    """Trap 9: the row's pid is another process now: it is neither shown as the container's, nor signalled."""

    async def main() -> None:
        async with engine() as e:
            await e.containers.create(ContainerConfig(image="bb", cmd=("idle",), host_config=HostConfig(network_mode="none")), "cc")
            await e.containers.start("cc")
            held = e.registry.find("cc")
            handle = held.run.handle
            assert handle is not None
            other = subprocess.Popen(["sleep", "1000"])  # noqa: ASYNC220
            try:
                from dataclasses import replace

                stolen = replace(handle, init=replace(handle.init, pid=other.pid))
                await e.registry.run(held, held.run.replace(handle=stolen))
                os.kill(handle.init.pid, signal.SIGKILL)
                await e.close()
                async with open_engine(place) as again:
                    await eventually(lambda: has_ended(again, "cc"))
                    assert other.poll() is None
                    await again.containers.remove("cc", force=True)
                assert other.poll() is None
            finally:
                other.kill()
                other.wait(10)
            await restart_empty(e)

    run(main())


def test_a_removal_that_was_begun_is_finished(engine: Opened, place: Layout) -> None:
    async def main() -> None:
        async with engine() as e:
            host = HostConfig(network_mode="none", binds=("/anonymous",))
            await e.containers.create(ContainerConfig(image="bb", cmd=("idle",), host_config=host), "cc")
            held = e.registry.find("cc")
            await e.registry.run(held, held.run.replace(phase=Phase.REMOVING, take_volumes=True))
            await e.close()
            async with open_engine(place) as again:
                with pytest.raises(NotFound):
                    await again.containers.inspect("cc")
                assert await again.volumes.list() == []
            assert not list((place.root / "containers").iterdir())
            await restart_empty(e)

    run(main())
