"""Random interleavings of edits, commands, faults and kills of the daemon: the stack always ends as it is meant, and neither what is not
the stack's nor a volume is ever touched.

The quick profile belongs to the suite. All of it: ``COMPOSER_MODEL_EXAMPLES=5000 pytest tests/model``, which takes some minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from composer.engine.errors import EngineError
from composer.engine.local.state import State
from composer.engine.memory import MemoryEngine
from composer.engine.model import ContainerConfig, ContainerUpdate, HostConfig, Mount, NetworkConfig, VolumeConfig
from composer.reconcile import labels
from tests.model.daemon import Daemon, lose_pending
from tests.model.lives import VirtualLoop

EXAMPLES = int(os.environ.get("COMPOSER_MODEL_EXAMPLES", "30"))
NAME = "p"
SERVICES = ("a", "b", "c")


@dataclass(frozen=True)
class Wish:
    """One service of a revision."""

    image: str
    value: str
    scale: int
    restart: bool
    check: bool
    volume: str
    needs: bool
    back: bool
    care: str

    def text(self, name: str, earlier: str) -> str:
        lines = [f"  {name}:", f"    image: {self.image}", f"    scale: {self.scale}", f"    environment: {{V: '{self.value}'}}"]
        lines += ["    restart: always"] if self.restart else []
        lines += ["    healthcheck: {test: [CMD, 'true']}"] if self.check else []
        lines += [f"    volumes: ['{self.volume}:/data']"] if self.volume else []
        lines += [f"    depends_on: [{earlier}]"] if self.needs and earlier else []
        lines += ["    networks: [default, back]"] if self.back else []
        lines += [f"    x-heal: {self.care}"] if self.care else []
        return "\n".join(lines) + "\n"


WISHES = st.builds(
    Wish,
    image=st.sampled_from(["alpine", "busybox"]),
    value=st.sampled_from("12"),
    scale=st.integers(0, 2),
    restart=st.booleans(),
    check=st.booleans(),
    volume=st.sampled_from(["", "data", "ext"]),
    needs=st.booleans(),
    back=st.booleans(),
    care=st.sampled_from(["", "", "", "report", "ignore"]),
)
STEPS = st.one_of(st.none(), st.integers(0, 120))
TAILS = "volumes: {data: {}, ext: {external: true}}\nnetworks: {default: {}, back: {labels: {v: 'LABEL'}}}\n"


class Shared:
    """One state file for all examples: opening one costs more than an example."""

    state: State | None = None
    directory = Path()


def shared() -> State:
    if Shared.state is None:
        Shared.directory = Path(tempfile.mkdtemp(prefix="model-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        Shared.state = State(Shared.directory / "state.db")
    return Shared.state


class Interleavings(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        asyncio.set_event_loop(self.loop)
        self.state = shared()
        lose_pending(self.state)
        self.loop.run_until_complete(self.state.write("DELETE FROM rows", ()))
        self.directory = Path(tempfile.mkdtemp(dir=Shared.directory))
        self.engine = MemoryEngine(clock=self.loop.time)
        self.engine.healthy_at_once = True
        self.text = ""
        self.lives: list[Daemon] = []
        self.volumes: dict[str, str] = {}
        self.strangers: dict[str, str] = {}
        self.begin()

    def begin(self) -> None:
        self.daemon = Daemon(self.loop, self.engine, self.state, self.directory, NAME)
        self.lives.append(self.daemon)

    def reborn(self) -> None:
        """A new daemon when the old one is gone."""
        if not self.daemon.life.alive:
            lose_pending(self.state)
            self.begin()

    @initialize()
    def strange_things(self) -> None:
        """What is there and is not the stack's: by name, by a label that an image can carry, of another stack, a one-off container."""

        async def make() -> None:
            containers, tags = self.engine.containers, {labels.PROJECT: NAME, labels.SERVICE: "a", labels.NUMBER: "7"}
            await self.engine.volumes.create(VolumeConfig(name="ext"))
            await self.engine.networks.create(NetworkConfig(name="q_default", labels={labels.PROJECT: "q"}))
            await self.engine.volumes.create(VolumeConfig(name="p_other"))
            for name, own in (
                ("stranger", {}),
                ("p-a-7", tags),
                ("q-a-1", {**tags, labels.PROJECT: "q", labels.HASH: "1-x"}),
                ("p-a-run-1", {**tags, labels.ONEOFF: "True", labels.HASH: "1-x"}),
            ):
                host = HostConfig(mounts=(Mount(type="volume", source="ext", target="/e"),))
                made = await containers.create(ContainerConfig(image="alpine", labels=own, host_config=host), name)
                await containers.start(made.id)
                self.strangers[name] = made.id

        self.loop.run_until_complete(make())

    # What people do.

    @rule(
        wishes=st.dictionaries(st.sampled_from(SERVICES), WISHES, min_size=1),
        label=st.sampled_from("12"),
        orphans=st.booleans(),
        steps=STEPS,
    )
    def commit(self, wishes: dict[str, Wish], label: str, orphans: bool, steps: int | None) -> None:
        """A new revision is brought up."""
        names = sorted(wishes)
        bodies = [wishes[name].text(name, names[i - 1] if i else "") for i, name in enumerate(names)]
        self.text = f"services:\n{''.join(bodies)}{TAILS.replace('LABEL', label)}"
        self.daemon.call("up", self.text, {"remove_orphans": orphans}, steps)
        self.reborn()

    @precondition(lambda self: self.text)
    @rule(verb=st.sampled_from(["stop", "start", "restart", "pause", "unpause", "kill", "rm", "down", "up"]), steps=STEPS)
    def command(self, verb: str, steps: int | None) -> None:
        options: dict[str, Any] = {"stop": True} if verb == "rm" else {}
        self.daemon.call(verb, self.text, options, steps)
        self.reborn()

    @precondition(lambda self: self.text)
    @rule(service=st.sampled_from(SERVICES), count=st.integers(0, 3), steps=STEPS)
    def scale(self, service: str, count: int, steps: int | None) -> None:
        self.daemon.call("scale", self.text, {"scale": {service: count}}, steps)
        self.reborn()

    @rule()
    def kill_the_daemon(self) -> None:
        self.daemon.life.end()
        self.reborn()

    @rule(seconds=st.sampled_from([0.001, 0.05, 1.0, 20.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @rule(steps=st.integers(1, 60))
    def kill_the_daemon_while_it_heals(self, steps: int) -> None:
        self.daemon.life.steps = steps
        self.loop.run_until_complete(asyncio.sleep(70))
        self.daemon.life.steps = None
        self.reborn()

    # What goes wrong.

    @rule(
        kind=st.sampled_from(["exit", "remove", "stop", "kill", "pause", "rename", "limit", "unhealthy", "disconnect", "network", "image"]),
        which=st.integers(0, 5),
    )
    def fault(self, kind: str, which: int) -> None:
        """Somebody does something to one of the stack's containers, or to what it needs."""

        async def do() -> None:
            found = await self.engine.containers.list(all=True, filters={"label": [f"{labels.PROJECT}={NAME}"]})
            mine = sorted((c for c in found if c.id not in self.strangers.values()), key=lambda c: c.name)
            if mine:
                with contextlib.suppress(EngineError):
                    await self._fault(kind, mine[which % len(mine)])

        self.loop.run_until_complete(do())

    async def _fault(self, kind: str, container: Any) -> None:
        engine, ident = self.engine, container.id
        if kind == "exit":
            engine.exit(ident, 1)
        elif kind == "remove":
            await engine.containers.remove(ident, force=True)
        elif kind in ("stop", "kill", "pause"):
            await getattr(engine.containers, kind)(ident)
        elif kind == "rename":
            await engine.containers.rename(ident, f"other-{ident[:6]}")
        elif kind == "limit":
            await engine.containers.update(ident, ContainerUpdate(memory=64 << 20))
        elif kind == "unhealthy" and container.state.health is not None and container.state.running:
            engine.health(ident, "unhealthy")
        elif kind in ("disconnect", "network"):
            for name in sorted(container.network_settings.networks)[:1]:
                network = await engine.networks.inspect(name)
                for member in network.containers if kind == "network" else (ident,):
                    await engine.networks.disconnect(name, member, force=True)
                if kind == "network":
                    await engine.networks.remove(name)
        elif kind == "image":
            engine.add_image("alpine:latest")  # the name means another image now

    # What must always be so.

    @invariant()
    def what_is_not_ours_is_as_it_was(self) -> None:
        world = self.engine.world
        for name, ident in self.strangers.items():
            record = world.containers.get(ident)
            assert record is not None, f"{name} was removed"
            assert (record.running, record.name) == (True, name), f"{name} was touched"
        if self.strangers:
            assert {"ext", "p_other"} <= set(world.volumes)
            assert "q_default" in {network.name for network in world.networks.values()}

    @invariant()
    def volumes_stay(self) -> None:
        here = {name: volume.created_at for name, volume in self.engine.world.volumes.items() if name.startswith(("p_", "ext"))}
        for name, made in self.volumes.items():
            assert here.get(name) == made, f"volume {name} was removed"
        self.volumes = here

    @invariant()
    def the_daemon_makes_no_mistake(self) -> None:
        for daemon in self.lives:
            if daemon.log.mistakes:
                raise daemon.log.mistakes[0]

    def teardown(self) -> None:
        try:
            self.daemon.settle()
            self.what_is_not_ours_is_as_it_was()
            self.volumes_stay()
            self.the_daemon_makes_no_mistake()
        finally:
            self._clear()

    def _clear(self) -> None:
        for daemon in self.lives:
            daemon.life.end()
            daemon.life.forgotten = True
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        with contextlib.suppress(Exception):
            for _ in range(4):
                self.loop.run_until_complete(asyncio.sleep(0))
        for daemon in self.lives:
            daemon.life.forget()
        lose_pending(self.state)
        asyncio.set_event_loop(None)
        self.loop.close()
        shutil.rmtree(self.directory, ignore_errors=True)


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=10,
    deadline=None,
    derandomize="COMPOSER_MODEL_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
