"""Who holds a port of the host: the tables of /proc/net read, and real sockets found with their process."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from composer.engine.local.linux import paths
from composer.engine.local.network.listeners import from_tables, holders, read_table, sockets
from composer.engine.model.facts import PathFact

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TABLES = {
    "tcp": HEAD
    + "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0 100 0 0 10 0\n"
    + "   1: 0100007F:1F91 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 102 1 0 100 0 0 10 0\n",
    "tcp6": HEAD
    + "   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 103 1 0\n"
    + "   1: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 104 1 0\n",
    "udp": HEAD + "   0: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 105 2 0 0\n",
    "udp6": "",
}


def test_the_kernels_tables() -> None:
    assert [(s.protocol, s.address, s.port, s.inode) for s in from_tables(TABLES.__getitem__)] == [
        ("tcp", "127.0.0.1", 8080, 101),
        ("tcp", "::", 80, 103),
        ("tcp", "127.0.0.1", 81, 104),
        ("udp", "0.0.0.0", 53, 105),
    ]


def test_a_socket_of_the_engine_is_its_containers() -> None:
    claims = {("tcp", "127.0.0.1", 8080): "c" * 64}
    held, busy = holders({("tcp", 8080)}, claims, lambda _: False, from_tables(TABLES.__getitem__))
    assert [(h.address, h.container, h.pid) for h in held] == [("127.0.0.1", "c" * 64, 0)]
    assert busy == {("tcp", 8080), ("tcp", 80), ("tcp", 81), ("udp", 53)}


@pytest.mark.parametrize(("protocol", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)])
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::")])
def test_a_process_is_named(protocol: str, kind: int, family: int, host: str) -> None:
    with socket.socket(family, kind) as one:
        one.bind((host, 0))
        if protocol == "tcp":
            one.listen()
        number = one.getsockname()[1]
        held, _ = holders({(protocol, number)}, {}, lambda _: False)
    assert [(h.address, h.port, h.pid, h.dual) for h in held] == [(host, number, os.getpid(), host == "::")]
    assert held[0].process == Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    assert held[0].user


def test_the_kernel_tells_the_same_as_its_tables() -> None:
    with (
        socket.socket(socket.AF_INET6) as both,
        socket.socket(socket.AF_INET6) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        both.bind(("::", 0))
        one.bind(("::", 0))
        udp.connect(("127.0.0.1", 9))
        both.listen()
        one.listen()
        ports = {made.getsockname()[1] for made in (both, one, udp)}
        told = [s for s in sockets() if s.port in ports]
        read = [s for s in from_tables(read_table) if s.port in ports]
        assert {(s.protocol, s.address, s.port, s.inode) for s in told} == {(s.protocol, s.address, s.port, s.inode) for s in read}
        assert {s.port: s.dual for s in told if s.protocol == "tcp"} == {both.getsockname()[1]: True, one.getsockname()[1]: False}
        held, _ = holders({("tcp", port) for port in ports}, {}, lambda _: False, read)
        assert {h.port: h.dual for h in held} == {both.getsockname()[1]: True, one.getsockname()[1]: False}


def test_what_is_at_a_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    assert paths.look(f"{tmp_path}/file") == PathFact("file")
    assert paths.look(str(tmp_path)) == PathFact("directory")
    assert paths.look(f"{tmp_path}/gone/x") == PathFact("missing")
    assert paths.look(f"{tmp_path}/file/x/y") == PathFact("beneath-file", f"{tmp_path}/file")
    assert paths.look(f"{tmp_path}/link") == PathFact("dangling", "nowhere")
    assert paths.look("/dev/null") == PathFact("device")
    assert paths.look("/x\0y").kind == "unreadable"
