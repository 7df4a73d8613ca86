"""The command line as its user has it: a daemon started on demand, real containers, what is printed and the exit codes."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.engine.local.layout import Layout
from tests.cli.shell import COMMAND, Shell, eventually, shell

pytestmark = pytest.mark.root

STACK = """
name: e2e
services:
  web:
    image: bb
    depends_on: [db]
    command: sh -c "echo hello from web; trap 'exit 0' TERM; while :; do sleep 0.1; done"
  db: {image: bb, command: sh -c "echo db is up; exec idle"}
"""


@pytest.fixture
def here(place: Layout, no_leaks: None, tmp_path: Path) -> Iterator[Shell]:
    with shell(place, tmp_path) as made:
        yield made


def test_a_stack_from_up_to_down(here: Shell) -> None:
    here.stack(STACK)
    said = here.run("up", "-d").stderr
    assert [line.split()[1] for line in said.splitlines() if line.endswith("Started")] == ["e2e-db-1", "e2e-web-1"]
    assert here.states() == {"web-1": "running", "db-1": "running"}
    assert here.out("ps", "--services").split() == ["db", "web"]
    assert here.out("ps", "--format", "{{.Service}} {{.State}}") == "db running\nweb running\n"
    assert here.run("ps", "nosuch", code=1).stderr.startswith("Error: no such service: nosuch")
    assert here.out("plan") == "nothing to do\n"
    assert here.run("plan", "--detailed-exitcode", code=0).stdout == "nothing to do\n"
    assert "db-1   | db is up" in here.out("logs", "--no-color")
    assert here.out("ls", "--format", "json").count('"Name":"e2e"') == 1
    here.stack(STACK.replace("hello", "good day"))
    assert "web-1" in here.run("plan", "--detailed-exitcode", code=2).stdout
    said = here.run("up", "-d").stderr
    assert "e2e-web-1  Recreated" in said
    assert "e2e-db-1  Running" in said
    here.run("down")
    assert here.states() == {}
    assert here.run("plan", "--detailed-exitcode", code=2).stdout.startswith("create network")


def test_exec_run_and_cp(here: Shell) -> None:
    here.stack(STACK)
    here.run("up", "-d")
    assert here.out("exec", "-T", "web", "cat", stdin=b"through\n") == "through\n"
    for command, code in (("exit 3", 3), ("kill -9 $$", 137), ("true", 0)):
        here.run("exec", "-T", "web", "sh", "-c", command, code=code)
    here.run("exec", "-T", "web", "nosuch", code=127)
    here.run("exec", "-T", "web", "/etc/passwd", code=126)
    assert (
        here.out("exec", "-T", "-e", "FROM_HERE", "-w", "/tmp", "web", "sh", "-c", "pwd; echo $FROM_HERE", FROM_HERE="yes") == "/tmp\nyes\n"
    )
    assert here.out("run", "--rm", "-T", "web", "wc", "-c", stdin=b"x" * 200_000) == "200000\n"
    here.run("run", "--rm", "-T", "web", "sh", "-c", "exit 9", code=9)
    assert here.states() == {"web-1": "running", "db-1": "running"}
    (here.folder / "file").write_text("data")
    os.chmod(here.folder / "file", 0o640)
    here.run("cp", "file", "web:/tmp/copy")
    assert here.out("exec", "-T", "web", "stat", "-c", "%a", "/tmp/copy") == "640\n"
    here.run("exec", "-T", "web", "sh", "-c", "mkdir -p /d/e && echo deep >/d/e/f && ln -s /etc/passwd /d/link && chmod 4755 /d/e/f")
    here.run("cp", "web:/d", "out")
    assert (here.folder / "out/e/f").read_text() == "deep\n"
    assert (here.folder / "out/e/f").stat().st_mode & 0o7777 == 0o755
    assert os.readlink(here.folder / "out/link") == "/etc/passwd"
    here.run("cp", "nowhere", "web:/tmp/", code=1)
    here.run("cp", "a", "b", code=1)


def test_the_foreground_shows_and_stops(here: Shell) -> None:
    here.stack(STACK)
    output = here.folder / "up.txt"
    child = here.background("up", "--no-color", output=output)
    eventually(lambda: "web-1  | hello from web" in output.read_text())
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 130
    text = output.read_text()
    assert "Gracefully Stopping... press Ctrl+C again to force" in text
    assert "db-1   | db is up" in text
    assert "web-1 exited with code 0" in text
    assert here.states() == {"web-1": "exited", "db-1": "exited"}


def test_the_foreground_ends_with_its_containers(here: Shell) -> None:
    here.stack("services:\n  job: {image: bb, command: sh -c 'echo done; exit 3'}\n  idle: {image: bb}\n")
    done = here.run("up", "--no-color", "job")
    assert "job-1  | done\njob-1 exited with code 3\n" in done.stdout
    here.run("up", "--abort-on-container-exit", code=3)
    here.run("up", "--exit-code-from", "job", code=3)
    assert here.states()["idle-1"] == "exited"


def test_container_run(here: Shell) -> None:
    done = here.run("container", "run", "--rm", "bb", "sh", "-c", "echo out; echo err >&2; exit 5", code=5)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    here.run("container", "run", "--rm", "bb", "nosuch", code=127)
    here.run("container", "run", "--rm", "bb", "/etc/passwd", code=126)
    here.run("container", "run", "--pull", "never", "nosuch:image", code=125)
    assert here.out("container", "ls", "-aq") == ""
    name = here.out("container", "run", "-d", "--name", "one", "-e", "A=b", "-l", "x=y", "-m", "64m", "bb").strip()
    about = json.loads(here.out("container", "inspect", "one"))[0]
    assert (about["Id"], about["HostConfig"]["Memory"], about["Config"]["Labels"]["x"]) == (name, 64 * 2**20, "y")
    assert here.out("container", "inspect", "-f", '{{.State.Status}} {{index .Config.Labels "x"}}', "one") == "running y\n"
    here.run("container", "inspect", "nosuch", code=1)
    here.run("container", "stop", "-t", "1", "one")
    assert here.out("container", "ls", "-a", "--format", "{{.Names}} {{.State}}") == "one exited\n"
    here.run("container", "rm", "one", "nosuch", code=1)


def test_a_terminal(here: Shell) -> None:
    """`exec` on a terminal: a prompt, Ctrl-C for the process, the size, the exit code."""
    here.stack(STACK)
    here.run("up", "-d")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(here.folder)
        os.execve(COMMAND[0], [*COMMAND, "exec", "web", "sh"], {**here.environment, "TERM": "xterm"})
    seen = bytearray()

    def until(text: bytes) -> None:
        deadline = time.monotonic() + 20
        while text not in seen:
            assert time.monotonic() < deadline, bytes(seen)
            if select.select([terminal], [], [], 0.5)[0]:
                seen.extend(os.read(terminal, 4096))

    until(b"# ")
    os.write(terminal, b"tty; echo a$((1+1))b\r")
    until(b"a2b")
    assert b"/dev/pts/0" in seen
    os.write(terminal, b"sleep 100\r")
    time.sleep(0.3)  # the shell has to have started it
    os.write(terminal, b"\x03")
    os.write(terminal, b"exit 7\r")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    os.close(terminal)


def test_a_wrong_file_touches_nothing(here: Shell) -> None:
    here.stack(STACK)
    here.run("up", "-d")
    here.stack(STACK.replace("command", "comand"))
    done = here.run("up", "-d", code=2)
    assert "stack.yml:7:5: error: unknown key 'comand'" in done.stderr
    assert "did you mean 'command'?" in done.stderr
    here.stack(STACK)
    assert here.states() == {"web-1": "running", "db-1": "running"}
