"""The contract of containers: life, names, conflicts, filters."""

from __future__ import annotations

import asyncio

import pytest

from composer.engine.errors import CommandNotFound, Conflict, InvalidArgument, NotFound, NotRunning
from composer.engine.interface import Engine
from composer.engine.model import ZERO_TIME, ContainerUpdate, HostConfig, RestartPolicy
from tests.contract.behaviour import behaviour, config, eventually, ran, started, status


async def lifecycle(engine: Engine) -> None:
    made = await engine.containers.create(config(), "life")
    one = await engine.containers.inspect("life")
    assert one.id == made.id
    assert (one.name, one.state.status, one.state.started_at) == ("/life", "created", ZERO_TIME)
    assert (one.path, one.args, one.config.image) == ("idle", (), "ctbb:latest")
    assert one.config.hostname == made.id[:12]
    assert one.host_config.log_config.type == "json-file"
    await engine.containers.start("life")
    await engine.containers.start("life")  # level: it runs already
    one = await engine.containers.inspect(made.id[:12])
    assert one.state.running
    assert one.state.pid > 0
    assert one.state.started_at > one.created
    await engine.containers.pause("life")
    assert await status(engine, "life") == "paused"
    await engine.containers.unpause("life")
    assert await status(engine, "life") == "running"
    await engine.containers.stop("life", timeout=5)
    await engine.containers.stop("life")  # level
    one = await engine.containers.inspect("life")
    assert (one.state.status, one.state.exit_code, one.state.pid) == ("exited", 0, 0)
    await engine.containers.restart("life", timeout=5)
    assert await status(engine, "life") == "running"
    await engine.containers.kill("life")
    await eventually(lambda: _is(engine, "life", "exited"))
    assert (await engine.containers.inspect("life")).state.exit_code == 137
    await engine.containers.remove("life")
    with pytest.raises(NotFound, match="No such container: life"):
        await engine.containers.inspect("life")


async def _is(engine: Engine, ref: str, wanted: str) -> bool:
    return await status(engine, ref) == wanted


async def exit_codes(engine: Engine) -> None:
    assert await ran(engine, "zero", "true") == 0
    assert await ran(engine, "three", "sh", "-c", "exit 3") == 3
    one = await engine.containers.inspect("three")
    assert (one.state.status, one.state.exit_code) == ("exited", 3)
    assert one.state.finished_at >= one.state.started_at


async def command_not_found(engine: Engine) -> None:
    await engine.containers.create(config("/no/such"), "missing")
    with pytest.raises(CommandNotFound):
        await engine.containers.start("missing")
    one = await engine.containers.inspect("missing")
    assert (one.state.status, one.state.exit_code) == ("created", 127)


async def names(engine: Engine) -> None:
    first = await engine.containers.create(config(), "taken")
    with pytest.raises(Conflict, match=f'The container name "/taken" is already in use by container "{first.id}"'):
        await engine.containers.create(config(), "taken")
    with pytest.raises(InvalidArgument, match="Invalid container name"):
        await engine.containers.create(config(), "in valid")
    await engine.containers.rename("taken", "free")
    assert (await engine.containers.inspect("free")).name == "/free"
    with pytest.raises(NotFound):
        await engine.containers.inspect("taken")
    second = await engine.containers.create(config(), "taken")
    with pytest.raises(Conflict):
        await engine.containers.rename(second.id, "free")
    generated = await engine.containers.inspect((await engine.containers.create(config())).id)
    assert len(generated.name) > 2


async def conflicts(engine: Engine) -> None:
    await started(engine, "busy")
    with pytest.raises(Conflict, match="container is running: stop the container before removing or force remove"):
        await engine.containers.remove("busy")
    await engine.containers.pause("busy")
    with pytest.raises(Conflict, match="already paused"):
        await engine.containers.pause("busy")
    await engine.containers.unpause("busy")
    await engine.containers.stop("busy", timeout=5)
    for refused in (engine.containers.pause("busy"), engine.containers.kill("busy")):
        with pytest.raises(NotRunning, match="is not running"):
            await refused
    await started(engine, "forced")
    await engine.containers.remove("forced", force=True)
    with pytest.raises(NotFound, match="No such image: nosuch:latest"):
        await engine.containers.create(config().replace(image="nosuch"), "imageless")


async def filters(engine: Engine) -> None:
    await started(engine, "alpha", labels={"tier": "web", "x": "1"})
    await engine.containers.create(config(labels={"tier": "db"}), "beta")
    await ran(engine, "gamma", "sh", "-c", "exit 3", labels={"tier": "web"})

    async def found(all: bool = True, **wanted: list[str]) -> set[str]:
        return {one.name.removeprefix("/") for one in await engine.containers.list(all=all, filters=wanted)}

    async def only_alpha() -> bool:
        return await found(all=False) == {"alpha"}

    await eventually(only_alpha)  # dockerd's list lags a little behind its wait
    assert await found() == {"alpha", "beta", "gamma"}
    assert await found(label=["tier=web"]) == {"alpha", "gamma"}
    assert await found(label=["tier=web", "x"]) == {"alpha"}
    assert await found(name=["^/?al"]) == {"alpha"}
    assert await found(name=["beta", "gamma"]) == {"beta", "gamma"}
    assert await found(status=["created", "exited"]) == {"beta", "gamma"}
    assert await found(all=False, status=["exited"]) == {"gamma"}
    assert await found(exited=["3"]) == {"gamma"}
    assert await found(ancestor=["ctbb"]) == {"alpha", "beta", "gamma"}
    assert await found(id=[(await engine.containers.inspect("beta")).id]) == {"beta"}
    with pytest.raises(InvalidArgument, match="invalid filter 'nosuch'"):
        await found(nosuch=["x"])
    with pytest.raises(InvalidArgument):
        await found(status=["nosuch"])
    assert [one.name for one in await engine.containers.list(all=True)] == ["/gamma", "/beta", "/alpha"]


async def restart_policy(engine: Engine) -> None:
    host = HostConfig(network_mode="none", restart_policy=RestartPolicy(name="on-failure", maximum_retry_count=2))
    await started(engine, "again", "sh", "-c", "exit 7", host_config=host)

    async def given_up() -> bool:
        one = await engine.containers.inspect("again")
        return one.state.status == "exited" and one.restart_count == 2

    await eventually(given_up)
    assert (await engine.containers.inspect("again")).state.exit_code == 7
    always = HostConfig(network_mode="none", restart_policy=RestartPolicy(name="always"))
    first = await started(engine, "kept", host_config=always)
    await engine.containers.stop("kept", timeout=5)
    await asyncio.sleep(0.3)  # a stop that was asked for is not undone by the policy
    assert await status(engine, "kept") == "exited"
    assert first.state.running


async def auto_remove(engine: Engine) -> None:
    made = await engine.containers.create(config("true", host_config=HostConfig(network_mode="none", auto_remove=True)), "gone")
    waiting = asyncio.ensure_future(engine.containers.wait(made.id, "removed"))
    await asyncio.sleep(0.05)
    await engine.containers.start("gone")
    assert (await waiting).status_code == 0
    with pytest.raises(NotFound):
        await engine.containers.inspect("gone")


async def wait_conditions(engine: Engine) -> None:
    await engine.containers.create(config("sh", "-c", "exit 4"), "waited")
    assert (await engine.containers.wait("waited")).status_code == 0  # it does not run
    nxt = asyncio.ensure_future(engine.containers.wait("waited", "next-exit"))
    gone = asyncio.ensure_future(engine.containers.wait("waited", "removed"))
    await asyncio.sleep(0.1)
    assert not nxt.done()
    await engine.containers.start("waited")
    assert (await nxt).status_code == 4
    assert (await engine.containers.wait("waited")).status_code == 4
    assert not gone.done()
    await engine.containers.remove("waited")
    assert (await gone).status_code == 4
    with pytest.raises(NotFound):
        await engine.containers.wait("waited")


async def update(engine: Engine) -> None:
    await engine.containers.create(config(), "changed")
    await engine.containers.update("changed", ContainerUpdate(restart_policy=RestartPolicy(name="always")))
    host = (await engine.containers.inspect("changed")).host_config
    assert host.restart_policy.name == "always"
    assert host.network_mode == "none"


async def prune(engine: Engine) -> None:
    await started(engine, "runs")
    await ran(engine, "ended", "true", labels={"keep": ""})
    ended = (await engine.containers.inspect("ended")).id
    assert (await engine.containers.prune({"label": ["other"]})).deleted == ()
    assert (await engine.containers.prune({"label": ["keep"]})).deleted == (ended,)
    assert [one.name for one in await engine.containers.list(all=True)] == ["/runs"]


test_lifecycle = behaviour(lifecycle)
test_exit_codes = behaviour(exit_codes)
test_command_not_found = behaviour(command_not_found)
test_names = behaviour(names)
test_conflicts = behaviour(conflicts)
test_filters = behaviour(filters)
test_restart_policy = behaviour(restart_policy)
test_auto_remove = behaviour(auto_remove)
test_wait_conditions = behaviour(wait_conditions)
test_update = behaviour(update)
test_prune = behaviour(prune)
