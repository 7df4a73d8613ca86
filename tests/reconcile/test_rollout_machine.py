"""The rollout's machine against a model: any interleaving of health, ends, steps and crashes keeps enough replicas in the traffic, and ends
with all of them new, or all of them old."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from composer.reconcile.rollout.machine import decide
from composer.reconcile.rollout.model import (
    BACK,
    BEGIN_BESIDE,
    BEGIN_INSTEAD,
    CONTINUE,
    DONE,
    FINISH,
    PAUSE,
    PAUSED,
    ROLLBACK,
    Course,
    Decision,
    Pace,
    Replica,
    Seat,
)


@dataclass
class Box:
    """A container of the model. ``fate``: what becomes of it once it has started: well, unwell, gone, or late (well, then gone)."""

    id: str
    new: bool
    fate: str = "well"
    state: str = "running"
    ready: bool = False
    aside: bool = False
    named: bool = True

    def replica(self) -> Replica:
        bad = self.state == "exited" or (self.state == "running" and self.fate == "unwell")
        return Replica(self.id, self.state, self.ready, self.aside, self.named, f"{self.id} failed" if bad else "")


@dataclass
class World:
    """``seats``: number -> who is there. ``fates``: of the new revision's containers, in the order in which they are made."""

    seats: dict[int, list[Box]]
    fates: list[str]
    back: bool = False  # the journal: it has failed and goes back
    made: int = 0
    late: int = 0
    floor: list[int] = field(default_factory=list)

    def view(self) -> list[Seat]:
        found = []
        for number, boxes in sorted(self.seats.items()):
            fresh = next((box for box in boxes if box.new != self.back), None)
            stale = tuple(box.replica() for box in boxes if box is not fresh)
            found.append(Seat(number, fresh.replica() if fresh else None, stale))
        return found

    def carrying(self) -> int:
        return sum(any(box.ready and not box.aside for box in boxes) for boxes in self.seats.values())

    def steps(self, number: int, word: str) -> Iterator[Callable[[], None]]:
        """What `roll` does for a word, in pieces between which a crash can come."""
        boxes = self.seats[number]
        if word in (BEGIN_BESIDE, BEGIN_INSTEAD):
            yield lambda: self._make(boxes)
        if word == BEGIN_INSTEAD:
            yield lambda: self._end_stale(boxes)
        if word == FINISH:
            yield lambda: self._admit(boxes)
            yield lambda: self._retire(boxes)
            yield lambda: self._end_stale(boxes)
        elif word == "restore":
            yield lambda: self._admit(boxes)
        else:
            yield lambda: self._start(boxes)

    def _fresh(self, boxes: list[Box]) -> Box:
        return next(box for box in boxes if box.new != self.back)

    def _make(self, boxes: list[Box]) -> None:
        if any(box.new != self.back for box in boxes):
            return
        fate = "well" if self.back else self.fates[self.made % len(self.fates)]
        self.made += 1
        boxes.append(Box(f"c{self.made}", not self.back, fate, "created", aside=True, named=not boxes))

    def _start(self, boxes: list[Box]) -> None:
        self._fresh(boxes).state = "running"

    def _admit(self, boxes: list[Box]) -> None:
        self._fresh(boxes).aside = False

    def _retire(self, boxes: list[Box]) -> None:
        for box in boxes:
            box.aside = box.aside or box.new == self.back

    def _end_stale(self, boxes: list[Box]) -> None:
        boxes[:] = [box for box in boxes if box.new != self.back]
        boxes[0].named = True

    def happen(self, box: Box) -> None:
        """The next thing in the life of a container that runs."""
        if box.state != "running":
            return
        if box.fate in ("well", "late") and not box.ready:
            box.ready = True
        elif box.fate == "gone" or (box.fate == "late" and not box.aside):
            self.late += box.fate == "late" and box.ready
            box.state, box.ready = "exited", False


@dataclass
class Run:
    """Drives the world by the machine until a verdict that ends it."""

    world: World
    forward: Pace
    backward: Pace
    draw: Callable[[int], int]  # a choice among so many
    check: Callable[[World], None]
    now: float = 0.0
    crashes: int = 8
    course: Course = field(default_factory=Course)

    def to_the_end(self) -> str:
        for _ in range(600):
            pace = self.backward if self.world.back else self.forward
            decision = decide(pace, self.world.view(), self.course, self.now)
            self.course = decision.course
            verdict = self._verdict(decision)
            if verdict:
                return verdict
            self._go_on(decision)
        raise AssertionError("it never ends")

    def _verdict(self, decision: Decision) -> str:
        if decision.verdict != BACK:
            return decision.verdict
        self.world.back, self.course = True, Course()
        return ""

    def _go_on(self, decision: Decision) -> None:
        if not decision.steps:
            self.now = max(self.now + 0.1, decision.until or 0.0)
        for number, word in decision.steps.items():
            for step in self.world.steps(number, word):
                if self.crashes and self.draw(12) == 0:
                    self.crashes -= 1
                    self.course = Course()  # the daemon is killed: only what is there is known
                    return
                step()
                self.check(self.world)
        boxes = [box for seat in self.world.seats.values() for box in seat]
        for box in boxes:
            if self.draw(3) or self.now % 1 > 0.7:
                self.world.happen(box)
                self.check(self.world)


def world(count: int, fates: list[str]) -> World:
    return World({n: [Box(f"old{n}", new=False, ready=True)] for n in range(1, count + 1)}, fates)


choices = st.lists(st.integers(0, 10**6), min_size=50, max_size=400)
fates = st.lists(st.sampled_from(["well", "well", "well", "unwell", "gone"]), min_size=1, max_size=6)


def chooser(numbers: list[int]) -> Callable[[int], int]:
    turn = iter(range(10**9))
    return lambda among: numbers[next(turn) % len(numbers)] % among


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), fates, st.integers(0, 3), choices)
def test_start_first_never_has_a_replica_less_and_ends_whole(count: int, fates: list[str], parallelism: int, numbers: list[int]) -> None:
    def check(now: World) -> None:
        assert now.carrying() == count, now.seats

    pace = Pace(parallelism, delay=0.5, monitor=1.0, action=ROLLBACK, start_first=True)
    run = Run(world(count, fates), pace, replace(pace, action=PAUSE), chooser(numbers), check)
    assert run.to_the_end() == DONE
    boxes = [box for seat in run.world.seats.values() for box in seat]
    assert len(boxes) == count
    assert {box.new for box in boxes} == {not run.world.back}
    assert all(box.ready and not box.aside and box.named for box in boxes)
    if set(fates) == {"well"}:
        assert not run.world.back


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.lists(st.sampled_from(["well", "late", "gone", "unwell"]), min_size=1, max_size=6), st.booleans(), choices)
def test_in_any_order_it_ends_all_new_or_all_old(count: int, fates: list[str], beside: bool, numbers: list[int]) -> None:
    pace = Pace(2, monitor=2.0, action=ROLLBACK, start_first=beside)
    run = Run(world(count, fates), pace, replace(pace, action=PAUSE), chooser(numbers), lambda _: None)
    assert run.to_the_end() == DONE
    boxes = [box for seat in run.world.seats.values() for box in seat]
    assert len(boxes) == count
    assert len({box.new for box in boxes}) == 1


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), fates, st.booleans(), choices)
def test_continue_always_ends_all_new(count: int, fates: list[str], beside: bool, numbers: list[int]) -> None:
    pace = Pace(1, monitor=1.0, action=CONTINUE, start_first=beside)
    run = Run(world(count, fates), pace, pace, chooser(numbers), lambda _: None)
    assert run.to_the_end() == DONE
    assert all(box.new for seat in run.world.seats.values() for box in seat)


def running(number: int, *, fresh: Replica | None = None, stale: tuple[str, ...] = ()) -> Seat:
    return Seat(number, fresh, tuple(Replica(ident, "running", ready=True) for ident in stale))


def test_groups_and_their_delay() -> None:
    pace = Pace(parallelism=2, delay=3.0, monitor=1.0)
    seats = [running(n, stale=(f"old{n}",)) for n in (1, 2, 3)]
    first = decide(pace, seats, Course(), 10.0)
    assert first.steps == {1: BEGIN_INSTEAD, 2: BEGIN_INSTEAD}
    seats[:2] = [running(n, fresh=Replica(f"new{n}", "running", ready=True)) for n in (1, 2)]
    rest = decide(pace, seats, first.course, 12.0)
    assert (rest.steps, rest.until) == ({}, 15.0)
    assert decide(pace, seats, rest.course, 15.0).steps == {3: BEGIN_INSTEAD}
    assert decide(replace(pace, parallelism=0), [*seats[:2], seats[2]], Course(), 0.0).steps == {3: BEGIN_INSTEAD}


def test_done_when_the_last_one_has_been_watched() -> None:
    seats = [running(1, fresh=Replica("new", "running", ready=True))]
    watching = decide(Pace(monitor=5.0), seats, Course(), 1.0)
    assert (watching.verdict, watching.until) == ("", 6.0)
    assert decide(Pace(monitor=5.0), seats, watching.course, 6.0).verdict == DONE


@pytest.mark.parametrize(
    ("action", "ratio", "verdict"), [(PAUSE, 0.0, PAUSED), (ROLLBACK, 0.0, BACK), (CONTINUE, 0.0, ""), (ROLLBACK, 0.5, "")]
)
def test_what_a_failure_means(action: str, ratio: float, verdict: str) -> None:
    failed = Replica("new", "exited", named=False, aside=True, reason="it exited (1)")
    seats = [running(1, fresh=failed, stale=("old1",)), running(2, stale=("old2",))]
    decision = decide(Pace(action=action, ratio=ratio, start_first=True), seats, Course(), 0.0)
    assert decision.verdict == verdict
    assert decision.steps == ({} if verdict else {1: FINISH})
    assert decide(Pace(action=action, ratio=ratio), seats, Course(), 0.0, busy={2}).verdict == ""


def test_a_failure_after_monitor_is_not_the_rollouts() -> None:
    seen = Course(since={"new": 0.0})
    seats = [running(1, fresh=Replica("new", "exited", reason="it exited (1)"))]
    assert decide(Pace(monitor=5.0, action=ROLLBACK), seats, seen, 4.0).verdict == BACK
    assert decide(Pace(monitor=5.0, action=ROLLBACK), seats, seen, 6.0).verdict != BACK
