"""`up` again does nothing; an edit re-creates what it touches and nothing else; `plan` says so beforehand."""

from __future__ import annotations

import time

import pytest

from tests.scenarios.terminal import Terminal, until

pytestmark = [pytest.mark.root, pytest.mark.slow]

STACK = """
name: e
x-all: &all {image: bb, stop_signal: SIGKILL}
services:
  db: {<<: *all, environment: {SIZE: "1"}, secrets: [password]}
  web: {<<: *all, environment: {COLOUR: blue}, depends_on: [db]}
  worker: {<<: *all, secrets: [password], configs: [{source: settings, target: /settings}]}
secrets: {password: {file: ./password.txt}}
configs: {settings: {content: "level: 1"}}
"""
NAMES = ("e-db-1", "e-web-1", "e-worker-1")


def events(terminal: Terminal, since: float) -> list[str]:
    """What the engine has told since this moment (seconds since 1970)."""
    form = "{{.Type}} {{.Action}} {{.Actor.ID}}"
    return terminal.out("system", "events", "--since", f"{since:.6f}", "--until", f"{time.time():.6f}", "--format", form).splitlines()


def started(terminal: Terminal) -> dict[str, tuple[str, str]]:
    return {name: (one["Id"], one["State"]["StartedAt"]) for name in NAMES for one in [terminal.inspect(name)]}


def changed(before: dict[str, tuple[str, str]], after: dict[str, tuple[str, str]]) -> list[str]:
    assert before.keys() == after.keys()
    return [name for name in before if before[name] != after[name]]


def up(terminal: Terminal) -> None:
    terminal.stack(STACK)
    (terminal.directory / "password.txt").write_text("one\n")
    terminal.run("up", "-d")


def test_up_again_touches_nothing(terminal: Terminal) -> None:
    up(terminal)
    before = started(terminal)
    assert any(line.startswith("container start") for line in events(terminal, 0))
    moment = time.time()
    done = terminal.run("up", "-d")
    assert terminal.run("plan", "--detailed-exitcode").stdout == "nothing to do\n"
    assert events(terminal, moment) == []
    assert changed(before, started(terminal)) == []
    assert [line.split() for line in done.stderr.splitlines()] == [["Container", name, "Running"] for name in NAMES]


def test_an_edit_of_one_services_environment_recreates_it_alone(terminal: Terminal) -> None:
    up(terminal)
    before = started(terminal)
    terminal.stack(STACK.replace("blue", "red"))
    planned = terminal.run("plan", "--detailed-exitcode", exit=2)
    assert planned.stdout == "replace container e-web-1: environment changed\n\nPlan: 1 to replace.\n"
    steps = terminal.run("plan", "--steps", exit=0).stdout.splitlines()[:-2]
    assert len(steps) > 3
    assert all("container e-web-1" in line and line.endswith("environment changed") for line in steps), steps
    assert changed(before, started(terminal)) == []
    terminal.run("plan", exit=0)
    done = terminal.run("up", "-d")
    assert changed(before, started(terminal)) == ["e-web-1"]
    words = [line.split()[1:] for line in done.stderr.splitlines()]
    assert ["e-web-1", "Recreated"] in words
    assert ["e-db-1", "Running"] in words
    assert "COLOUR=red" in terminal.out("exec", "-T", "web", "env")
    terminal.run("plan", "--detailed-exitcode", exit=0)


def test_an_edit_of_a_dependency_leaves_its_dependants(terminal: Terminal) -> None:
    up(terminal)
    before = started(terminal)
    terminal.stack(STACK.replace('"1"', '"2"'))
    terminal.run("up", "-d")
    after = started(terminal)
    assert [name for name in NAMES if before[name][0] != after[name][0]] == ["e-db-1"]


def test_new_content_of_a_secret_or_config_recreates_its_users(terminal: Terminal) -> None:
    up(terminal)
    before = started(terminal)
    (terminal.directory / "password.txt").write_text("two\n")
    planned = terminal.run("plan", "--detailed-exitcode", exit=2).stdout
    assert "secret" in planned, planned
    terminal.run("up", "-d")
    between = started(terminal)
    assert changed(before, between) == ["e-db-1", "e-worker-1"]
    for service in ("db", "worker"):
        assert terminal.out("exec", "-T", service, "cat", "/run/secrets/password") == "two\n"
    terminal.stack(STACK.replace("level: 1", "level: 2"))
    terminal.run("up", "-d")
    assert changed(between, started(terminal)) == ["e-worker-1"]
    assert terminal.out("exec", "-T", "worker", "cat", "/settings") == "level: 2"


def test_a_file_that_is_touched_only_is_no_edit(terminal: Terminal) -> None:
    up(terminal)
    before = started(terminal)
    terminal.stack("# a comment\n" + STACK.replace("{COLOUR: blue}", "[COLOUR=blue]"))
    (terminal.directory / "password.txt").write_text("one\n")
    terminal.run("plan", "--detailed-exitcode", exit=0)
    terminal.run("up", "-d")
    assert changed(before, started(terminal)) == []


def test_a_service_that_is_taken_out_is_an_orphan_until_told(terminal: Terminal) -> None:
    up(terminal)
    terminal.stack(without_worker())
    done = terminal.run("up", "-d")
    assert "e-worker-1" in done.stderr
    assert "orphan" in done.stderr
    assert terminal.states()["e-worker-1"] == "running"
    terminal.run("up", "-d", "--remove-orphans")
    assert until(lambda: set(terminal.states())) == {"e-db-1", "e-web-1"}


def without_worker() -> str:
    return "".join(line for line in STACK.splitlines(keepends=True) if not line.startswith("  worker:"))
