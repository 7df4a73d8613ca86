"""Sandboxes in the real kernel: addresses, names, published ports, isolation."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from composer.engine.errors import Conflict, EngineError, InvalidArgument, NotFound
from composer.engine.model import IPAM, EndpointIPAMConfig, EndpointSettings, IPAMPool, PortBinding
from tests.engine.network.rig import asked, eventually, free_port, ident, links, rig, run_in, said
from tests.fixtures.patience import patient

pytestmark = pytest.mark.root


def test_two_containers_reach_each_other_by_every_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("shop_default")
            web = await r.box("shop-web-1", "shop_default", aliases=("web", "alias.example"))
            client = await r.box("shop-client-1", "shop_default", aliases=("client",))
            r.serve(web, "from web")
            address = web.networks["shop_default"].ip_address
            for name in ("web", "WEB", "alias.example", "shop-web-1", ident("shop-web-1")[:12], "web.shop_default"):
                assert await asked(client, name) == ("NOERROR", [address]), name
            assert await asked(client, "web", "AAAA") == ("NOERROR", [])
            assert await asked(client, "web", tcp=True) == ("NOERROR", [address])
            reverse = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
            assert await asked(client, reverse, "PTR") == ("NOERROR", ["shop-web-1.shop_default."])
            assert (await said(client, address, 80)).startswith("from web")
            given = await r.networks.rename(ident("shop-web-1"), "shop-web-2")
            assert given["shop_default"].dns_names[0] == "shop-web-2"
            for name in ("web", "alias.example", "shop-web-2"):
                assert await asked(client, name) == ("NOERROR", [address]), name
            assert (await asked(client, "shop-web-1"))[1] == []
            assert await asked(client, reverse, "PTR") == ("NOERROR", ["shop-web-2.shop_default."])
            await r.networks.release(ident("shop-web-1"))
            assert (await asked(client, "web"))[1] == []

    asyncio.run(scenario())


def test_the_inside_of_a_sandbox(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("n", options={"com.docker.network.driver.mtu": "1300"})
            box = await r.box(
                "a", "n", domainname="example.org", extra_hosts=("x:1.2.3.4", "up:host-gateway"), dns_search=("corp.example",)
            )
            settings = box.networks["n"]
            assert "mtu 1300 " in run_in(box, "ip", "link", "show", "eth0")
            assert f"link/ether {settings.mac_address}" in run_in(box, "ip", "link", "show", "eth0")
            assert f"default via {settings.gateway} dev eth0" in run_in(box, "ip", "route")
            assert f"inet {settings.ip_address}/22" in run_in(box, "ip", "-4", "addr", "show", "eth0")
            assert run_in(box, "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start") == "0\n"
            assert f"{settings.ip_address}\ta.example.org a\n" in box.hosts
            assert "1.2.3.4\tx\n" in box.hosts
            assert f"{settings.gateway}\tup\n" in box.hosts
            assert "nameserver 127.0.0.11\nsearch corp.example\n" in box.resolv_conf

    asyncio.run(scenario())


def test_mode_none_has_a_loopback_and_nothing_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            box = await r.box("a", mode="none")
            assert [line.split(":")[1].strip() for line in run_in(box, "ip", "-o", "link").splitlines() if "sit0" not in line] == ["lo"]
            assert run_in(box, "ip", "route") == ""
            assert "inet 127.0.0.1/8" in run_in(box, "ip", "addr")
            assert box.networks == {}

    asyncio.run(scenario())


def test_published_ports_answer_on_every_path(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("one")
            await r.net("two")
            port = free_port()
            web = await r.box("web", "one", ports={"80/tcp": [PortBinding(host_port=str(port))]}, exposed_ports=("80/tcp", "81/tcp"))
            peer, other = await r.box("peer", "one"), await r.box("other", "two")
            r.serve(web, "web")
            gateway = web.networks["one"].gateway
            assert web.ports["81/tcp"] is None
            assert [b.host_port for b in web.ports["80/tcp"] or ()] == [str(port)] * len(web.ports["80/tcp"] or ())
            for host in ("127.0.0.1", "::1", gateway):
                assert (await said(None, host, port)).startswith("web"), host
            for box in (peer, other, web):
                assert (await said(box, gateway, port)).startswith("web")
            assert (await said(peer, web.networks["one"].ip_address, 80)) == f"web ::ffff:{peer.networks['one'].ip_address}"
            assert await said(other, web.networks["one"].ip_address, 80) == ""
            await r.networks.release(ident("web"))
            assert await said(None, "127.0.0.1", port) == ""

    asyncio.run(scenario())


def test_the_host_address_of_a_port_is_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("one")
            port = str(free_port())
            two = await r.box("two", "one", ports={"80/tcp": [PortBinding(host_ip="127.0.0.2", host_port=port)]})
            three = await r.box("three", "one", ports={"80/tcp": [PortBinding(host_ip="127.0.0.3", host_port=port)]})
            six = await r.box("six", "one", ports={"80/tcp": [PortBinding(host_ip="::1", host_port=port)]})
            for box, text in ((two, "two"), (three, "three"), (six, "six")):
                r.serve(box, text)
            assert (await said(None, "127.0.0.2", int(port))).startswith("two")
            assert (await said(None, "127.0.0.3", int(port))).startswith("three")
            assert (await said(None, "::1", int(port))).startswith("six")
            assert await said(None, "127.0.0.1", int(port)) == ""

    asyncio.run(scenario())


def test_udp_is_published_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("one")
            box = await r.box("echo", "one", ports={"5000/udp": [PortBinding()]})
            r.serve(box, "back", 5000, kind="udp")
            port = int((box.ports["5000/udp"] or ())[0].host_port)
            program = (
                "import socket, sys\ns = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)\n"
            )
            program += "s.settimeout(2); s.connect((sys.argv[1], int(sys.argv[2]))); s.send(b'x'); print(s.recv(100).decode())"
            for host in ("127.0.0.1", "::1"):
                command = [sys.executable, "-c", program, host, str(port)]
                done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=patient(10), check=False)
                assert done.stdout == "back x\n", host

    asyncio.run(scenario())


def test_a_taken_port_is_refused_in_dockers_words(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("one")
            port = str(free_port())
            binding = {"80/tcp": [PortBinding(host_ip="127.0.0.1", host_port=port)]}
            await r.box("a", "one", ports=binding)
            with pytest.raises(EngineError, match=f"Bind for 127.0.0.1:{port} failed: port is already allocated"):
                await r.box("b", "one", ports=binding)
            assert not (r.layout.netns(ident("b"))).exists()
            await r.networks.release(ident("a"))
            blocker = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                f"import socket; s=socket.create_server(('127.0.0.1',{port})); print(1,flush=True); s.accept()",
                stdout=asyncio.subprocess.PIPE,
            )
            assert blocker.stdout
            await blocker.stdout.readline()
            with pytest.raises(
                EngineError, match=rf"failed to bind host port for 127.0.0.1:{port}:10.211.\d+.2:80/tcp: address already in use"
            ):
                await r.box("b", "one", ports=binding)
            blocker.kill()
            await blocker.wait()
            await r.box("b", "one", ports=binding)

    asyncio.run(scenario())


def test_internal_networks_have_no_way_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("closed", internal=True)
            await r.net("open")
            a, b, c = await r.box("a", "closed"), await r.box("b", "closed"), await r.box("c", "open")
            r.serve(b, "b")
            r.serve(c, "c")
            assert "default" not in run_in(a, "ip", "route")
            assert (await said(a, b.networks["closed"].ip_address, 80)).startswith("b")
            run_in(a, "ip", "route", "add", "default", "via", str(r.layout and "10.211.4.1"))
            assert await said(a, c.networks["open"].ip_address, 80) == ""
            assert await asked(a, "somewhere.example") == ("SERVFAIL", [])

    asyncio.run(scenario())


def test_fixed_addresses_ranges_and_refusals(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            pool = IPAMPool(
                subnet="10.211.90.0/24", gateway="10.211.90.9", ip_range="10.211.90.128/25", aux_addresses={"x": "10.211.90.128"}
            )
            await r.net("net", ipam=IPAM(config=(pool,)))

            def fixed(text: str) -> dict[str, EndpointSettings]:
                return {"net": EndpointSettings(ipam_config=EndpointIPAMConfig(ipv4_address=text), mac_address="02:42:0a:63:00:4d")}

            web = await r.box("web", endpoints=fixed("10.211.90.77"))
            assert web.networks["net"].ip_address == "10.211.90.77"
            assert "link/ether 02:42:0a:63:00:4d" in run_in(web, "ip", "link", "show", "eth0")
            assert (await r.box("other", "net")).networks["net"].ip_address == "10.211.90.129"
            with pytest.raises(Conflict, match="Address already in use"):
                await r.box("third", endpoints=fixed("10.211.90.77"))
            with pytest.raises(InvalidArgument, match=r"no configured subnet or ip-range contain the IP address 10.98.0.5"):
                await r.box("third", endpoints=fixed("10.98.0.5"))
            with pytest.raises(NotFound, match="network nowhere not found"):
                await r.box("third", "nowhere")
            shown = await r.networks.inspect("net")
            assert {m.name: m.ipv4_address for m in shown.containers.values()} == {"web": "10.211.90.77/24", "other": "10.211.90.129/24"}

    asyncio.run(scenario())


def test_several_networks_and_the_default_route(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            for name in ("a", "b", "c"):
                await r.net(name)
            box = await r.box(
                "x", endpoints={"a": EndpointSettings(), "b": EndpointSettings(gw_priority=1), "c": EndpointSettings(gw_priority=50)}
            )
            assert list(box.networks) == ["c", "b", "a"]
            assert f"default via {box.networks['c'].gateway} dev eth0" in run_in(box, "ip", "route")
            await r.networks.unplug(ident("x"), "c")
            assert f"default via {box.networks['b'].gateway} dev eth1" in run_in(box, "ip", "route")
            again = await r.networks.plug(ident("x"), "c", EndpointSettings(gw_priority=9, aliases=("late",)))
            assert f"default via {again.gateway} dev eth0" in run_in(box, "ip", "route")
            assert await asked(box, "late") == ("NOERROR", [again.ip_address])

    asyncio.run(scenario())


def test_ipv6(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("six", enable_ipv6=True)
            port = str(free_port())
            web = await r.box("web", "six", aliases=("w",), ports={"80/tcp": [PortBinding(host_port=port)]})
            peer = await r.box("peer", "six")
            r.serve(web, "web")
            settings = web.networks["six"]
            assert settings.global_ipv6_address == "fd6d:7063:aaaa::2"
            assert await asked(peer, "w", "AAAA") == ("NOERROR", [settings.global_ipv6_address])
            assert (await said(peer, settings.global_ipv6_address, 80)).startswith("web")
            for host in ("127.0.0.1", "::1", settings.ipv6_gateway):
                assert (await said(None, host, int(port))).startswith("web"), host
            assert f"default via {settings.ipv6_gateway}" in run_in(web, "ip", "-6", "route")

    asyncio.run(scenario())


def test_an_image_that_serves_dns_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("n")
            box = await r.box("dns", "n", aliases=("me",), exposed_ports=("53/udp",))
            r.serve(box, "own", 53, kind="udp")  # binds every address's port 53
            assert await asked(box, "me") == ("NOERROR", [box.networks["n"].ip_address])
            assert await asked(box, "me", tcp=True) == ("NOERROR", [box.networks["n"].ip_address])

    asyncio.run(scenario())


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("n")
            own = f"cmpv{r.layout.instance}"
            taken = EndpointSettings(driver_opts={"com.docker.network.endpoint.ifname": "lo0"})
            ok = await r.box("ok", endpoints={"n": taken})
            assert "lo0" in run_in(ok, "ip", "link")
            await r.networks.release(ident("ok"))
            task = asyncio.create_task(r.box("cancelled", "n"))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await eventually(lambda: not any(name.startswith(own) for name in links()))
            assert not r.layout.netns(ident("cancelled")).exists()
            assert (await r.box("next", "n")).networks["n"].ip_address.endswith(".2")

    asyncio.run(scenario())
