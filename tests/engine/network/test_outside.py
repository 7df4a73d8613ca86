"""The way out of the machine and into it: a namespace beyond a link of the host stands for the world outside."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.engine.local.network import namespace
from composer.engine.model import PortBinding
from tests.engine.network.rig import Rig, free_port, ident, rig, run_in, said

pytestmark = pytest.mark.root

HOST4, WORLD4, HOST6, WORLD6 = "10.212.7.1", "10.212.7.2", "fd6d:7063:bbbb::1", "fd6d:7063:bbbb::2"


class World:
    """The outside; quacks like a sandbox for `serve` and `said`."""

    def __init__(self, netns: Path) -> None:
        self.netns = netns


def sh(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextlib.contextmanager
def world(tmp_path: Path) -> Iterator[World]:
    path = tmp_path / "world"
    path.touch()
    sh("unshare", f"--net={path}", "true")
    inside = ("nsenter", f"--net={path}", "ip")
    try:
        sh("ip", "link", "add", "cmptesth", "type", "veth", "peer", "name", "cmptestw")
        sh("nsenter", f"--net={path}", "true")
        subprocess.run(["ip", "link", "set", "cmptestw", "netns", str(path)], check=True)
        for address in (f"{HOST4}/24", f"{HOST6}/64"):
            sh("ip", "address", "add", address, "dev", "cmptesth", *(("nodad",) if ":" in address else ()))
        for address in (f"{WORLD4}/24", f"{WORLD6}/64"):
            sh(*inside, "address", "add", address, "dev", "cmptestw", *(("nodad",) if ":" in address else ()))
        sh("ip", "link", "set", "cmptesth", "up")
        sh(*inside, "link", "set", "cmptestw", "up")
        sh(*inside, "route", "add", "default", "via", HOST4)
        yield World(path)
    finally:
        subprocess.run(["ip", "link", "delete", "cmptesth"], check=False, capture_output=True)
        namespace.drop(path)


def test_out_by_nat_and_in_by_published_ports_only(tmp_path: Path) -> None:
    async def scenario(outside: World, r: Rig) -> None:
        await r.net("n", enable_ipv6=True)
        await r.net("closed", internal=True)
        port = free_port()
        box = await r.box("web", "n", ports={"80/tcp": [PortBinding(host_port=str(port))]})
        closed = await r.box("closed", "closed")
        r.serve(outside, "world")  # type: ignore[arg-type]
        r.serve(box, "web")
        settings = box.networks["n"]
        assert await said(box, WORLD4, 80) == f"world ::ffff:{HOST4}"
        assert await said(box, WORLD6, 80) == f"world {HOST6}"
        assert await said(closed, WORLD4, 80) == ""
        assert (await said(outside, HOST4, port)) == f"web ::ffff:{WORLD4}"  # type: ignore[arg-type]
        assert (await said(outside, HOST6, port)) == f"web {WORLD6}"  # type: ignore[arg-type]
        assert await said(outside, settings.ip_address, 80) == ""  # type: ignore[arg-type]  # routed there, and not published

    async def main() -> None:
        with world(tmp_path) as outside:
            async with rig(tmp_path) as r:
                await scenario(outside, r)

    asyncio.run(main())


def test_a_container_does_not_reach_the_loopback_of_the_host(tmp_path: Path) -> None:
    """`route_localnet` is on at the bridge for published ports: without the chain `guard` this connection would be answered."""

    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("n")
            box = await r.box("bad", "n")
            with socket.create_server(("127.0.0.9", 0)) as secret:
                port = secret.getsockname()[1]
                script = (
                    "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip route del local 127.0.0.0/8 dev lo table local;"
                    f"ip route add 127.0.0.9/32 via {box.networks['n'].gateway} dev eth0"
                )
                run_in(box, "sh", "-c", script)
                assert "via" in run_in(box, "ip", "route", "get", "127.0.0.9")
                assert await said(box, "127.0.0.9", port) == ""
                secret.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    secret.accept()

    asyncio.run(scenario())


def test_a_udp_client_finds_the_container_that_took_the_place(tmp_path: Path) -> None:
    """Without forgetting the tracked flow, the client's next datagrams would go to the address of the one before."""

    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("n")
            ports = {"5000/udp": [PortBinding(host_ip="127.0.0.1", host_port=str(free_port()))]}
            first = await r.box("first", "n", ports=ports)
            r.serve(first, "first", 5000, kind="udp")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(2)
                client.connect(("127.0.0.1", int((first.ports["5000/udp"] or ())[0].host_port)))
                client.send(b"a")
                assert await asyncio.to_thread(client.recv, 100) == b"first a"
                await r.networks.release(ident("first"))
                await r.box("between", "n")  # takes the first one's address
                second = await r.box("second", "n", ports=ports)
                r.serve(second, "second", 5000, kind="udp")
                client.send(b"b")
                assert await asyncio.to_thread(client.recv, 100) == b"second b"

    asyncio.run(scenario())
