"""Host ports that several containers hold together, who is led to, and who is still connected."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from composer.engine.errors import EngineError
from composer.engine.local.network.flows import count
from composer.engine.model import PortBinding
from tests.conftest import eventually
from tests.engine.network.rig import Rig, asked, free_port, ident, rig, said

pytestmark = pytest.mark.root


def test_a_port_is_shared_by_a_group_and_leads_to_those_that_carry(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("one")
            port = free_port()
            binding = {"80/tcp": [PortBinding(host_port=str(port))]}
            for name in ("a", "b", "c"):
                await r.networks.reach.share(ident(name), "stack/web", aside=name == "c")
                r.serve(await r.box(name, "one", ports=binding, aliases=("web",)), name)
            with pytest.raises(EngineError, match="port is already allocated"):
                await r.box("stranger", "one", ports=binding)
            client = await r.box("client", "one")
            for host in ("127.0.0.1", "::1"):
                assert await answers(host, port) == {"a", "b"}
            assert len((await asked(client, "web"))[1]) == 2
            assert len((await asked(client, "c"))[1]) == 1

            await r.networks.reach.set_aside(ident("c"), False)
            await r.networks.reach.set_aside(ident("a"), True)
            assert set((await asked(client, "web"))[1]) == {a for n in "bc" for a in (await asked(client, n))[1]}
            for host in ("127.0.0.1", "::1"):
                assert await answers(host, port) == {"b", "c"}
            await r.networks.release(ident("b"))
            assert await answers("127.0.0.1", port) == {"c"}
            for name in ("a", "c"):
                await r.networks.release(ident(name))
            await r.box("stranger", "one", ports=binding)

    asyncio.run(scenario())


def test_a_group_leads_to_its_well_members_or_to_all(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            well: set[str] = set()
            r.networks.reach.traffic.well = lambda container: container in well
            await r.net("one")
            port = free_port()
            for name in ("a", "b"):
                await r.networks.reach.share(ident(name), "stack/web")
                r.serve(await r.box(name, "one", ports={"80/tcp": [PortBinding(host_port=str(port))]}), name)
            assert await answers("127.0.0.1", port) == {"a", "b"}
            well.add(ident("b"))
            await r.networks.reach.weigh(ident("b"))
            assert await answers("127.0.0.1", port) == {"b"}

    asyncio.run(scenario())


def test_the_group_outlives_the_daemon(tmp_path: Path) -> None:
    async def first() -> int:
        async with rig(tmp_path, leave=True) as r:
            await r.net("one")
            port = free_port()
            for name in ("a", "b"):
                await r.networks.reach.share(ident(name), "stack/web", aside=name == "b")
                await r.box(name, "one", ports={"80/tcp": [PortBinding(host_port=str(port))]})
            return port

    async def second(port: int) -> None:
        async with rig(tmp_path, live=("a", "b")) as r:
            assert r.networks.notes == [note for note in r.networks.notes if str(port) not in note]
            assert r.networks.reach.traffic.aside() == {ident("b")}
            await r.networks.reach.share(ident("c"), "stack/web")
            r.serve(await r.box("c", "one", ports={"80/tcp": [PortBinding(host_port=str(port))]}), "c")
            await r.networks.reach.set_aside(ident("a"), True)
            assert await answers("127.0.0.1", port) == {"c"}

    asyncio.run(second(asyncio.run(first())))


def test_open_connections_are_counted_and_stay(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("one")
            port = free_port()
            await r.networks.reach.share(ident("a"), "stack/web")
            r.serve(await r.box("a", "one", ports={"80/tcp": [PortBinding(host_port=str(port))]}), "a")
            assert await r.networks.reach.inbound(ident("a")) == 0
            with socket.create_connection(("127.0.0.1", port), 2) as client:
                await eventually(lambda: r.networks.reach.inbound(ident("a")))
                await r.networks.reach.set_aside(ident("a"), True)
                client.sendall(b"x")
                assert client.recv(10).startswith(b"a ")
            await eventually(lambda: gone(r))

    asyncio.run(scenario())


async def gone(r: Rig) -> bool:
    return await r.networks.reach.inbound(ident("a")) == 0


async def answers(host: str, port: int) -> set[str]:
    return {(await said(None, host, port)).split()[0] for _ in range(6)}


def test_only_open_inbound_connections_count() -> None:
    head = "   0: {} 0100007F:1234 {} 0"
    listening, loopback, outward = "00000000:0050", "0100007F:0050", "0201000A:D431"
    assert count([head.format(listening, "0A"), head.format("0201000A:0050", "01"), head.format(loopback, "01")]) == 1
    assert count([head.format(listening, "0A"), head.format(outward, "01"), head.format("0201000A:0050", "06")]) == 0
    mapped = "0000000000000000FFFF00000201000A:0050"
    assert count([head.format("0" * 32 + ":0050", "0A"), head.format(mapped, "08")]) == 1
