"""Services with a `provider`, as docker compose runs them: what is called, what its variables do, and what comes of a failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.scenarios.terminal import Terminal

pytestmark = [pytest.mark.root, pytest.mark.slow]

_PROVIDER = """#!/bin/sh
echo "$@" >>calls
case "$2 $3" in
  "metadata "*) exit 1 ;;
  *" up") echo '{"type":"info","message":"starting it"}'
    echo '{"type":"setenv","message":"URL=http://x"}'
    echo '{"type":"setenv","message":"WORD=a=b"}' ;;
esac
"""
_STACK = """
services:
  a: {image: bb, depends_on: [db]}
  b: {image: bb}
  db: {provider: {type: ./provider, options: {type: mysql, list: [a, b]}}}
"""


def program(terminal: Terminal, text: str, name: str = "provider") -> Path:
    path = terminal.directory / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def calls(terminal: Terminal) -> list[str]:
    """What was called since the last look, questions for metadata aside."""
    path = terminal.directory / "calls"
    found = path.read_text().splitlines() if path.exists() else []
    path.write_text("")
    return [line for line in found if "metadata" not in line]


def test_a_provider_is_run_and_its_variables_are_passed_on(terminal: Terminal) -> None:
    program(terminal, _PROVIDER)
    terminal.stack(_STACK)
    done = terminal.run("-p", "pv", "up", "-d")
    assert " db  starting it\n db  Created\n" in done.stderr
    assert calls(terminal) == ["compose --project-name=pv up --list=a --list=b --type=mysql db"]
    variables = terminal.out("-p", "pv", "exec", "-T", "a", "env").splitlines()
    assert {"DB_URL=http://x", "DB_WORD=a=b"} <= set(variables)
    assert "DB_" not in terminal.out("-p", "pv", "exec", "-T", "b", "env")
    before = terminal.containers()
    terminal.run("-p", "pv", "up", "-d")
    terminal.run("-p", "pv", "up", "-d", "b")
    assert terminal.containers() == before
    assert len(calls(terminal)) == 1  # b needs no provider
    assert terminal.run("-p", "pv", "plan").returncode == 0
    terminal.run("-p", "pv", "stop")
    terminal.run("-p", "pv", "start")
    assert calls(terminal) == []
    terminal.run("-p", "pv", "down", "-t", "0")
    assert calls(terminal) == ["compose --project-name=pv down --list=a --list=b --type=mysql db"]
    assert terminal.states() == {}


def test_a_provider_that_fails_stops_the_stack_from_coming_up(terminal: Terminal) -> None:
    program(terminal, '#!/bin/sh\necho \'{"type":"error","message":"it broke"}\'\nexit 3\n')
    terminal.stack(_STACK)
    assert "Error: it broke" in terminal.run("-p", "pf", "up", "-d", exit=1).stderr
    program(terminal, "#!/bin/sh\necho hello\n")
    assert "invalid response from the provider of service db: hello" in terminal.run("-p", "pf", "up", "-d", exit=1).stderr
    terminal.stack(_STACK.replace("./provider", "nosuchprovider"))
    assert "nosuchprovider" in terminal.run("-p", "pf", "up", "-d", exit=1).stderr
    assert terminal.states() == {}


def test_a_provider_says_which_options_it_takes(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    known = '{"up":{"parameters":[{"name":"type","required":true}]},"down":{"parameters":[]}}'
    program(terminal, f"#!/bin/sh\nif test $2 = metadata; then echo '{known}'; else echo \"$@\" >>calls; fi\n", "inpath")
    monkeypatch.setenv("PATH", f"{terminal.directory}:{os.environ['PATH']}")
    terminal.stack(_STACK.replace("./provider", "inpath"))
    terminal.run("-p", "pm", "up", "-d", "a")
    assert calls(terminal) == ["compose --project-name=pm up --type=mysql db"]
    terminal.stack(_STACK.replace("./provider", "inpath").replace("type: mysql, ", ""))
    assert "required parameter 'type' is missing" in terminal.run("-p", "pm", "up", "-d", exit=1).stderr
    terminal.run("-p", "pm", "down", "-t", "0")
    assert [call.split()[2] for call in calls(terminal)] == ["down"]
