"""What to do next in a rollout: ``decide(pace, seats, course, now) -> Decision``. Pure; the same input, the same decision.

It is asked again after every step and every event, and decides from what is (the seats), so that a rollout that was cut off goes on where
it was. Only groups, delays and monitoring need the course, and they begin anew after a crash.

Rules. A group is `parallelism` seats; the next one begins `delay` after the last one is whole. With start-first a stale replica ends only
when its fresh one is ready and gets the traffic; so never fewer than all replicas carry. A fresh replica that ends, turns unhealthy or is
started anew before `monitor` is over has failed. More failures than `max_failure_ratio` of all replicas decide by `failure_action`; fewer,
or `continue`: the failed one takes its seat all the same, and its restart policy cares for it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from composer.reconcile.rollout.model import (
    BACK,
    BEGIN_BESIDE,
    BEGIN_INSTEAD,
    CONTINUE,
    DONE,
    FINISH,
    PAUSED,
    RESTORE,
    ROLLBACK,
    START,
    Course,
    Decision,
    Pace,
    Replica,
    Seat,
)


def decide(
    pace: Pace, seats: Sequence[Seat], course: Course, now: float, *, total: int | None = None, busy: Collection[int] = ()
) -> Decision:
    """``total``: the replicas of the service, when not all need an update. ``busy``: the numbers of seats at which a step is at work:
    nothing is decided about them, and no verdict while there are any."""
    course = _seen(pace, seats, course, now, busy)
    verdict, reason = _verdict(pace, len(seats) if total is None else total, course)
    if verdict:
        return Decision(course, verdict="" if busy else verdict, reason=reason)
    steps = {seat.number: word for seat in seats if seat.number not in busy and (word := _step(pace, seat, course))}
    underway = {seat.number for seat in seats if seat.number in busy or seat.number in steps or _is_underway(seat, course)}
    course = replace(course, turn=course.turn | frozenset(underway))
    if underway:
        return Decision(course, steps)
    if course.turn:  # the group is whole
        course = replace(course, turn=frozenset(), rested=now)
    return _next_group(pace, seats, course, now)


def _seen(pace: Pace, seats: Sequence[Seat], course: Course, now: float, busy: Collection[int]) -> Course:
    """The course with what the seats show now: who has become ready, who has failed."""
    since, failed = dict(course.since), dict(course.failed)
    for seat in seats:
        fresh = seat.fresh
        if fresh is None or seat.number in busy:
            continue
        if fresh.ready:
            since.setdefault(fresh.id, now)
        watched = fresh.id not in since or now <= since[fresh.id] + pace.monitor
        if fresh.reason and watched and seat.number not in failed:
            failed[seat.number] = fresh.reason
    return replace(course, since=since, failed=failed)


def _verdict(pace: Pace, total: int, course: Course) -> tuple[str, str]:
    if not course.failed or pace.action == CONTINUE or len(course.failed) <= pace.ratio * total:
        return "", ""
    reason = next(iter(course.failed.values()))
    return (BACK if pace.action == ROLLBACK else PAUSED), reason


def _step(pace: Pace, seat: Seat, course: Course) -> str:
    """What is to be done at a seat whose update has begun; "" nothing now."""
    fresh = seat.fresh
    if fresh is None:
        return ""
    settled = fresh.ready or seat.number in course.failed
    if not settled and (fresh.state == "created" or (fresh.state == "exited" and not fresh.reason)):
        return START if pace.start_first or not seat.stale else BEGIN_INSTEAD
    if not settled:
        return ""
    if seat.stale or not fresh.named:
        return FINISH
    return RESTORE if fresh.aside else ""


def _is_underway(seat: Seat, course: Course) -> bool:
    """Its update has begun and is not whole."""
    return seat.fresh is not None and not (is_in_place(seat) and (seat.fresh.ready or seat.number in course.failed))


def is_in_place(seat: Seat) -> bool:
    """The fresh one has the seat, its name and the traffic; nobody else is there."""
    return seat.fresh is not None and not seat.stale and seat.fresh.named and not seat.fresh.aside


def _next_group(pace: Pace, seats: Sequence[Seat], course: Course, now: float) -> Decision:
    waiting = [seat for seat in seats if seat.fresh is None]
    if waiting:
        begin = now if course.rested is None else course.rested + pace.delay
        if now < begin:
            return Decision(course, until=begin)
        group = waiting[: pace.parallelism or None]
        steps = {seat.number: BEGIN_BESIDE if pace.start_first or not seat.stale else BEGIN_INSTEAD for seat in group}
        return Decision(replace(course, turn=frozenset(steps)), steps)
    return _watch(pace, seats, course, now)


def _watch(pace: Pace, seats: Sequence[Seat], course: Course, now: float) -> Decision:
    """All are fresh: done when the last one has been watched for long enough."""
    left = [
        over
        for seat in seats
        if seat.fresh is not None and seat.number not in course.failed and (over := _over(pace, course, seat.fresh)) > now
    ]
    return Decision(course, until=max(left)) if left else Decision(course, verdict=DONE)


def _over(pace: Pace, course: Course, fresh: Replica) -> float:
    return course.since.get(fresh.id, 0.0) + pace.monitor
