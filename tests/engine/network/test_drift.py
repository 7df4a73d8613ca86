"""What somebody removes in the kernel is put back; what a killed daemon left is taken up or removed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from composer.engine.local.layout import Layout
from composer.engine.local.network import namespace
from composer.engine.model import EndpointSettings, PortBinding
from tests.engine.network.rig import asked, eventually, free_port, ident, links, rig, run_in, said

pytestmark = pytest.mark.root


def sh(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_bridge_that_is_deleted_comes_back_at_once_with_its_containers(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            network = await r.net("n")
            web, peer = await r.box("web", "n"), await r.box("peer", "n")
            r.serve(web, "web")
            bridge = r.layout.bridge(network)
            sh("ip", "link", "delete", bridge)
            await eventually(lambda: bridge in links())
            address = web.networks["n"].ip_address
            for _ in range(50):
                if (await said(peer, address, 80)).startswith("web"):
                    break
            assert (await said(peer, address, 80)).startswith("web")
            assert await r.networks.heal() == []

    asyncio.run(scenario())


def test_a_flushed_table_comes_back_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("one")
            await r.net("two")
            port = str(free_port())
            web = await r.box("web", "one", ports={"80/tcp": [PortBinding(host_ip="127.0.0.1", host_port=port)]})
            before = sh("nft", "list", "table", "inet", r.layout.table)
            sh("nft", "flush", "table", "inet", r.layout.table)
            await eventually(lambda: sh("nft", "list", "table", "inet", r.layout.table) == before)
            sh("nft", "delete", "table", "inet", r.layout.table)
            await eventually(lambda: r.layout.table in sh("nft", "list", "tables"))
            assert sh("nft", "list", "table", "inet", r.layout.table) == before
            r.serve(web, "web")
            assert (await said(None, "127.0.0.1", int(port))).startswith("web")

    asyncio.run(scenario())


def test_heal_tells_what_it_mended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            network = await r.net("n")
            box = await r.box("a", "n")
            await r.networks._healing.close()  # without the watch: the resync alone must find it
            bridge = r.layout.bridge(network)
            cable = next(name for name in links() if name.startswith(f"cmpv{r.layout.instance}"))
            assert await r.networks.heal() == []
            sh("ip", "address", "flush", "dev", bridge)
            assert await r.networks.heal() == [f"addresses of the bridge {bridge} of network n"]
            sh("ip", "link", "set", cable, "nomaster")
            assert await r.networks.heal() == [f"cable {cable} into {bridge}"]
            sh("ip", "link", "delete", cable)
            assert await r.networks.heal() == ["cable eth0 of a"]
            assert f"default via {box.networks['n'].gateway}" in run_in(box, "ip", "route")
            sh("nft", "delete", "table", "inet", r.layout.table)
            assert await r.networks.heal() == [f"nft table {r.layout.table}"]
            sh("ip", "link", "set", bridge, "down")
            assert await r.networks.heal() == [f"bridge (was down) {bridge} of network n"]
            assert await r.networks.heal() == []

    asyncio.run(scenario())


def test_a_restarted_daemon_takes_up_what_runs_and_releases_the_rest(tmp_path: Path) -> None:
    async def scenario() -> None:
        port = str(free_port())
        async with rig(tmp_path, leave=True) as r:
            await r.net("n")
            ports = {"80/tcp": [PortBinding(host_ip="127.0.0.1", host_port=port)]}
            web = await r.box("web", "n", ports=ports, aliases=("site",))
            peer, gone = await r.box("peer", "n"), await r.box("gone", "n")
        async with rig(tmp_path, live=("web", "peer")) as r:
            r.serve(web, "still")
            assert (await said(None, "127.0.0.1", int(port))).startswith("still")
            assert await asked(peer, "site") == ("NOERROR", [web.networks["n"].ip_address])
            assert (await asked(peer, "gone"))[1] == []
            assert not gone.netns.exists()
            assert {m.name for m in (await r.networks.inspect("n")).containers.values()} == {"web", "peer"}
            fresh = await r.box("fresh", "n")
            assert fresh.networks["n"].ip_address == gone.networks["n"].ip_address
            assert await r.networks.heal() == []

    asyncio.run(scenario())


def test_published_ports_work_while_the_daemon_is_down(tmp_path: Path) -> None:
    async def scenario() -> None:
        port = free_port()
        async with rig(tmp_path, leave=True) as r:
            await r.net("n")
            web = await r.box("web", "n", ports={"80/tcp": [PortBinding(host_ip="127.0.0.1", host_port=str(port))]})
        r.serve(web, "alone")
        assert (await said(None, "127.0.0.1", port)).startswith("alone")
        r.stop()
        async with rig(tmp_path):
            pass

    asyncio.run(scenario())


def test_what_no_row_owns_is_swept_at_start(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root", tmp_path / "run")
    layout.make()
    sh("ip", "link", "add", layout.bridge("deadbeef"), "type", "bridge")
    sh("ip", "link", "add", "cmptestnamed", "type", "bridge")
    sh("ip", "link", "set", "cmptestnamed", "alias", f"composer {layout.instance}")
    sh("ip", "link", "add", f"cmpv{layout.instance}0000001", "type", "veth", "peer", "name", f"cmpv{layout.instance}0000002")
    namespace.share(layout.run / "netns")
    layout.netns(ident("lost")).touch()
    sh("unshare", f"--net={layout.netns(ident('lost'))}", "true")

    async def scenario() -> None:
        async with rig(tmp_path):
            assert not [name for name in links() if layout.instance in name or name == "cmptestnamed"]
            assert not layout.netns(ident("lost")).exists()

    asyncio.run(scenario())


def test_killed_at_any_moment_a_later_start_leaves_nothing(tmp_path: Path) -> None:
    """The daemon's process is killed while it opens sandboxes; the next one finds all of it."""
    program = """
import asyncio, os, sys
from pathlib import Path
from tests.engine.network.rig import rig
from composer.engine.model import NetworkConfig
async def main():
    async with rig(Path(sys.argv[1]), leave=True) as r:
        await r.net(f"n{os.getpid()}")
        print("go", flush=True)
        await asyncio.gather(*(r.box(f"c{i}", f"n{os.getpid()}") for i in range(12)))
        print("done", flush=True)
asyncio.run(main())
"""
    for delay in (0.0, 0.005, 0.01, 0.02):
        child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, cwd=os.getcwd())
        assert child.stdout is not None
        assert child.stdout.readline() == b"go\n"
        try:
            child.wait(delay)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()

    async def after() -> None:
        async with rig(tmp_path) as r:
            assert list((r.layout.run / "netns").iterdir()) == []
            box = await r.box("next", (await r.networks.list({"type": ["custom"]}))[0].name)
            assert next(iter(box.networks.values())).ip_address.endswith(".2")

    asyncio.run(after())


def test_many_at_once_get_addresses_of_their_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as r:
            await r.net("n")
            boxes = await asyncio.gather(*(r.box(f"c{i}", "n", aliases=("web",)) for i in range(30)))
            addresses = {box.networks["n"].ip_address for box in boxes}
            assert len(addresses) == 30
            code, found = await asked(boxes[0], "web", tcp=True)
            assert (code, set(found)) == ("NOERROR", addresses)
            firsts = {(await asked(boxes[0], "web"))[1][0] for _ in range(4)}
            assert len(firsts) == 4
            await r.networks.plug(ident("c0"), "bridge", EndpointSettings())

    asyncio.run(scenario())
