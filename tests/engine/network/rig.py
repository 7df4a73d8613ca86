"""An engine's networks of their own for a test: own directories, own address pool, and peers that run inside the sandboxes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composer.engine.local.layout import Layout
from composer.engine.local.network.model import Sandbox, SandboxRequest
from composer.engine.local.network.networks import LocalNetworks
from composer.engine.local.state import State
from composer.engine.model import EndpointSettings, Event, NetworkConfig, PortBinding
from tests.fixtures.patience import patient

POOL, POOL6 = "10.211.0.0/16", "fd6d:7063:aaaa::/48"


@dataclass
class Rig:
    layout: Layout
    networks: LocalNetworks
    events: list[Event]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    async def net(self, name: str, **config: Any) -> str:
        return await self.networks.create(NetworkConfig(name=name, **config))

    async def box(self, name: str, *nets: str, ports: dict[str, list[PortBinding]] | None = None, **request: Any) -> Sandbox:
        endpoints = request.pop("endpoints", None) or {net: EndpointSettings(aliases=request.get("aliases", ())) for net in nets}
        request.pop("aliases", None)
        return await self.networks.open(
            SandboxRequest(ident(name), name, hostname=name, endpoints=endpoints, port_bindings=ports or {}, **request)
        )

    def serve(self, box: Sandbox, text: str = "hello", port: int = 80, *, kind: str = "tcp") -> None:
        """A process in the sandbox that says ``text`` to every client."""
        program = _TCP if kind == "tcp" else _UDP
        process = subprocess.Popen(
            ["nsenter", f"--net={box.netns}", sys.executable, "-c", program, str(port), text], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        self.processes.append(process)

    def stop(self) -> None:
        """End what `serve` started."""
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self.processes.clear()


_TCP = """
import socket, sys
s = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True); print("ready", flush=True)
while True:
    c, a = s.accept(); c.recv(100); c.sendall(sys.argv[2].encode() + b" " + a[0].encode()); c.close()
"""
_UDP = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(("::", int(sys.argv[1]))); print("ready", flush=True)
while True:
    d, a = s.recvfrom(2000); s.sendto(sys.argv[2].encode() + b" " + d, a)
"""
_ASK = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2); s.settimeout(2); s.sendall(b"x"); print(s.recv(100).decode())
"""


def ident(name: str) -> str:
    return name.encode().hex().ljust(64, "0")[:64]


@contextlib.asynccontextmanager
async def rig(tmp_path: Path, *, live: tuple[str, ...] = (), leave: bool = False) -> AsyncIterator[Rig]:
    """``leave``: end as the daemon does when it stops, with containers running."""
    layout = Layout(tmp_path / "root", tmp_path / "run", pool=POOL, pool6=POOL6)
    layout.make()
    state = State(layout.database)
    events: list[Event] = []
    networks = LocalNetworks(layout, state, events.append)
    one = Rig(layout, networks, events)
    try:
        await networks.start([ident(name) for name in live])
        yield one
    finally:
        one.stop()
        if not leave:
            await wipe(one)
        await networks.close()
        await state.close()


async def wipe(one: Rig) -> None:
    for path in list((one.layout.run / "netns").iterdir()):
        await one.networks.release(path.name)
    await one.networks.prune()


def run_in(box: Sandbox, *command: str, timeout: float = 10) -> str:
    """The output of a command in the sandbox's network; "" when it fails."""
    done = subprocess.run(["nsenter", f"--net={box.netns}", *command], capture_output=True, text=True, timeout=timeout, check=False)
    return done.stdout if done.returncode == 0 else ""


async def said(box: Sandbox | None, host: str, port: int) -> str:
    """What the server at host:port says to a client in the sandbox (None: on the host); "" when it cannot be reached."""
    command = [sys.executable, "-c", _ASK, host, str(port)]
    if box is not None:
        command = ["nsenter", f"--net={box.netns}", *command]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=patient(10), check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


async def asked(box: Sandbox, name: str, kind: str = "A", *, tcp: bool = False, server: str = "127.0.0.11") -> tuple[str, list[str]]:
    """(rcode, answers) of the sandbox's name server, decoded by another implementation."""
    from dnslib import QTYPE, RCODE, DNSRecord

    program = (
        "import socket, sys\n"
        "q = bytes.fromhex(sys.argv[1])\n"
        "if sys.argv[2] == 'tcp':\n"
        "    s = socket.create_connection((sys.argv[3], 53), 5); s.sendall(len(q).to_bytes(2, 'big') + q); d = s.recv(65535)[2:]\n"
        "else:\n"
        "    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)\n"
        "    s.connect((sys.argv[3], 53)); s.send(q); d = s.recv(65535)\n"
        "print(d.hex())"
    )
    query = DNSRecord.question(name, kind).pack().hex()
    command = ["nsenter", f"--net={box.netns}", sys.executable, "-c", program, query, "tcp" if tcp else "udp", server]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=patient(10), check=True)
    record = DNSRecord.parse(bytes.fromhex(done.stdout.strip()))
    return RCODE[record.header.rcode], [str(r.rdata) for r in record.rr if QTYPE[r.rtype] == kind]


async def eventually(check: Callable[[], bool], *, seconds: float = 20) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not check():
        assert loop.time() < deadline, "it did not come true in time"
        await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def links() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}
