"""The words in which the histories of `test_histories` are written: each is a step that acts on a `Scene`, or looks at it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from composer.daemon.stack_api import VERBS
from composer.errors import ComposerError
from composer.gitops.follow import Wish
from composer.gitops.model import Suspension
from composer.spec.read import NAMES, OVERRIDES
from tests.gitops.ground import Daemon
from tests.gitops.repository import Content, Repository, signing, ssh_key

HERE = Path(__file__).parent
Step = Callable[["Scene"], Awaitable[None]]


@dataclass
class Scene:
    """``marks``: commits by name, containers by name. ``options``: of the source."""

    repo: Repository
    daemon: Daemon
    directory: Path
    options: dict[str, Any] = field(default_factory=dict)
    marks: dict[str, Any] = field(default_factory=dict)

    def key(self, name: str) -> Path:
        path = self.directory / name
        return path if path.exists() else ssh_key(path)

    @property
    def status(self) -> dict[str, Any]:
        return self.daemon.status()


def stack(*, image: str = "app", name: str = "", extra: str = "", **services: Any) -> str:
    """A stack file: service=V; V "fail" is a service that ends badly, "wait" one that never becomes healthy."""
    lines = [f"name: {name}"] if name else []
    lines.append("services:" if services else "services: {}")
    for service, value in services.items():
        command = "fail" if str(value).startswith("fail") else "serve"
        lines += [f"  {service}:", f"    image: {image}", f"    command: [{command}]", f'    environment: {{V: "{value}"}}']
        lines += ["    healthcheck: {test: [CMD, check]}"]
    return "\n".join(lines) + "\n" + extra


def commit(
    files: dict[str, Content] | None = None, *, mark: str = "", signed: str = "", flags: tuple[str, ...] = (), **services: Any
) -> Step:
    """Files changed; ``services``: the stack file anew. ``signed``: by the key of that name."""

    async def step(scene: Scene) -> None:
        found = dict(files or {})
        if services:
            found["stack.yml"] = stack(**services)
        if signed:
            scene.repo.write(found)
            scene.repo.git("add", "-A")
            scene.repo.git(*signing(scene.key(signed)), "commit", "-q", "-S", "--allow-empty", "-m", "signed", *flags)
        else:
            scene.repo.commit(found, *flags, message=f"change {mark}".strip())
        if mark:
            scene.marks[mark] = scene.repo.git("rev-parse", "HEAD")

    return step


def command(verb: str, *services: str) -> Step:
    """Somebody's own command on the stack ``s``."""

    async def step(scene: Scene) -> None:
        nowhere = {f"/{name}": {"missing": True} for name in (*NAMES, *OVERRIDES, ".env")}
        body = {"project": {"name": "s", "cwd": "/", "contents": nowhere}, "options": {"services": list(services)}}
        lines = [line async for line in scene.daemon.stacks.answer(VERBS[verb], body)]
        assert lines[-1]["exit"] == 0, lines

    return step


def image(name: str) -> Step:
    """The image is there from now on."""

    async def step(scene: Scene) -> None:
        scene.daemon.engine.add_image(name)

    return step


def git(*words: str, key: str = "") -> Step:
    async def step(scene: Scene) -> None:
        scene.repo.git(*(signing(scene.key(key)) if key else ()), *words)

    return step


def add(*, keys: tuple[str, ...] = (), **options: Any) -> Step:
    """Follow the repository as ``s``."""

    async def step(scene: Scene) -> None:
        texts = [scene.key(key).with_suffix(".pub").read_text() for key in keys]
        wanted = {"name": "s", "repo": scene.repo.url, "interval": 0, "gate": 5.0, "signers": texts, **options}
        await scene.daemon.fleet.add(wanted)

    return step


def sync(*, volumes: bool = False, **flags: bool) -> Step:
    async def step(scene: Scene) -> None:
        await scene.daemon.fleet.sync("s", Wish("by hand", **flags), volumes=volumes)

    return step


def runs(**services: object) -> Step:
    """Just these run, at these versions. A stack's other name in front is written stack__service."""

    async def step(scene: Scene) -> None:
        wanted = {name.replace("__", "/").replace("_", "-"): str(value) for name, value in services.items()}
        assert await scene.daemon.running() == wanted, scene.status

    return step


def is_(state: str) -> Step:
    async def step(scene: Scene) -> None:
        assert scene.status["state"] == state, scene.status

    return step


def says(*texts: str) -> Step:
    """The status has these words, somewhere."""

    async def step(scene: Scene) -> None:
        for text in texts:
            assert text in str(scene.status), scene.status

    return step


def never(text: str) -> Step:
    """Neither the status nor the history has it."""

    async def step(scene: Scene) -> None:
        told = [scene.status["stacks"][0]["message"], scene.status["problem"], *(one["text"] for one in scene.daemon.fleet.history("s"))]
        assert not [one for one in told if text in one], told

    return step


def quarantined(*marks: str) -> Step:
    async def step(scene: Scene) -> None:
        found = {bad["commit"] for one in scene.status["stacks"] for bad in one["quarantined"]}
        assert found == {scene.marks[mark] for mark in marks}, scene.status

    return step


def at(mark: str) -> Step:
    """The stack is at this commit."""

    async def step(scene: Scene) -> None:
        assert [one["commit"] for one in scene.status["stacks"]] == [scene.marks[mark]], scene.status

    return step


def happened(*kinds: str) -> Step:
    """The history has these events, in this order, and no others."""

    async def step(scene: Scene) -> None:
        assert [one["kind"] for one in scene.daemon.fleet.history("s")] == list(kinds), scene.daemon.fleet.history("s")

    return step


def remember() -> Step:
    """Which containers there are."""

    async def step(scene: Scene) -> None:
        scene.marks["containers"] = await scene.daemon.ids()

    return step


def changed(*names: str) -> Step:
    """Just these containers are others than those remembered."""

    async def step(scene: Scene) -> None:
        before, now = scene.marks["containers"], await scene.daemon.ids()
        assert {name for name in {*before, *now} if before.get(name) != now.get(name)} == set(names)

    return step


def exists(kind: str, *names: str) -> Step:
    """The engine's networks or volumes of the stack ``s`` are just these."""

    async def step(scene: Scene) -> None:
        part = scene.daemon.engine.networks if kind == "network" else scene.daemon.engine.volumes
        assert {one.name for one in await part.list() if one.name.startswith("s_")} == set(names)

    return step


def away() -> Step:
    """The remote is not there."""

    async def step(scene: Scene) -> None:
        scene.repo.directory.rename(scene.repo.directory.with_suffix(".away"))

    return step


def back() -> Step:
    async def step(scene: Scene) -> None:
        scene.repo.directory.with_suffix(".away").rename(scene.repo.directory)

    return step


def anew() -> Step:
    """Another repository in its place."""

    async def step(scene: Scene) -> None:
        shutil.rmtree(scene.repo.directory)
        Repository.new(scene.repo.directory)

    return step


def submodule(path: str) -> Step:
    async def step(scene: Scene) -> None:
        other = scene.directory / "other"
        if not other.exists():
            Repository.new(other).commit({"stack.yml": stack(web="other")})
        scene.repo.git("submodule", "--quiet", "add", f"file://{other}", path)
        scene.repo.git("commit", "-q", "-m", "submodule")

    return step


def suspend(seconds: float = 0.0) -> Step:
    async def step(scene: Scene) -> None:
        await scene.daemon.fleet.suspend("s", "holidays", seconds)

    return step


def resume() -> Step:
    async def step(scene: Scene) -> None:
        await scene.daemon.fleet.resume("s")

    return step


def expired() -> Step:
    """The suspension's time has come."""

    async def step(scene: Scene) -> None:
        row = scene.daemon.fleet.store.get("s")
        assert row is not None
        await scene.daemon.fleet.store.keep(replace(row, suspension=Suspension("holidays", 1.0, time.time() - 1)))

    return step


def refuses(step: Step, words: str) -> Step:
    """The step is refused with these words."""

    async def wrapped(scene: Scene) -> None:
        with pytest.raises(ComposerError, match=words):
            await step(scene)

    return wrapped


def sops(name: str, text: str) -> Step:
    """Add an env file that age encrypted for the key of these tests."""

    async def step(scene: Scene) -> None:
        import pyrage

        identity = pyrage.x25519.Identity.from_str((HERE / "sops" / "key.txt").read_text().splitlines()[-1])
        scene.repo.commit({name: pyrage.encrypt(text.encode(), [identity.to_public()], armored=True)})

    return step


def hides(secret: str) -> Step:
    """The secret is nowhere: not in the status, the history, the log, the state on disk."""

    async def step(scene: Scene) -> None:
        fleet = scene.daemon.fleet
        assert secret not in f"{scene.status} {fleet.history('s')} {scene.daemon.log.lines}"
        files = [path for path in (scene.directory / "daemon").rglob("*") if path.is_file() and "run" not in path.parts]
        assert not [path for path in files if secret.encode() in path.read_bytes()]

    return step
