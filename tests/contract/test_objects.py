"""The contract of networks, volumes, images and events."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest

from composer.engine.errors import Conflict, NotFound, Unsupported
from composer.engine.interface import Engine
from composer.engine.model import (
    IPAM,
    EndpointSettings,
    Event,
    HostConfig,
    IPAMPool,
    Mount,
    NetworkConfig,
    NetworkingConfig,
    PortBinding,
    VolumeConfig,
)
from tests.contract.behaviour import behaviour, config, eventually, ran, started


async def networks(engine: Engine) -> None:
    made = await engine.networks.create(NetworkConfig(name="contract-net", labels={"contract": "yes"}))
    network = await engine.networks.inspect("contract-net")
    assert (network.id, network.driver, network.scope) == (made, "bridge", "local")
    subnet = ipaddress.ip_network(network.ipam.config[0].subnet)
    assert ipaddress.ip_address(network.ipam.config[0].gateway) in subnet
    with pytest.raises(Conflict, match="network with name contract-net already exists"):
        await engine.networks.create(NetworkConfig(name="contract-net"))
    with pytest.raises(Conflict, match="Pool overlaps"):
        await engine.networks.create(NetworkConfig(name="contract-over", ipam=IPAM(config=(IPAMPool(subnet=str(subnet)),))))
    assert [one.name for one in await engine.networks.list({"label": ["contract=yes"]})] == ["contract-net"]
    assert {"bridge", "host", "none"} <= {one.name for one in await engine.networks.list({"type": ["builtin"]})}
    await engine.networks.remove("contract-net")
    with pytest.raises(NotFound, match="network contract-net not found"):
        await engine.networks.inspect("contract-net")
    with pytest.raises(Conflict):
        await engine.networks.remove("bridge")


async def endpoints(engine: Engine) -> None:
    await engine.networks.create(NetworkConfig(name="contract-a"))
    await engine.networks.create(NetworkConfig(name="contract-b"))
    joined = NetworkingConfig(endpoints_config={"contract-a": EndpointSettings(aliases=("web",))})
    host = HostConfig(network_mode="contract-a")
    one = await started(engine, "member", host_config=host, networking_config=joined)
    end = one.network_settings.networks["contract-a"]
    network = await engine.networks.inspect("contract-a")
    assert ipaddress.ip_address(end.ip_address) in ipaddress.ip_network(network.ipam.config[0].subnet)
    assert "web" in end.aliases
    assert network.containers[one.id].name == "member"
    with pytest.raises(Conflict, match="has active endpoints"):
        await engine.networks.remove("contract-a")
    await engine.networks.connect("contract-b", "member", EndpointSettings())
    one = await engine.containers.inspect("member")
    assert set(one.network_settings.networks) == {"contract-a", "contract-b"}
    await engine.networks.disconnect("contract-b", "member")
    assert set((await engine.containers.inspect("member")).network_settings.networks) == {"contract-a"}
    assert [c.name for c in await engine.containers.list(all=True, filters={"network": ["contract-a"]})] == ["/member"]
    with pytest.raises(NotFound, match="network nosuch not found"):
        await engine.networks.connect("nosuch", "member", EndpointSettings())
    await engine.containers.stop("member", timeout=5)
    assert (await engine.networks.inspect("contract-a")).containers == {}


async def ports(engine: Engine) -> None:
    bound = {"80/tcp": (PortBinding(host_ip="127.0.0.1", host_port="0"),)}
    one = await started(engine, "published", exposed_ports={"80/tcp": {}}, host_config=HostConfig(port_bindings=bound))
    chosen = one.network_settings.ports["80/tcp"]
    assert chosen
    assert chosen[0].host_ip == "127.0.0.1"
    assert int(chosen[0].host_port) > 0


async def volumes(engine: Engine) -> None:
    made = await engine.volumes.create(VolumeConfig(name="contract-data", labels={"contract": ""}))
    assert (made.name, made.driver, made.scope) == ("contract-data", "local", "local")
    assert made.mountpoint.startswith("/")
    again = await engine.volumes.create(VolumeConfig(name="contract-data"))
    assert again.created_at == made.created_at
    assert [one.name for one in await engine.volumes.list({"label": ["contract"]})] == ["contract-data"]
    host = HostConfig(network_mode="none", binds=("contract-data:/data",))
    user = await engine.containers.create(config(host_config=host), "keeper")
    with pytest.raises(Conflict, match="volume is in use"):
        await engine.volumes.remove("contract-data")
    point = (await engine.containers.inspect("keeper")).mounts[0]
    assert (point.type, point.name, point.destination, point.rw) == ("volume", "contract-data", "/data", True)
    assert "contract-data" not in {one.name for one in await engine.volumes.list({"dangling": ["true"]})}
    await engine.containers.remove(user.id, volumes=True)
    assert (await engine.volumes.inspect("contract-data")).name == "contract-data"  # a named volume outlives its containers
    await engine.volumes.remove("contract-data")
    with pytest.raises(NotFound, match="no such volume"):
        await engine.volumes.remove("contract-data")
    await engine.volumes.remove("contract-data", force=True)
    with pytest.raises((Unsupported, NotFound)):
        await engine.volumes.create(VolumeConfig(name="contract-x", driver="nosuch"))


async def anonymous_volumes(engine: Engine) -> None:
    host = HostConfig(network_mode="none", mounts=(Mount(type="volume", target="/two"),))
    await engine.containers.create(config(volumes={"/one": {}}, host_config=host), "nameless")
    points = (await engine.containers.inspect("nameless")).mounts
    assert sorted(point.destination for point in points) == ["/one", "/two"]
    assert all(len(point.name) == 64 for point in points)
    await engine.containers.remove("nameless", volumes=True)
    left = {one.name for one in await engine.volumes.list()}
    assert not left & {point.name for point in points}


async def images(engine: Engine) -> None:
    image = await engine.images.inspect("ctbb")
    assert image.id.startswith("sha256:")
    assert "ctbb:latest" in image.repo_tags
    assert (await engine.images.inspect(image.id)).id == image.id
    assert (await engine.images.inspect(image.id[7:19])).id == image.id
    await engine.images.tag("ctbb", "ctbb:second")
    assert {"ctbb:latest", "ctbb:second"} <= set((await engine.images.inspect(image.id)).repo_tags)
    assert [row.id for row in await engine.images.list(filters={"reference": ["ctbb:second"]})] == [image.id]
    await started(engine, "user")
    steps = await engine.images.remove("ctbb:second")
    assert [step.untagged for step in steps] == ["ctbb:second"]
    with pytest.raises(Conflict):
        await engine.images.remove("ctbb:latest")
    with pytest.raises(NotFound, match="No such image: nosuch:latest"):
        await engine.images.inspect("nosuch")
    assert len(await engine.images.history("ctbb")) >= 1


async def saving(engine: Engine) -> None:
    before = await engine.images.inspect("ctbb")
    tar = b"".join([piece async for piece in engine.images.save(["ctbb"])])
    await engine.images.remove("ctbb")
    with pytest.raises(NotFound):
        await engine.images.inspect("ctbb")

    async def whole() -> object:
        yield tar

    told = [line.stream async for line in engine.images.load(whole())]  # type: ignore[arg-type]
    assert "Loaded image: ctbb:latest\n" in told
    assert (await engine.images.inspect("ctbb")).config.cmd == before.config.cmd


async def events(engine: Engine) -> None:
    seen: list[Event] = []

    async def watch(source: object) -> None:
        async for event in source:  # type: ignore[attr-defined]
            seen.append(event)

    watching = asyncio.ensure_future(watch(engine.events({"type": ["container"], "label": ["told=yes"]})))
    await asyncio.sleep(0.1)
    await engine.containers.create(config(), "untold")
    await ran(engine, "told", "sh", "-c", "exit 3", labels={"told": "yes"})
    await engine.containers.remove("told")

    async def complete() -> bool:
        return bool(seen) and seen[-1].action == "destroy"

    await eventually(complete)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert [event.action for event in seen] == ["create", "start", "die", "destroy"]
    died = seen[2]
    attributes = died.actor.attributes
    assert (died.type, attributes["name"], attributes["exitCode"], attributes["image"]) == ("container", "told", "3", "ctbb:latest")
    assert attributes["told"] == "yes"
    assert died.time_nano // 10**9 == died.time


async def past_events(engine: Engine) -> None:
    await engine.containers.create(config(labels={"past": "1"}), "past")
    created = seen = None
    async for event in engine.events({"label": ["past"]}, since=1.0, until=4e9):
        created, seen = event.action, event.actor.id
        break
    assert created == "create"
    assert seen == (await engine.containers.inspect("past")).id


test_networks = behaviour(networks)
test_endpoints = behaviour(endpoints)
test_ports = behaviour(ports)
test_volumes = behaviour(volumes)
test_anonymous_volumes = behaviour(anonymous_volumes)
test_images = behaviour(images)
test_saving = behaviour(saving)
test_events = behaviour(events)
test_past_events = behaviour(past_events)
