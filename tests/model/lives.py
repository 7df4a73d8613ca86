"""A loop whose time is virtual, and lives of a daemon on it: a life can be abandoned at any await, as `kill -9` does, and another begun.

Every task that is made within a life belongs to it (and what it makes in turn). When the life ends, none of its tasks goes on, nothing is
cleaned up, no `finally` runs: the tasks stand where they stood. What other threads were asked to do is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import selectors
import warnings
from collections.abc import Callable, Coroutine, Generator
from typing import Any

_LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("life", default=None)


class Life:
    """``steps``: how often a task of it may go on before it ends; None: it does not end by itself."""

    def __init__(self) -> None:
        self.alive = True
        self.steps: int | None = None
        self.over = asyncio.Event()
        self.forgotten = False  # the test is over: its tasks may be taken away
        self.tasks: set[asyncio.Task[Any]] = set()
        self.standing: list[Coroutine[Any, Any, Any]] = []

    def forget(self) -> None:
        """The test is over: what stands still may be closed now, which runs what a killed process does not."""
        for work in self.standing:
            with contextlib.suppress(BaseException), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                work.close()
        self.standing.clear()

    def step(self) -> bool:
        """One more; whether it still lives."""
        if self.steps is not None and self.alive:
            self.steps -= 1
            if self.steps < 0:
                self.end()
        return self.alive

    def end(self) -> None:
        self.alive = False
        self.over.set()

    def context(self) -> contextvars.Context:
        """For tasks that are to belong to it."""
        context = contextvars.copy_context()
        context.run(_LIFE.set, self)
        return context


class _Within:
    """A coroutine that stands still once its life is over."""

    def __init__(self, work: Coroutine[Any, Any, Any], life: Life) -> None:
        self._work, self._life = work, life

    def __await__(self) -> Generator[Any, Any, Any]:
        work = self._work
        error: BaseException | None = None
        while True:
            if not self._life.step():
                self._life.standing.append(work)
                while not self._life.forgotten:
                    with contextlib.suppress(asyncio.CancelledError):
                        yield from asyncio.get_running_loop().create_future()
                raise asyncio.CancelledError
            try:
                waited = work.send(None) if error is None else work.throw(error)
            except StopIteration as done:
                return done.value
            error = None
            try:
                yield waited
            except BaseException as raised:  # noqa: BLE001 (cancellation goes into the coroutine)
                error = raised


def _factory(loop: asyncio.AbstractEventLoop, coro: Any, *, context: contextvars.Context | None = None, **kwargs: Any) -> asyncio.Task[Any]:
    life = (context or contextvars.copy_context()).get(_LIFE)
    if life is None:
        return asyncio.Task(coro, loop=loop, context=context, **kwargs)

    async def within() -> Any:
        return await _Within(coro, life)

    task = asyncio.Task(within(), loop=loop, context=context, **kwargs)
    life.tasks.add(task)  # one that nobody refers to would be closed, and clean up
    task.add_done_callback(life.tasks.discard)
    return task


class _Selector(selectors.DefaultSelector):
    """Waits for files and threads only as long as there are threads at work; else time goes on."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        found: list[Any] = super().select(0)
        if found or timeout == 0:
            return found
        if self.loop.threads:
            return super().select(0.05)
        if timeout is None:
            raise AssertionError("nothing will ever happen")
        self.loop.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """``now``: its time; ``threads``: how many calls other threads have at work."""

    def __init__(self) -> None:
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self
        self.now = 1_000_000.0
        self.threads = 0
        self.set_task_factory(_factory)

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._done)
        return future

    def _done(self, _: object) -> None:
        self.threads -= 1
