"""What would fail is said all at once before anything is touched: nothing is made then, and nothing of what runs is changed."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.terminal import Terminal

pytestmark = [pytest.mark.root, pytest.mark.slow]


@contextmanager
def listening(kind: int = socket.SOCK_STREAM, host: str = "127.0.0.1") -> Iterator[int]:
    """A port that this process holds."""
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind((host, 0))
        if kind == socket.SOCK_STREAM:
            one.listen()
        yield one.getsockname()[1]


class Door(HTTPConnection):
    """The engine's socket: a request is milliseconds, a command is a process."""

    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def ask(self, path: str) -> Any:
        self.request("GET", path)
        return json.loads(self.getresponse().read())


def everything(terminal: Terminal) -> dict[str, list[str]]:
    """All that the engine has, since when it runs, and the files of the directory."""
    with closing(Door(f"{terminal.layout.run}/s")) as door:
        containers = door.ask("/containers/json?all=1")
        return {
            "containers": sorted(f"{c['Names']} {c['Id']} {door.ask('/containers/' + c['Id'] + '/json')['State']}" for c in containers),
            "networks": sorted(f"{network['Name']} {network['Id']}" for network in door.ask("/networks")),
            "volumes": sorted(volume["Name"] for volume in door.ask("/volumes")["Volumes"] or ()),
            "images": sorted(image["Id"] for image in door.ask("/images/json")),
            "files": sorted(os.listdir(terminal.directory)),
        }


def findings(text: str) -> list[str]:
    """ "LINE: code" of each."""
    return [
        f"{line}: {code}" for line, code in re.findall(r"^stack\.yml:(\d+):\d+: (?:error|warning): .*\[plan\.(.+)\]$", text, re.MULTILINE)
    ]


SIX = """\
name: before
services:
  web:
    image: bb
    ports: ["127.0.0.1:PORT:80"]
    networks: [mine, theirs]
    environment: {CHANGED: "1"}
    volumes:
      - {type: bind, source: ./nowhere, target: /v, bind: {create_host_path: false}}
  db:
    image: 127.0.0.1:1/nothing:1
    secrets: [token]
networks:
  mine: {ipam: {config: [{subnet: POOL}]}}
  theirs: {external: true, name: befor-shared}
secrets:
  token: {file: ./token.txt}
"""


def test_six_mistakes_are_told_and_nothing_is_made(terminal: Terminal) -> None:
    terminal.stack("name: before\nservices: {web: {image: bb}, other: {image: bb}}\n")
    terminal.run("up", "-d")
    terminal.run("network", "create", "before-shared")
    bridge = json.loads(terminal.out("network", "inspect", "before-shared"))[0]["IPAM"]["Config"][0]["Subnet"]
    before = everything(terminal)
    with listening() as port:
        terminal.stack(SIX.replace("PORT", str(port)).replace("POOL", bridge))
        told = terminal.run("up", "-d", exit=1)
        planned = terminal.run("plan", exit=1)
    expected = ["5: port-taken", "9: bind-missing", "11: image-unreachable", "14: subnet-overlap", "15: external", "17: secret-file"]
    assert findings(told.stderr) == findings(planned.stderr) == expected, told.stderr
    assert f"process {Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()}, user " in told.stderr
    assert f"{bridge} overlaps network before-shared ({bridge})" in told.stderr
    assert "did you mean 'before-shared'?" in told.stderr
    assert "6 errors found, so nothing was touched" in told.stderr
    assert "Traceback" not in told.stderr + planned.stderr
    assert everything(terminal) == before
    for words in (("create",), ("up", "-d", "--force-recreate", "web"), ("scale", "web=2"), ("run", "--rm", "db", "true")):
        assert "nothing was touched" in terminal.run(*words, exit=1).stderr, words
    assert everything(terminal) == before


def one(terminal: Terminal, text: str, *words: str, exit: int = 1) -> str:
    """What `up -d` says of a stack; when it is refused nothing is made."""
    terminal.stack(f"name: before\n{text}")
    before = everything(terminal)
    told = terminal.run(*(words or ("up", "-d")), exit=exit).stderr
    assert exit == 0 or everything(terminal) == before, told
    return told


def test_a_port_of_another_stack_and_one_that_moves(terminal: Terminal) -> None:
    with listening() as port:
        """Only to find a free one."""
    terminal.stack(f"name: first\nservices: {{web: {{image: bb, ports: ['{port}:80', '{port}:80/udp']}}}}\n")
    terminal.run("up", "-d")
    told = one(terminal, f"services: {{web: {{image: bb, ports: ['127.0.0.1:{port}:80', '{port}:80/udp']}}}}\n")
    assert told.count("is held by container first-web-1 of stack first") == 2, told
    assert f"Bind for 127.0.0.1:{port} failed: port is already allocated" in told
    assert "`composer container stop first-web-1`" in told
    refused = terminal.run("-p", "first", "run", "--rm", "-p", f"{port}:80", "web", "true", exit=1)
    assert "is held by container first-web-1" in refused.stderr
    assert "nothing was touched" in refused.stderr
    # its own port is no problem when the container is replaced, or when the port goes from one service to another
    terminal.stack(f"name: first\nservices: {{web: {{image: bb, environment: {{A: '1'}}, ports: ['{port}:80']}}}}\n")
    terminal.run("up", "-d")
    terminal.stack(f"name: first\nservices: {{web: {{image: bb}}, other: {{image: bb, ports: ['{port}:80']}}}}\n")
    terminal.run("plan", exit=0)
    terminal.run("up", "-d")


@pytest.mark.parametrize(("kind", "suffix"), [(socket.SOCK_STREAM, ""), (socket.SOCK_DGRAM, "/udp")])
def test_ranges_and_addresses(terminal: Terminal, kind: int, suffix: str) -> None:
    with listening(kind) as port:
        told = one(terminal, f"services: {{web: {{image: bb, ports: ['{port}:80{suffix}']}}}}\n")
        assert f"0.0.0.0:{port}" in told
        told = one(terminal, f"services: {{web: {{image: bb, ports: ['127.0.0.1:{port}-{port}:80{suffix}']}}}}\n")
        assert "address already in use" in told
        one(terminal, f"services: {{web: {{image: bb, ports: ['127.0.0.2:{port}:80{suffix}']}}}}\n", exit=0)
    assert "cannot assign requested address" in one(terminal, "services: {web: {image: bb, ports: ['192.0.2.1:80:80']}}\n")


def test_networks_and_addresses(terminal: Terminal) -> None:
    wanted = "services: {a: {image: bb, networks: {n: {%s}}}}\nnetworks: {n: {ipam: {config: [{%s}]}}}\n"
    assert "the host's interface lo" not in one(terminal, wanted % ("", "subnet: 10.250.7.0/24, gateway: 10.9.9.9"))
    assert "no configured subnet" in one(terminal, wanted % ("ipv4_address: 10.98.0.5", "subnet: 10.250.7.0/24"))
    one(terminal, wanted % ("ipv4_address: 10.250.7.9", "subnet: 10.250.7.0/24"), exit=0)
    (terminal.directory / "two").mkdir()
    second = Terminal(terminal.layout, terminal.directory / "two")
    second.stack(
        "name: second\nservices: {b: {image: bb, networks: {n: {ipv4_address: 10.250.7.9}}}}\n"
        "networks: {n: {external: true, name: before_n}}\n"
    )
    assert "10.250.7.9 is held by container before-a-1 of stack before" in second.run("up", "-d", exit=1).stderr
    told = one(terminal, "services: {a: {image: bb, networks: [m]}}\nnetworks: {m: {driver: overlay}}\n")
    assert "the network driver overlay is not supported" in told


def test_the_pool_is_used_up(terminal: Terminal) -> None:
    names = [f"n{number}" for number in range(20)]  # the pool of this engine is a /20
    text = f"services: {{a: {{image: bb, networks: [{', '.join(names)}]}}}}\nnetworks: {{{', '.join(f'{name}: {{}}' for name in names)}}}\n"
    told = one(terminal, text)
    assert "all predefined address pools have been fully subnetted" in told
    assert f"with a pool larger than {terminal.layout.pool}" in told


def test_what_the_engine_does_not_have(terminal: Terminal) -> None:
    told = one(
        terminal,
        "services:\n"
        "  a: {image: bb, runtime: runcc, cpus: 999, devices: [/dev/nosuch], logging: {driver: syslog}}\n"
        "  b: {image: bb, mem_limit: 1k, cgroup_parent: ../x, volumes: ['data:/v'], container_name: taken}\n"
        "volumes: {data: {driver: nosuch}}\n",
    )
    assert findings(told) == ["3: runtime", "3: cpus", "3: device", "3: log-driver", "4: memory", "4: cgroup-parent", "5: volume-driver"]
    terminal.run("container", "create", "--name", "taken", "bb")
    told = one(terminal, "services: {b: {image: bb, container_name: taken}}\n")
    assert "already in use by container" in told
    assert "It is of no stack, and created" in told


def test_what_the_engine_would_refuse_is_told_with_the_rest(terminal: Terminal) -> None:
    told = one(
        terminal,
        "services:\n"
        "  a: {image: bb, ulimits: {nosuch: 1}, extra_hosts: ['x:']}\n"
        "  b: {image: bb, blkio_config: {weight: 5}, logging: {options: {max-size: x}}}\n"
        "  c: {image: bb, restart: sometimes, networks: [n]}\n"
        "networks: {n: {driver_opts: {com.docker.network.nosuch: '1'}}}\n",
    )
    assert "invalid ulimit type: nosuch [plan.refused]" in told
    assert "Range of blkio weight is from 10 to 1000 [plan.refused]" in told
    assert "the network option com.docker.network.nosuch is not supported [plan.refused]" in told


def test_what_cannot_be_rendered_is_told_with_the_rest(terminal: Terminal) -> None:
    told = one(
        terminal,
        "services:\n"
        "  a: {image: bb, userns_mode: keep, secrets: [s]}\n"
        "  b: {image: bb, isolation: hyperv, cpus: 999}\n"
        "secrets: {s: {external: true}}\n",
    )
    places = re.findall(r"^stack\.yml:(\d+:\d+): error: ", told, re.MULTILINE)
    assert places == ["3:18", "4:29", "4:43", "5:25"], told
    assert "4 errors found, so nothing was touched" in told


def test_paths(terminal: Terminal) -> None:
    (terminal.directory / "file").touch()
    told = one(
        terminal,
        "services: {a: {image: bb, volumes: ['./file/x:/v', 'data:/d']}}\n"
        "volumes: {data: {driver_opts: {type: none, o: bind, device: /nosuch}}}\n",
    )
    assert "/file is a file" in told
    assert "failed to mount local volume" in told
    told = one(terminal, "services: {a: {image: bb, volumes: ['./made.conf:/v']}}\n", exit=0)
    assert "made.conf does not exist: a directory of that name will be made" in told
    assert (terminal.directory / "made.conf").is_dir()
    (terminal.directory / "made.conf").rmdir()


def test_what_docker_compose_begins_is_begun_and_warned_of(terminal: Terminal) -> None:
    text = "services:\n  db: {image: bb}\n  app: {image: bb, depends_on: {db: {condition: service_healthy}}}\n"
    terminal.stack(f"name: before\n{text}")
    assert "stack.yml:4:49: error: container before-db-1 has no healthcheck configured" in terminal.run("plan", exit=1).stderr
    told = terminal.run("up", "-d", exit=1).stderr
    assert ": warning: container before-db-1 has no healthcheck configured" in told
    assert terminal.states() == {"before-db-1": "running", "before-app-1": "created"}


def test_images(terminal: Terminal) -> None:
    assert "No such image: nosuch:1" in one(terminal, "services: {a: {image: 'nosuch:1', pull_policy: never}}\n")
    assert "No such image: before-a" in one(terminal, "services: {a: {build: .}}\n", "up", "-d", "--no-build", "--pull", "never")
    told = one(terminal, "services: {a: {image: '127.0.0.1:1/x:1'}, b: {image: '127.0.0.1:1/y:1'}}\n")
    assert told.count("connect: connection refused") == 2
