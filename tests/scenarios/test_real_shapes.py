"""Real-world stacks, brought up as they are, with one image in the place of all: every container is as its file says, seen from inside.

shapes/NAME: the files of a stack. local.yaml beside them: what a test machine has not (a GPU). What is put in place here: the images (one
stand-in by all the names), free host ports, short times of health checks, volumes and networks that must exist, files that are mounted.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fixtures.busybox import LayerTar, TestImage, busybox_layer, docker_archive
from tests.scenarios import said
from tests.scenarios.inside import look
from tests.scenarios.terminal import Terminal, free_ports, until

pytestmark = [pytest.mark.root, pytest.mark.slow]

SHAPES = Path(__file__).with_name("shapes")
_STAND_IN = b"#!/bin/sh\ntrap 'exit 0' TERM INT USR1\nwhile :; do sleep 1000 & wait $!; done\n"
_SHELL = b'#!/bin/sh\nexec /bin/sh "$@"\n'
_OK = b"#!/bin/sh\necho 1\n"
_COMMANDS = ["curl", "redis-cli", "pg_isready", "mysqladmin", "mc", "mc-health", "nc", "wget", "psql", "kafka-topics"]
_FILES = ("localtime", "timezone")
_PATH = "PATH=/usr/bin:/bin"
_NAMESPACES = ("net", "ipc", "uts", "pid", "cgroup")


def layer() -> bytes:
    """What stands in for the programs of all images: a process that waits, and probes that are content."""
    made = LayerTar()
    made.add("usr/bin/stand-in", _STAND_IN, mode=0o755)
    made.add("usr/bin/bash", _SHELL, mode=0o755)
    made.add("entrypoint.sh", _STAND_IN, mode=0o755)
    for name in _COMMANDS:
        made.add(f"usr/bin/{name}", _OK, mode=0o755)
    return made.done()


@pytest.fixture(scope="module")
def pictures() -> tuple[bytes, bytes]:
    return busybox_layer(), layer()


class Shape:
    """A stack's files in a directory of the test."""

    def __init__(self, terminal: Terminal, name: str) -> None:
        self.terminal, self.name = Terminal(terminal.layout, terminal.directory / name), name
        shutil.copytree(SHAPES / name, self.terminal.directory)
        files = ["compose.yaml", *(file for file in ("compose.override.yaml", "local.yaml") if (SHAPES / name / file).exists())]
        self.flags = [word for file in files for word in ("-f", file)]

    def resolved(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.terminal.out(*self.flags, "config", "--format", "json"))
        return found

    def prepare(self, pictures: tuple[bytes, bytes]) -> list[str]:
        """Images, ports, externals, files. Returns the names of the images."""
        stack = self.resolved()
        local: dict[str, Any] = {}
        for name, service in stack["services"].items():
            changes: dict[str, Any] = {}
            published = [port for port in service.get("ports", ()) if "published" in port]
            with free_ports(len(published)) as ports:
                changed = [{**port, "published": str(number)} for port, number in zip(published, ports, strict=True)]
            if changed:
                changes["ports"] = changed
            if (service.get("healthcheck") or {}).get("test"):
                changes["healthcheck"] = {"interval": "300ms", "start_period": "1ms"}
            if lowered := within(service.get("ulimits") or {}):
                changes["ulimits"] = lowered
            local[name] = changes
            for volume in service.get("volumes", ()):
                if volume["type"] == "bind":
                    self._source(volume["source"])
        for one in (*(stack.get("secrets") or {}).values(), *(stack.get("configs") or {}).values()):
            self._source(one.get("file", ""))
        for one in (stack.get("volumes") or {}).values():
            self._source((one.get("driver_opts") or {}).get("device", ""))
        text = yaml.safe_dump({"services": local}).replace("    ports:\n", "    ports: !override\n")
        (self.terminal.directory / "ports.yaml").write_text(text)
        self.flags += ["-f", "ports.yaml"]
        for kind in ("volume", "network"):
            for one in (stack.get(f"{kind}s") or {}).values():
                if one.get("external"):
                    self.terminal.run(kind, "create", one["name"])
        images = self._images(stack)
        config = {"Cmd": ["stand-in"], "Entrypoint": ["stand-in"], "Env": [_PATH]}
        archive = self.terminal.directory / "images.tar"
        archive.write_bytes(docker_archive(*(TestImage(image, config, pictures) for image in images)))
        self.terminal.run("image", "load", "-q", "-i", str(archive))
        return images

    def _images(self, stack: dict[str, Any]) -> list[str]:
        named = [service.get("image") or f"{stack['name']}-{name}" for name, service in stack["services"].items()]
        return sorted({name if ":" in name.rpartition("/")[2] else f"{name}:latest" for name in named})

    def _source(self, path: str) -> None:
        """What is mounted from beneath the stack's directory is there: a file when its name looks like one."""
        source = Path(path)
        if self.terminal.directory not in source.parents or source.exists():
            return
        if source.suffix or source.name in _FILES:
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_text(f"{source.name}\n")
        else:
            source.mkdir(parents=True)


@pytest.fixture
def shape(
    terminal: Terminal, pictures: tuple[bytes, bytes], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shape]:
    found = Shape(terminal, request.param)
    for line in (found.terminal.directory / ".env").read_text().splitlines() if (found.terminal.directory / ".env").exists() else ():
        monkeypatch.setenv(*line.split("=", 1))
    images = found.prepare(pictures)
    yield found
    found.terminal.run(*found.flags, "down", "-v", "-t", "0")
    found.terminal.run("image", "rm", "-f", *images)


@pytest.mark.parametrize("shape", sorted(path.name for path in SHAPES.iterdir()), indirect=True)
def test_each_container_is_as_its_file_says(shape: Shape) -> None:
    terminal = shape.terminal
    terminal.run(*shape.flags, "up", "-d")
    rows = until(lambda: settled(shape), 30, pause=0.1)
    stack = shape.resolved()
    host = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in _NAMESPACES}
    inspected = {one["Id"]: one for one in json.loads(terminal.out("container", "inspect", *(row["ID"] for row in rows)))}
    wrong: list[str] = []
    counts: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: row["Name"]):
        name = row["Service"]
        service = {"name": name, **stack["services"][name]}
        counts[name] = counts.get(name, 0) + 1
        if row["State"] != "running":
            wrong += [f"{row['Name']} is {row['State']} {row['ExitCode']}"] if row["ExitCode"] or row["State"] != "exited" else []
            continue
        inspect = inspected[row["ID"]]
        number = int(inspect["Config"]["Labels"]["com.docker.compose.container-number"])
        seen = look(terminal, shape.flags, name, number, paths(service), own_pid=not service.get("pid"))
        case = said.Case(service, stack, seen, inspect, host)
        wrong += [f"{row['Name']}: {text}" for text in said.complaints(case)]
    wanted = {
        name: service.get("scale") or (service.get("deploy") or {}).get("replicas") or 1 for name, service in stack["services"].items()
    }
    assert counts == wanted
    assert not wrong, "\n".join(wrong)


def within(ulimits: dict[str, Any]) -> dict[str, Any]:
    """Those that this machine cannot give (no CAP_SYS_RESOURCE): its own hard limit instead."""
    if int(re.findall(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())[0], 16) >> 24 & 1:
        return {}
    lowered = {}
    for name, wish in ulimits.items():
        highest = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]
        both = {key: wish.get(key, 0) if isinstance(wish, dict) else wish for key in ("soft", "hard")}
        if highest != -1 and any(value > highest or value == -1 for value in both.values()):
            lowered[name] = {key: highest if value == -1 else min(value, highest) for key, value in both.items()}
    return lowered


def settled(shape: Shape) -> list[dict[str, Any]]:
    """The containers, when each runs (healthy, if it has a check) or has ended; [] before."""
    lines = shape.terminal.out(*shape.flags, "ps", "-a", "--no-trunc", "--format", "json").splitlines()
    rows = [json.loads(line) for line in lines]
    return rows if all(row["State"] in ("running", "exited") and row["Health"] in ("", "healthy") for row in rows) else []


def paths(service: dict[str, Any]) -> list[str]:
    """What is to be looked at by name inside."""
    found = [volume["target"].rstrip("/") or "/" for volume in service.get("volumes", ())]
    found += [device.get("target") or device["source"] for device in service.get("devices", ())]
    found += [target for _, _, target in said.granted(service)]
    return [*found, *(said.sysctl(name) for name in service.get("sysctls") or ())]
