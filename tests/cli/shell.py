"""The real command line against a real engine: its own daemon, started on demand, and a folder to work in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composer.engine.local.layout import Layout
from tests.fixtures.busybox import busybox_archive
from tests.fixtures.patience import patient

COMMAND = [sys.executable, "-m", "composer.cli.main"]


@dataclass
class Shell:
    """``run("ps", "-a")`` does it; ``background`` starts it."""

    folder: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(
        self, *arguments: str, code: int | None = 0, stdin: bytes = b"", timeout: float = 60, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Do it in the folder; fails unless the exit code is ``code`` (None: any)."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env={**self.environment, **variables},
            timeout=patient(timeout),
            check=False,
        )
        result = subprocess.CompletedProcess(arguments, done.returncode, done.stdout.decode(), done.stderr.decode())
        assert code is None or done.returncode == code, f"{arguments} -> {done.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def out(self, *arguments: str, **options: Any) -> str:
        return self.run(*arguments, **options).stdout

    def background(self, *arguments: str, output: Path) -> subprocess.Popen[bytes]:
        with output.open("wb") as file:
            child = subprocess.Popen(
                [*COMMAND, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self.environment,
            )
        self.started.append(child)
        return child

    def stack(self, text: str) -> None:
        (self.folder / "stack.yml").write_text(text)

    def states(self) -> dict[str, str]:
        rows = [json.loads(line) for line in self.out("ps", "-a", "--format", "json").splitlines()]
        return {row["Name"].removeprefix(f"{row['Project']}-"): row["State"] for row in rows}


@contextmanager
def shell(place: Layout, folder: Path, images: bytes | None = None) -> Iterator[Shell]:
    """A daemon of its own, with the image ``bb:latest``; at the end all is removed and the daemon is stopped."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE", "DOCKER"))}
    own = {"COMPOSER_ROOT": str(place.root), "COMPOSER_RUN": str(place.run), "COMPOSER_POOL": place.pool, "COMPOSER_POOL6": place.pool6}
    here = Shell(folder, {**kept, **own, "PYTHONPATH": str(Path(__file__).parents[2]), "NO_COLOR": "1", "PWD": str(folder)})
    here.run("image", "load", stdin=images or busybox_archive())
    try:
        yield here
    finally:
        for child in here.started:
            if child.poll() is None:
                child.kill()
            child.wait(10)
        for name in here.out("ls", "-a", "-q", code=None).split():
            here.run("-p", name, "down", "-v", "-t", "0", "--remove-orphans", code=None)
        left = here.out("container", "ls", "-aq", code=None).split()
        if left:
            here.run("container", "rm", "-f", *left, code=None)
        here.run("engine", "stop")


def eventually(check: Callable[[], Any], within: float = 15.0) -> Any:
    """Poll until it is true; its value."""
    deadline = time.monotonic() + within
    while not (value := check()):
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.05)
    return value
