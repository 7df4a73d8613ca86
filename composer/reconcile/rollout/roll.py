"""Carrying a rollout out: look, ask `machine`, do the steps of each seat, look again when something happens; back when it fails.

Every step leaves a state that the machine can go on from, so who looks next finishes what a killed one began. That a revision has failed is
written to the journal before the way back begins: so nobody goes forward again after a crash.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from composer.engine.errors import EngineError
from composer.engine.interface import Engine, traffic_of
from composer.engine.model import LogOptions
from composer.errors import ComposerError
from composer.reconcile import labels
from composer.reconcile.fate import name_of
from composer.reconcile.model import Action, Live, Progress, Ref, Resource
from composer.reconcile.rollout import seats as seating
from composer.reconcile.rollout.machine import decide, is_in_place
from composer.reconcile.rollout.model import (
    BACK,
    BEGIN_BESIDE,
    BEGIN_INSTEAD,
    DONE,
    FINISH,
    PAUSE,
    PAUSED,
    RESTORE,
    ROLLBACK,
    START,
    Course,
    Decision,
    Pace,
    Replica,
    Rollout,
    Seat,
)
from composer.reconcile.rollout.seats import View

_POLL = 0.1  # seconds between two looks at a container that has no health check and does not listen yet
_LOOK_AGAIN = 5.0  # an event that was lost costs no more than this
_LINES = 3  # of its output, told with a failure


class RolloutFailed(ComposerError):
    """The update of a service failed; ``outcome``: rolled back, paused."""

    code = "rollout-failed"

    def __init__(self, service: str, outcome: str, reason: str, hint: str) -> None:
        super().__init__(f'service "{service}": the update failed and was {outcome}: {reason}', hint=hint)
        self.service, self.outcome, self.reason = service, outcome, reason


class Journal(Protocol):
    """Who remembers what became of a revision."""

    async def failed(self, service: Resource, action: str, reason: str) -> None:
        """It is not to be tried again as it is. ``action``: rollback (about to begin), or pause."""
        ...


class Steps(Protocol):
    """The verbs of plans; ``wanting``: the same with another revision of some service."""

    async def perform(self, action: Action) -> None: ...
    def made(self, service: str, number: int) -> str: ...
    def wanting(self, service: Resource) -> Steps: ...


@dataclass
class _Leg:
    """One way, forward or back: to which revision, at which pace, with which seats."""

    service: Resource
    pace: Pace
    numbers: tuple[int, ...]
    steps: Steps
    stale: tuple[str, ...] = ()
    total: int = 1
    before: Mapping[str, Live] = field(default_factory=dict)  # by id, when this way began
    course: Course = field(default_factory=Course)
    done: int = 0
    tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)


class Roll:
    """One `roll` action. ``stop``: set when nothing new is to begin (Ctrl-C, or a command that waits for its turn)."""

    def __init__(
        self,
        engine: Engine,
        project: str,
        service: Resource,
        action: Action,
        steps: Steps,
        report: Callable[[Progress], None],
        stop: asyncio.Event,
        journal: Journal | None = None,
    ) -> None:
        self._engine, self._project, self._service, self._action = engine, project, service, action
        self._steps, self._report, self._stop, self._journal = steps, report, stop, journal
        self._traffic = traffic_of(engine)
        self._wake = asyncio.Event()
        self._begun: dict[str, float] = {}  # id -> since when it is seen running
        self._name = service.ref.name

    async def run(self) -> bool:
        """False: it was told to stop before its end. Raises RolloutFailed, and the engine's errors."""
        rollout = self._service.replicas.rollout or Rollout(Pace(), Pace())
        async with self._listening():
            await self._share()
            total = max(len(self._action.numbers), self._service.replicas.scale)
            pace = self._possible(rollout.forward)
            leg = _Leg(self._service, pace, self._action.numbers, self._steps, self._action.stale, total)
            self._say("Updating")
            decision = await self._drive(leg)
            if decision is None:
                return False
            if decision.verdict == DONE:
                self._say("Updated", done=True)
                return True
            reason = await self._explain(leg, decision.reason)
            if decision.verdict == PAUSED or self._service.replicas.previous is None:
                await self._pause(leg, reason, wanted_back=decision.verdict == BACK)
            await self._back(rollout, reason)
        return True

    async def _share(self) -> None:
        """Those that were made when nobody had to share yet."""
        group = self._service.replicas.group
        if self._traffic is not None and group:
            for live in await seating.look(self._engine, self._project, self._name):
                await self._traffic.share(live.id, group)

    def _possible(self, pace: Pace) -> Pace:
        """Start-first only where both can hold the ports."""
        beside = pace.start_first and not self._carried() and (self._traffic is not None or not self._service.replicas.host_ports)
        return replace(pace, start_first=beside)

    def _carried(self) -> bool:
        """Whether an anonymous volume goes from the old container to the new one."""
        return self._action.volumes

    # The ways an update that failed can end.

    async def _pause(self, leg: _Leg, reason: str, *, wanted_back: bool) -> None:
        self._say("Paused", error=True, detail=reason)
        if self._journal is not None:
            await self._journal.failed(self._service, PAUSE, reason)
        await self._withdraw(leg)
        more = "; there is no earlier healthy revision to go back to" if wanted_back else ""
        raise RolloutFailed(self._name, "paused", f"{reason}{more}", _hint(self._name))

    async def _withdraw(self, leg: _Leg) -> None:
        """Who was about to come goes where the old one is still there, so the service has all its replicas."""
        view = await self._view(leg)
        for seat in view.seats:
            if seat.fresh is not None and seat.stale and not seat.fresh.carries:
                for one in (one for one in seat.stale if one.aside):
                    await self._perform(leg, "admit", view.lives[one.id])
                await self._end(leg, view.lives[seat.fresh.id])

    async def _back(self, rollout: Rollout, reason: str) -> None:
        previous = self._service.replicas.previous
        assert previous is not None
        self._say("Rolling back", detail=reason)
        if self._journal is not None:
            await self._journal.failed(self._service, ROLLBACK, reason)
        lives = await seating.look(self._engine, self._project, self._name)
        numbers = tuple(sorted({live.number for live in lives} | set(self._action.numbers)))
        leg = _Leg(previous, self._possible(rollout.back), numbers, self._steps.wanting(previous), total=len(numbers))
        decision = await self._drive(leg)
        if decision is None or decision.verdict == DONE:
            self._say("Rolled back", error=True, detail=reason)
            raise RolloutFailed(self._name, "rolled back", reason, _hint(self._name))
        more = f"; the way back failed, too: {await self._explain(leg, decision.reason)}"
        self._say("Paused", error=True, detail=reason + more)
        raise RolloutFailed(self._name, "paused", reason + more, _hint(self._name))

    # One way.

    async def _drive(self, leg: _Leg) -> Decision | None:
        """Until a verdict; None: told to stop."""
        loop = asyncio.get_running_loop()
        first = True
        try:
            while True:
                self._wake.clear()
                view = await self._view(leg, skip_settled=first)
                first = False
                decision = decide(leg.pace, view.seats, leg.course, loop.time(), total=leg.total, busy=leg.tasks)
                leg.course = decision.course
                self._count(leg, view)
                if decision.verdict:
                    return decision
                if self._stop.is_set() and not leg.tasks:
                    return None
                if not self._stop.is_set():
                    for number, word in decision.steps.items():
                        leg.tasks[number] = loop.create_task(self._step(leg, view, number, word))
                await self._wait(leg, view, decision, loop.time())
        finally:
            for task in leg.tasks.values():
                task.cancel()
            await asyncio.gather(*leg.tasks.values(), return_exceptions=True)

    def _count(self, leg: _Leg, view: View) -> None:
        """Tell how many are in place, when that has changed."""
        done = sum(1 for seat in view.seats if is_in_place(seat) and seat.number not in leg.tasks)
        if done != leg.done:
            leg.done = done
            self._say("Updating" if leg.service is self._service else "Rolling back", detail=f"{done} of {len(view.seats)}")

    async def _view(self, leg: _Leg, *, skip_settled: bool = False) -> View:
        lives = await seating.look(self._engine, self._project, self._name)
        ready = await seating.listening(self._traffic, lives)
        ready |= self._waited_for(leg, lives)
        aside = self._traffic.aside() if self._traffic is not None else ()
        if skip_settled:
            leg.before = {live.id: live for live in lives}
        view = seating.view(
            leg.service, self._project, lives, numbers=leg.numbers, stale=leg.stale, aside=aside, ready=ready, before=leg.before
        )
        if skip_settled:  # what was whole before is none of this rollout's business
            leg.numbers = tuple(seat.number for seat in view.seats if not is_in_place(seat))
            view = replace(view, seats=tuple(seat for seat in view.seats if seat.number in leg.numbers))
        return view

    def _waited_for(self, leg: _Leg, lives: Collection[Live]) -> frozenset[str]:
        """Without a health check: those that have run for `monitor` though they listen nowhere."""
        now = asyncio.get_running_loop().time()
        for live in lives:
            if live.state == "running":
                self._begun.setdefault(live.id, now)
        return frozenset(ident for ident, since in self._begun.items() if now - since >= leg.pace.monitor)

    async def _wait(self, leg: _Leg, view: View, decision: Decision, now: float) -> None:
        """For a step's end, an event, the time of the decision, or the order to stop."""
        unready = any(seat.fresh and seat.fresh.state == "running" and not seat.fresh.ready for seat in view.seats)
        polled = unready and any(not view.lives[s.fresh.id].health for s in view.seats if s.fresh and not s.fresh.ready)
        limit = _POLL if polled else _LOOK_AGAIN
        if decision.until is not None:
            limit = min(limit, max(0.0, decision.until - now) + 0.001)
        woken = [asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(self._stop.wait())]
        if self._stop.is_set():
            woken.pop().cancel()
        await asyncio.wait([*leg.tasks.values(), *woken], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        for one in woken:
            one.cancel()
        for number, task in list(leg.tasks.items()):
            if task.done():
                del leg.tasks[number]
                self._note(leg, number, task)

    def _note(self, leg: _Leg, number: int, task: asyncio.Task[None]) -> None:
        """What a step that could not be done means: the update of this replica failed; in the traffic's move, the rollout is cut off."""
        try:
            task.result()
        except _Unmovable as error:
            raise error.cause from error
        except ComposerError as error:
            leg.course = replace(leg.course, failed={**leg.course.failed, number: error.message})

    # The steps of a seat.

    async def _step(self, leg: _Leg, view: View, number: int, word: str) -> None:
        seat = view.seat(number)
        if word in (BEGIN_BESIDE, BEGIN_INSTEAD):
            await self._begin(leg, view, seat, instead=word == BEGIN_INSTEAD)
        elif word == START and seat.fresh is not None:
            await self._start(leg, number, seat.fresh.id)
        elif word in (FINISH, RESTORE) and seat.fresh is not None:
            try:
                await self._finish(leg, view, seat, seat.fresh)
            except ComposerError as error:
                raise _Unmovable(error) from error

    async def _begin(self, leg: _Leg, view: View, seat: Seat, *, instead: bool) -> None:
        ident = seat.fresh.id if seat.fresh is not None else await self._create(leg, view, seat)
        if instead:
            for one in seat.stale:
                if view.carriers(seat.number) and one.carries:
                    await self._perform(leg, "retire", view.lives[one.id])
                await self._end(leg, view.lives[one.id])
            await self._rename(leg, seat, ident)
        await self._start(leg, seat.number, ident)

    async def _create(self, leg: _Leg, view: View, seat: Seat) -> str:
        old = view.lives[seat.stale[-1].id] if seat.stale else None  # the last: its number is in no other temporary name
        first = view.lives[seat.stale[0].id] if seat.stale else None
        carried: Mapping[str, str] = first.anonymous if first is not None and self._carried() else {}
        ref = Ref("container", self._final(leg, seat.number))
        await leg.steps.perform(
            Action("create", ref, "", service=self._name, number=seat.number, old=old.id if old else "", anonymous=carried)
        )
        return leg.steps.made(self._name, seat.number)

    async def _start(self, leg: _Leg, number: int, ident: str) -> None:
        if self._traffic is not None:
            await self._traffic.share(ident, leg.service.replicas.group or ident, aside=True)
        ref = Ref("container", self._final(leg, number))
        await leg.steps.perform(Action("start", ref, "", id=ident, service=self._name, number=number))

    async def _finish(self, leg: _Leg, view: View, seat: Seat, fresh: Replica) -> None:
        await self._perform(leg, "admit", view.lives[fresh.id])
        for one in seat.stale:
            if view.lives[one.id].running and not one.aside:
                await self._perform(leg, "retire", view.lives[one.id])
            await self._end(leg, view.lives[one.id])
        if not fresh.named:
            await self._rename(leg, seat, fresh.id)

    async def _rename(self, leg: _Leg, seat: Seat, ident: str) -> None:
        if seat.fresh is not None and seat.fresh.named:
            return
        if seat.fresh is None and not seat.stale:
            return  # it was made under its name
        ref = Ref("container", self._final(leg, seat.number))
        await leg.steps.perform(Action("rename", ref, "", id=ident, service=self._name, number=seat.number))

    async def _end(self, leg: _Leg, live: Live) -> None:
        if live.state in ("running", "paused", "restarting"):
            await self._perform(leg, "stop", live)
        await self._perform(leg, "remove", live)

    async def _perform(self, leg: _Leg, verb: str, live: Live) -> None:
        action = Action(verb, live.ref, "", id=live.id, service=self._name, number=live.number, timeout=self._action.timeout)
        await leg.steps.perform(action)

    def _final(self, leg: _Leg, number: int) -> str:
        return name_of(leg.service, self._project, number)

    # What is said, and what is heard.

    def _say(self, status: str, *, done: bool = False, error: bool = False, detail: str = "") -> None:
        self._report(Progress(f"Service {self._name}", status, done=done or error, error=error, detail=detail))

    async def _explain(self, leg: _Leg, reason: str) -> str:
        """The reason, with the last lines of the output of a container that ended."""
        view = await self._view(leg)
        failed = next((view.lives[s.fresh.id] for s in view.seats if s.fresh and s.fresh.reason and s.fresh.reason == reason), None)
        if failed is None or failed.health == "unhealthy":
            return reason
        lines: list[str] = []
        try:
            async for frame in self._engine.containers.logs(failed.id, LogOptions(tail=_LINES)):
                lines += frame.data.decode(errors="replace").splitlines()
        except EngineError:
            return reason  # its log cannot be read: the reason stands for itself
        return f"{reason}: {' / '.join(line.strip() for line in lines[-_LINES:])}" if lines else reason

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        wanted = {"type": ["container"], "label": [f"{labels.PROJECT}={self._project}", f"{labels.SERVICE}={self._name}"]}

        async def follow() -> None:
            try:
                async for _ in self._engine.events(wanted):
                    self._wake.set()
            except EngineError:
                return  # then it looks again by itself

        task = asyncio.create_task(follow())
        await asyncio.sleep(0)  # it subscribes before anything happens
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class _Unmovable(Exception):
    """The traffic could not be moved, or an old container not be ended: that is not the new revision's fault."""

    def __init__(self, cause: ComposerError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _hint(service: str) -> str:
    return f"it is not tried again until something changes; to force it: composer up -d --force-recreate {service}"
