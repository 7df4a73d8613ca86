"""A stack that follows its files: what a revision means, wrong ones, and the newest one wins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

from composer.engine.memory import MemoryEngine
from composer.watch.model import Service, Subject
from composer.watch.reload import Reload
from tests.conftest import eventually, run
from tests.watch.door import MemoryDoor


def subject(**services: Service) -> Subject:
    return Subject("s", services)


WEB, BUILT = Service("web"), Service("api", built="1", dockerfile="/p/Dockerfile")
FIRST = subject(web=WEB, api=BUILT)


async def told(door: MemoryDoor, work: Callable[[Reload], Awaitable[None]]) -> None:
    async def adopt(_: Subject) -> None:
        door.log.append("adopt")

    reload = Reload(FIRST, door, door, adopt)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(reload.run())
        await work(reload)
        task.cancel()


def test_what_a_revision_means() -> None:
    door = MemoryDoor(MemoryEngine())
    door.subjects = [FIRST, subject(web=WEB), None, subject(web=WEB, api=Service("api", built="2"))]

    async def work(reload: Reload) -> None:
        reload.files({"/p/Dockerfile"}, "r1")
        await eventually(
            lambda: door.lines == ["Dockerfile -> nothing to change in " + door.lines[0].split(" in ")[1]] if door.lines else False
        )
        reload.files({"/p/stack.yml"}, "r2")
        await eventually(lambda: len(door.lines) == 2)
        reload.files({"/p/stack.yml"}, "r3")
        await eventually(lambda: door.warnings)
        reload.files({"/p/stack.yml"}, "r2")  # as the last good one
        await eventually(lambda: len(door.lines) == 3)
        reload.files({"/p/stack.yml"}, "r4")
        await eventually(lambda: len(door.lines) == 4)

    run(told(door, work))
    assert [line for line in door.log if line.startswith("apply")] == ["apply ['api'] []", "apply [] ['api']", "apply [] []"]
    assert door.warnings == ["stack.yml is not valid: the stack stays as it is"]
    assert door.lines[2] == "stack.yml: as it was, nothing to change"


class Slow(MemoryDoor):
    """Its first `apply` waits until it is cut."""

    async def apply(self, builds: Collection[str], removed: Collection[str]) -> Sequence[str]:
        await super().apply(builds, removed)
        if len([line for line in self.log if line.startswith("apply")]) == 1:
            try:
                await asyncio.sleep(60)
            finally:
                self.log.append("cut")
        return ["web-1 re-created"]


def test_the_newest_wins_and_what_was_cut_is_done_by_it() -> None:
    door = Slow(MemoryEngine())
    door.subjects = [FIRST, FIRST]

    async def work(reload: Reload) -> None:
        reload.files({"/p/Dockerfile"}, "r1")
        await eventually(lambda: "apply ['api'] []" in door.log)
        reload.files({"/p/stack.yml"}, "r2")
        await eventually(lambda: door.lines)

    run(told(door, work))
    assert door.log == ["load", "adopt", "apply ['api'] []", "load", "adopt", "cut", "apply ['api'] []"]
    assert door.lines[0].startswith("stack.yml -> web-1 re-created in ")
