"""Wrong files: each mistake is found, at its place, all in one go, in words that help."""

from __future__ import annotations

import time

import pytest

from composer.errors import SpecError
from tests.spec.stacks import mistakes, stack

WEB = "services:\n  web:\n    image: x\n"

CASES = {
    "unknown key": (WEB + "    prots: []\n", ["4:5 spec.unknown-key"]),
    "unknown top key": (WEB + "service: {}\n", ["4:1 spec.unknown-key"]),
    "list wanted": (WEB + "    ports: '80:80'\n", ["4:12 spec.type"]),
    "number for a string": ("services:\n  web:\n    image: 12\n", ["3:12 spec.type"]),
    "port too large": (WEB + "    ports:\n      - '80:80800'\n", ["5:9 spec.port"]),
    "port range backwards": (WEB + "    ports: ['90-80:80']\n", ["4:13 spec.port"]),
    "duration": (WEB + "    stop_grace_period: 10 seconds\n", ["4:24 spec.value"]),
    "size": (WEB + "    mem_limit: 12parsecs\n", ["4:16 spec.value"]),
    "boolean": (WEB + "    init: maybe\n", ["4:11 spec.value"]),
    "choice": (WEB + "    depends_on: {web2: {condition: ready}}\n", ["4:36 spec.choice"]),
    "missing property": (WEB + "    volumes: [{type: volume, source: v}]\nvolumes: {v: }\n", ["4:15 spec.missing"]),
    "undefined network": (WEB + "    networks: [front]\n", ["4:16 spec.undefined-network"]),
    "undefined volume": (WEB + "    volumes: ['data:/d']\n", ["4:15 spec.undefined-volume"]),
    "undefined secret": (WEB + "    secrets: [token]\n", ["4:15 spec.undefined-secret"]),
    "undefined service": (WEB + "    depends_on: [db]\n", ["4:18 spec.undefined-service"]),
    "self dependency": (WEB + "    depends_on: [web]\n", ["4:18 spec.cycle"]),
    "no image": ("services:\n  web: {hostname: h}\n", ["2:3 spec.no-image"]),
    "null service": ("services:\n  web:\n  db: {image: x}\n", ["2:7 spec.type"]),
    "container name and scale": (WEB + "    container_name: nn\n    scale: 2\n", ["4:5 spec.container-name"]),
    "two sources": (WEB + "secrets:\n  s:\n    file: f\n    environment: E\n", ["6:5 spec.two-sources"]),
    "extends nobody": (WEB + "    extends: base\n", ["4:14 spec.unknown-service"]),
    "required variable": (WEB + "    user: ${WHO:?say who}\n", ["4:11 spec.required-variable"]),
    "wrong variable": (WEB + "    user: a${1}\n", ["4:12 spec.interpolation"]),
    "open quote in a command": (WEB + "    command: echo 'oops\n", ["4:14 spec.command"]),
    "env file": (WEB + "    env_file: no.env\n", ["4:15 spec.env-file"]),
    "target twice": (WEB + "    tmpfs: [/d]\n    volumes: ['/d']\n", ["5:15 spec.mount-twice"]),
    "duplicate key": (WEB + "    image: y\n", ["4:5 spec.duplicate-key"]),
    "tab": ("services:\n  web:\n\timage: x\n", ["3:1 spec.tab"]),
    "open bracket": (WEB + "    ports: [80\n", ["4:12 spec.syntax"]),
    "unknown alias": (WEB + "    labels: *no\n", ["4:13 spec.unknown-alias"]),
    "alias cycle": ("services: &s\n  a: {image: x, labels: *s}\n", ["2:25 spec.alias-cycle"]),
    "number as key": (WEB + "    labels: {1: a}\n", ["4:14 spec.key"]),
    "not a mapping": ("- a\n", ["1:1 spec.type"]),
    "empty": ("# nothing\n", ["spec.empty"]),
    "binary": (b"\x00\x01\x02", ["spec.encoding"]),
    "network mode and networks": (WEB + "    network_mode: host\n    networks: [default]\n", ["4:5 spec.network-mode"]),
    "limits differ": (WEB + "    pids_limit: 1\n    deploy: {resources: {limits: {pids: 2}}}\n", ["4:17 spec.limits"]),
    "include of nothing": ("include: [no.yml]\n" + WEB, ["1:11 spec.no-file"]),
    "healthcheck without CMD": (WEB + "    healthcheck: {test: [curl, x]}\n", ["4:26 spec.healthcheck"]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_found_at_its_place(name: str) -> None:
    text, wanted = CASES[name]
    assert mistakes({"stack.yml": text}) == wanted


def test_all_mistakes_are_told_at_once() -> None:
    web = "  web:\n    imge: x\n    build: .\n    ports: ['80:99999']\n"
    api = "  api:\n    image: y\n    depends_on: [databse]\n    init: perhaps\n"
    wanted = ["3:5 spec.unknown-key", "5:13 spec.port", "8:18 spec.undefined-service", "9:11 spec.value"]
    assert mistakes("services:\n" + web + api) == wanted


def test_a_mistake_in_an_anchor_is_told_once() -> None:
    assert mistakes("x-c: &c {image: x, privilegd: true}\nservices:\n  a: *c\n  b: {<<: *c}\n") == ["1:20 spec.unknown-key"]


def test_a_mistake_in_another_file_names_it_and_the_way_there() -> None:
    files = {
        "stack.yml": "services:\n  web:\n    extends: {file: lib/base.yml, service: base}\n",
        "lib/base.yml": "services:\n  base:\n    image: x\n    prots: []\n",
    }
    with pytest.raises(SpecError) as caught:
        stack(files)
    assert caught.value.message == (
        "lib/base.yml:4:5: error: unknown key 'prots' in the service 'web' [spec.unknown-key]\n"
        "  4 |     prots: []\n"
        "    |     ^^^^^  did you mean 'ports'?\n"
        "  from extended by the service 'web' at stack.yml:3:21"
    )


def test_cycles_over_files_end() -> None:
    files = {"stack.yml": "include: [b.yml]\n" + WEB, "b.yml": "include: [stack.yml]\n"}
    assert mistakes(files) == ["b.yml:1:11 spec.include-cycle"]
    files = {
        "stack.yml": "services: {a: {extends: {file: b.yml, service: b}}}\n",
        "b.yml": "services: {b: {extends: {file: stack.yml, service: a}}}\n",
    }
    assert any("spec.extends-cycle" in one for one in mistakes(files))


BOMBS = {
    "brackets": "[" * 100_000,
    "braces": "{a: " * 50_000,
    "dashes": "- " * 100_000,
    "aliases": "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 20)),
    "merges": "a0: &a0 {k: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{','.join([f'*a{i - 1}'] * 100)}], k{i}: 1}}\n" for i in range(1, 300)),
    "nested variables": WEB + "    user: " + "${A:-" * 5_000 + "}" * 5_000 + "\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_quickly(name: str) -> None:
    begun = time.process_time()
    assert mistakes(BOMBS[name])
    assert time.process_time() - begun < 5
