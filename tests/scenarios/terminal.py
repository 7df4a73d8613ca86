"""A terminal of a user: the real ``composer`` command in a directory, with an engine and a daemon of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from composer.daemon.lock import holder
from composer.daemon.options import LOCK, LOG
from composer.engine.local.layout import Layout
from tests.fixtures.patience import patient

COMPOSER = Path(sys.executable).with_name("composer")
LIMIT = 90.0  # seconds for one command
T = TypeVar("T")
Done = subprocess.CompletedProcess[str]


@dataclass
class Terminal:
    """``directory``: where commands are typed, and where the stack file is."""

    layout: Layout
    directory: Path
    variables: dict[str, str] = field(default_factory=dict)  # more of its environment

    @property
    def environment(self) -> dict[str, str]:
        ours = {
            "COMPOSER_ROOT": str(self.layout.root),
            "COMPOSER_RUN": str(self.layout.run),
            "COMPOSER_HOST": f"unix://{self.layout.run}/s",
            "COMPOSER_POOL": self.layout.pool,
            "COMPOSER_POOL6": self.layout.pool6,
            "NO_COLOR": "1",
        }
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("COMPOSE", "DOCKER"))}
        return {**kept, **ours, **self.variables, "PWD": str(self.directory)}

    def stack(self, text: str, name: str = "stack.yml") -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def begin(self, *words: str, **others: Any) -> subprocess.Popen[str]:
        """A command that is not waited for."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **others}
        return subprocess.Popen([COMPOSER, *words], cwd=self.directory, env=self.environment, text=True, **pipes)

    def run(self, *words: str, exit: int = 0, within: float = LIMIT) -> Done:
        """A command that ends, and with this exit code."""
        process = self.begin(*words)
        try:
            out, err = process.communicate(timeout=patient(within))
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"composer {' '.join(words)}: not done in {within} s\n{out}{err}\n{self.daemon_log()}") from None
        if process.returncode != exit:
            raise AssertionError(f"composer {' '.join(words)}: exit {process.returncode}\n{out}{err}\n{self.daemon_log()}")
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def does(self, *words: str) -> bool:
        """Whether a command succeeds."""
        process = self.begin(*words)
        process.communicate(timeout=patient(LIMIT))
        return process.returncode == 0

    def out(self, *words: str) -> str:
        return self.run(*words).stdout

    def inspect(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out("container", "inspect", container))[0]
        return found

    def containers(self) -> dict[str, tuple[str, str]]:
        """All containers of the engine: name -> id and state."""
        lines = self.out("container", "ls", "-a", "--no-trunc", "--format", "{{.Names}} {{.ID}} {{.State}}").splitlines()
        return {name: (ident, state) for name, ident, state in (line.split() for line in lines)}

    def states(self) -> dict[str, str]:
        return {name: state for name, (_, state) in self.containers().items()}

    def become(self, states: dict[str, str], within: float = 15.0) -> None:
        """Wait until the engine's containers are just these, in these states."""
        found: dict[str, str] = {}

        def same() -> bool:
            nonlocal found
            found = self.states()
            return found == states

        try:
            until(same, within)
        except AssertionError:
            raise AssertionError(f"{found} did not become {states} within {within} s\n{self.daemon_log()}") from None

    # The daemon.

    @property
    def daemon(self) -> int:
        """The pid of the daemon; 0 when none runs."""
        pid = holder(self.layout.root / LOCK) or 0
        return pid if pid and alive(pid) else 0

    def kill_daemon(self) -> None:
        pid = self.daemon
        assert pid, "no daemon runs"
        os.kill(pid, signal.SIGKILL)
        until(lambda: not alive(pid), 10)

    def stop_daemon(self) -> None:
        pid = self.daemon
        if pid:
            os.kill(pid, signal.SIGTERM)
            until(lambda: not alive(pid), 30)

    def daemon_log(self) -> str:
        with suppress(OSError):
            return "the daemon's log:\n" + "\n".join((self.layout.run / LOG).read_text().splitlines()[-25:])
        return "(no log)"

    def clear(self) -> None:
        """No container, network or volume is left; whatever the test left."""
        for name in self.out("ls", "-a", "-q").split():
            self.run("-p", name, "down", "-v", "-t", "0", "--remove-orphans")
        for noun, keep in (("container", ()), ("network", ("bridge", "host", "none")), ("volume", ())):
            listed = self.out(
                noun, "ls", *(("-a",) if noun == "container" else ()), "--format", "{{.Names}}" if noun == "container" else "{{.Name}}"
            )
            if names := [name for name in listed.split() if name not in keep]:
                self.run(noun, "rm", *(("-f", "-v") if noun == "container" else ()), *names)


def alive(pid: int) -> bool:
    """It runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def until(check: Callable[[], T], within: float = 10.0, pause: float = 0.02) -> T:
    """Poll until ``check`` gives something true; that value."""
    end = time.monotonic() + patient(within)
    while not (value := check()):
        assert time.monotonic() < end, f"not within {within} s: {check}"
        time.sleep(pause)
    return value


def page(port: int, path: str = "/", timeout: float = 5.0) -> str:
    """What a published port on loopback answers; "" when nobody does."""
    with (
        suppress(OSError, urllib.error.URLError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=patient(timeout)) as answer,
    ):
        return str(answer.read().decode())
    return ""


@contextmanager
def free_ports(count: int) -> Iterator[list[int]]:
    """Ports on loopback that nobody has at the moment."""
    import socket

    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
    yield ports
