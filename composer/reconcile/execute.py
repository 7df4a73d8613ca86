"""Carry out a plan: concurrently along its edges, an Outcome for each action; a failure skips what depends on it, nothing else.

`Execution.cancel` (Ctrl-C) begins nothing new and ends the waits; what is being done is finished, so nothing is left half made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from composer.engine.interface import Engine
from composer.errors import ComposerError
from composer.reconcile.condition import ConditionFailed, Watch
from composer.reconcile.model import Action, Live, Outcome, Plan, Progress, Ref, Resource
from composer.reconcile.rollout.roll import Journal, Roll, RolloutFailed
from composer.reconcile.step import Steps, title

_AT_ONCE = 16  # creations and starts in work at the same time
_UNBOUNDED = {"wait", "stop", "restart", "roll", "retire"}  # they mostly wait for processes that end


class Cancelled(ComposerError):
    """The work was interrupted by the user before this action began."""

    code = "cancelled"


class Execution:
    """One plan being carried out. ``at_once``: how many creations and starts are in work at the same time. ``journal``: is told of
    rollouts that fail."""

    def __init__(
        self,
        engine: Engine,
        project: str,
        want: Mapping[Ref, Resource],
        have: Mapping[Ref, Live],
        report: Callable[[Progress], None],
        *,
        at_once: int | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._engine, self._project, self._want, self._journal = engine, project, want, journal
        self._stop = asyncio.Event()
        self._watch = Watch(engine, project)
        self._report = report
        self._steps = Steps(engine, want, have, self._watch, report)
        self._slots = asyncio.Semaphore(at_once or _AT_ONCE)
        self._outcomes: dict[str, Outcome] = {}
        self._followers: dict[str, list[Action]] = {}
        self._missing: dict[str, int] = {}
        self._waits: set[asyncio.Task[None]] = set()
        self._cancelled = False

    def cancel(self) -> None:
        """Begin nothing more. Safe to call at any time, twice too."""
        self._cancelled = True
        self._stop.set()
        for task in self._waits:
            task.cancel()

    async def run(self, plan: Plan, *, patience: float | None = None) -> list[Outcome]:
        """Outcomes in the plan's order. ``patience``: seconds for the waits of the plan, None: without end."""
        for action in plan.actions:
            edges = {*action.after, *action.softly}
            self._missing[action.key] = len(edges)
            for edge in edges:
                self._followers.setdefault(edge, []).append(action)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch.run()) if any(a.verb == "wait" for a in plan.actions) else None
            await asyncio.sleep(0)  # the watch subscribes before anything happens
            async with asyncio.TaskGroup() as work:
                for action in plan.actions:
                    if not self._missing[action.key]:
                        self._launch(work, action, patience)
            if watching is not None:
                watching.cancel()
        return [self._outcomes[action.key] for action in plan.actions]

    def _launch(self, group: asyncio.TaskGroup, action: Action, patience: float | None) -> None:
        task = group.create_task(self._perform(group, action, patience))
        if action.verb == "wait":
            self._waits.add(task)
            task.add_done_callback(self._waits.discard)

    async def _perform(self, group: asyncio.TaskGroup, action: Action, patience: float | None) -> None:
        outcome = await self._outcome(action, patience)
        self._outcomes[action.key] = outcome
        for follower in self._followers.get(action.key, ()):
            self._missing[follower.key] -= 1
            if not self._missing[follower.key]:
                self._launch(group, follower, patience)

    async def _outcome(self, action: Action, patience: float | None) -> Outcome:
        for edge in action.after:
            before = self._outcomes[edge]
            if before.result != "done":
                return Outcome(action, "skipped", because=before.because or edge)
        if self._cancelled:
            return Outcome(action, "failed", Cancelled("interrupted"))
        try:
            if action.verb in _UNBOUNDED:
                async with asyncio.timeout(patience if action.verb == "wait" else None):
                    await self._roll(action) if action.verb == "roll" else await self._steps.perform(action)
            else:
                async with self._slots:
                    await self._steps.perform(action)
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
            return Outcome(action, "failed", Cancelled("interrupted"))
        except ConditionFailed as error:
            return self._passed_over(action, error) if action.optional else self._failed(action, error)
        except TimeoutError:
            return self._failed(action, ComposerError(f"timed out after {patience:g} s waiting for {action.ref.name}", code="timeout"))
        except ComposerError as error:
            return self._failed(action, error)
        return Outcome(action, "done")

    async def _roll(self, action: Action) -> None:
        service = self._want[action.ref]
        steps = self._steps
        roll = Roll(self._engine, self._project, service, action, steps, self._report, self._stop, self._journal)
        if not await roll.run():
            raise Cancelled("interrupted: the daemon goes on with the rollout")

    def _passed_over(self, action: Action, error: ComposerError) -> Outcome:
        """`required: false`: those who depend on it start without it."""
        text = f'optional dependency "{action.service}" failed to start: {error.message.removeprefix("dependency failed to start: ")}'
        self._report(Progress(title(action.ref), "Skipped", done=True, detail=text))
        return Outcome(action, "done")

    def _failed(self, action: Action, error: ComposerError) -> Outcome:
        if not isinstance(error, RolloutFailed):  # which told it itself
            self._report(Progress(title(action.ref), "Error", done=True, error=True, detail=error.message))
        return Outcome(action, "failed", error)


def first_error(outcomes: list[Outcome]) -> ComposerError | None:
    """The error to tell: an engine's or a condition's before an interruption."""
    errors = [outcome.error for outcome in outcomes if isinstance(outcome.error, ComposerError)]
    real = [error for error in errors if not isinstance(error, Cancelled)]
    return next(iter(real or errors), None)
