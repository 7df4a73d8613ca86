"""After any sequence of edits, restarts and re-creations the containers' trees equal the source under the rules."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from composer.engine.memory import MemoryEngine
from composer.watch.crew import Crew
from composer.watch.door import Replica
from composer.watch.look import beneath, signed
from composer.watch.model import SYNC, Rule, Service
from composer.watch.sieve import sieve
from tests.watch.door import MemoryDoor

NAMES = ("a", "b", "c.py", "skip")
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
EDITS = st.one_of(
    st.tuples(st.just("write"), PATHS, st.sampled_from(["1", "22", ""])),
    st.tuples(st.just("replace"), PATHS, st.sampled_from(["1", "333"])),
    st.tuples(st.just("remove"), PATHS, st.just("")),
    st.tuples(st.just("mkdir"), PATHS, st.just("")),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.just("link"), PATHS, PATHS),
    st.tuples(st.just("chmod"), PATHS, st.sampled_from(["600", "755"])),
    st.tuples(st.sampled_from(["batch", "lost", "restart", "anew", "broken"]), st.just(""), st.just("")),
)


class Source:
    """Edits as programs do them; ``told``: the paths that the kernel would tell."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.told: set[str] = set()

    def do(self, verb: str, path: str, more: str) -> None:
        with suppress(OSError):  # an edit that is impossible where it comes is none
            getattr(self, verb)(self.root / path, more)
            self.told.add(str(self.root / path))

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.told.update(str(above) for above in path.parents if self.root in above.parents)
        path.write_text(text)

    def replace(self, path: Path, text: str) -> None:
        beside = path.with_name(f"{path.name}~")
        beside.write_text(text)
        beside.rename(path)

    def remove(self, path: Path, _: str) -> None:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def mkdir(self, path: Path, _: str) -> None:
        path.mkdir()

    def rename(self, path: Path, more: str) -> None:
        path.rename(self.root / more)
        self.told.add(str(self.root / more))

    def link(self, path: Path, more: str) -> None:
        path.symlink_to(more)

    def chmod(self, path: Path, more: str) -> None:
        path.chmod(int(more, 8)) if not path.is_symlink() else None


async def container_tree(engine: MemoryEngine, ref: str) -> dict[str, str]:
    files = engine._made.find(ref).files
    return {path.removeprefix("/app/"): str(files.signature(path)) for path in files._members if path.startswith("/app/")}


async def equal(engine: MemoryEngine, rule: Rule, replicas: list[Replica]) -> None:
    passes = sieve(rule.path, rule.ignore, rule.include)
    wanted = {path: signed(os.path.join(rule.path, path), entry) for path, entry in beneath(rule.path, passes)}
    for replica in replicas:
        found = await container_tree(engine, replica.id)
        if rule.include:  # directories that only lead to what is meant
            found = {path: said for path, said in found.items() if path in wanted or not said.startswith("d:")}
        assert found == wanted


async def play(
    edits: list[tuple[str, str, str]], ignore: tuple[str, ...], include: tuple[str, ...], begin: Callable[[Source], None]
) -> None:
    root = Path(tempfile.mkdtemp(prefix="cw-"))
    engine = MemoryEngine()
    door = MemoryDoor(engine)
    try:
        source = Source(root)
        begin(source)
        rule = Rule(SYNC, str(root), "/app", ignore, include, initial_sync=True)
        crew = Crew(Service("web", (rule,)), door, door)
        crew.begin()
        replicas = [await door.make("web-1"), await door.make("web-2")]
        for replica in replicas:
            crew.there(replica, fresh=False)
        async with asyncio.TaskGroup() as group:
            work = group.create_task(crew.run())
            for verb, path, more in [*edits, ("batch", "", "")]:
                if verb == "batch":
                    crew.changed(source.told)
                elif verb == "lost":
                    crew.changed((), everything=True)
                elif verb == "restart":
                    await engine.containers.restart("web-1", timeout=0)
                    crew.there(replicas[0], fresh=True)
                elif verb == "anew":
                    await engine.containers.remove("web-2", force=True)
                    crew.left(replicas[1])
                    replicas[1] = await door.make("web-2")
                    crew.there(replicas[1], fresh=True)
                elif verb == "broken":
                    door.broken = True
                    crew.changed(source.told)
                    await crew.settled()
                    door.broken = False
                    (root / "last").write_text(str(os.urandom(2)))
                    source.told.add(str(root / "last"))
                else:
                    source.do(verb, path, more)
                    continue
                await crew.settled()
                if verb in ("batch", "lost"):
                    source.told.clear()
            await equal(engine, rule, replicas)
            work.cancel()
    finally:
        await engine.close()
        shutil.rmtree(root)


RULES = st.sampled_from([((), ()), (("skip/",), ()), (("**/*.py", "!a/c.py"), ()), ((), ("**/*.py", "b"))])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EDITS, max_size=14), RULES, st.booleans())
def test_containers_follow(edits: list[tuple[str, str, str]], rules: tuple[tuple[str, ...], tuple[str, ...]], full: bool) -> None:
    def begin(source: Source) -> None:
        if full:
            for path in ("a/b/c.py", "b/a", "skip/a"):
                source.do("write", path, "0")

    asyncio.run(play(edits, *rules, begin))
