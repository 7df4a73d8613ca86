"""Wrong stack files: each is told with its place, its line and a hint, the exit code is 2, and nothing is touched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from composer.engine.local.layout import Layout
from tests.scenarios.terminal import Terminal

pytestmark = pytest.mark.root


@dataclass(frozen=True)
class Wrong:
    """``place``: line:column of the mistake; ``says``: words of the message; ``hint``: words of the line below the mark."""

    kind: str
    text: str
    place: str
    says: str
    hint: str


HEAD = "services:\n  web:\n    image: bb\n"
KINDS = (
    Wrong("unknown-key", HEAD + "    prots: ['80']\n", "4:5", "prots", "ports"),
    Wrong("wrong-type", HEAD + "    environment: 5\n", "4:18", "environment", ""),
    Wrong("unknown-network", HEAD + "    networks: [bakc]\nnetworks: {back: {}}\n", "4:16", "bakc", "back"),
    Wrong("depends-on-cycle", HEAD + "    depends_on: [db]\n  db: {image: bb, depends_on: [web]}\n", "5:32", "cycle", ""),
    Wrong("unknown-service", HEAD + "    depends_on: [bd]\n  db: {image: bb}\n", "4:18", "bd", "db"),
    Wrong("duplicate-key", HEAD + "    image: other\n", "4:5", "image", ""),
    Wrong("syntax", HEAD + "    ports: ['80'\n  db: {image: bb}\n", "", "", ""),
    Wrong("interpolation", HEAD + "    command: ${NAME\n", "4:14", "", ""),
    Wrong("missing-variable", HEAD + "    command: ${NAME:?the name is needed}\n", "4:14", "the name is needed", ""),
    Wrong("undefined-volume", HEAD + "    volumes: ['data:/data']\nvolumes: {dta: {}}\n", "4:15", "data", "dta"),
    Wrong("bad-duration", HEAD + "    stop_grace_period: soon\n", "4:24", "soon", ""),
    Wrong("bad-port", HEAD + "    ports: ['80:99999']\n", "4:13", "99999", ""),
    Wrong("no-image", "services:\n  web:\n    command: idle\n", "2:3", "image", ""),
    Wrong("undefined-secret", HEAD + "    secrets: [pasword]\nsecrets: {password: {file: ./p}}\n", "4:15", "pasword", "password"),
)


@pytest.fixture(scope="module")
def before(machine: Layout) -> list[str]:
    return everything(Terminal(machine, Path("/")))


def everything(terminal: Terminal) -> list[str]:
    """All that the engine has."""
    return [
        terminal.out("container", "ls", "-a", "-q", "--no-trunc"),
        terminal.out("network", "ls", "-q", "--no-trunc"),
        terminal.out("volume", "ls", "-q"),
        terminal.out("ls", "-a", "-q"),
    ]


@pytest.mark.parametrize("wrong", KINDS, ids=lambda wrong: wrong.kind)
def test_a_wrong_file_is_told_and_nothing_is_touched(terminal: Terminal, before: list[str], wrong: Wrong) -> None:
    terminal.stack(wrong.text)
    done = terminal.run("up", "-d", exit=2)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    found = re.search(r"^\S*stack\.yml:(\d+):(\d+): error: (.+)\n +(\d+) \|(.*)\n +\|([^^]*)\^+ *(.*)$", done.stderr, re.MULTILINE)
    assert found, done.stderr
    line, column, message, number, source, spaces, hint = found.groups()
    assert number == line
    assert source.strip() == wrong.text.splitlines()[int(line) - 1].strip()
    assert len(spaces) == int(column)
    if wrong.place:
        assert f"{line}:{column}" == wrong.place, done.stderr
    assert wrong.says in message
    assert hint or "hint" in done.stderr
    assert wrong.hint in done.stderr
    assert everything(terminal) == before


@pytest.mark.parametrize("words", [("config", "-q"), ("plan",), ("ps",), ("down",)], ids=lambda words: words[0])
def test_every_command_tells_it(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal.stack(KINDS[0].text)
    assert "stack.yml:4:5: error: " in terminal.run(*words, exit=2).stderr


def test_all_mistakes_are_told_at_once(terminal: Terminal) -> None:
    terminal.stack("services:\n  web: {imag: bb, ports: ['80:x']}\n  db: {image: bb, networks: [nosuch]}\n")
    told = terminal.run("up", "-d", exit=2).stderr
    assert len(re.findall(r"^\S*stack\.yml:\d+:\d+: error: ", told, re.MULTILINE)) >= 2, told


def test_a_file_that_is_not_there(terminal: Terminal) -> None:
    assert "nosuch.yml" in terminal.run("-f", "nosuch.yml", "up", "-d", exit=2).stderr
    assert terminal.run("up", "-d", exit=2).stderr.strip()
