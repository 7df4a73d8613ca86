"""The words of rollouts. Values only; of the reconciler's nouns only `Live` is known here.

A **Pace** is `update_config` or `rollback_config`. A **Seat** is the place of one replica: ``fresh`` is who was made from what is wanted,
``stale`` are all others with its number. Source: Compose Deploy Specification, "update_config"; `docker service update` for the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PAUSE, CONTINUE, ROLLBACK = "pause", "continue", "rollback"
MONITOR = 5.0  # seconds, where nothing (or 0) is said
GRACE = 10.0  # seconds to drain, where no stop_grace_period is said


@dataclass(frozen=True, slots=True)
class Pace:
    """``parallelism`` 0: all at once. ``delay``, ``monitor``: seconds. ``ratio``: of the replicas, how many may fail."""

    parallelism: int = 1
    delay: float = 0.0
    monitor: float = MONITOR
    ratio: float = 0.0
    action: str = PAUSE
    start_first: bool = False


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a service moves: ``forward`` and ``back``. ``alone``: why two of its containers cannot run at once, "" they can.

    ``asked``: start-first was asked for, though it may be impossible. ``drain``: seconds for open connections before the stop.
    """

    forward: Pace
    back: Pace
    alone: str = ""
    asked: bool = False
    drain: float = GRACE


@dataclass(frozen=True, slots=True)
class Replica:
    """A container in a seat, as far as a decision needs it. ``ready``: it runs and is healthy, or has no check and listens.

    ``reason``: why it can be called failed (ended, unhealthy, started anew), "" it cannot.
    """

    id: str
    state: str
    ready: bool = False
    aside: bool = False
    named: bool = True  # it has its final name
    reason: str = ""

    @property
    def carries(self) -> bool:
        return self.ready and not self.aside


@dataclass(frozen=True, slots=True)
class Seat:
    """``fresh`` None: not made yet. ``stale``: who is still there of other revisions, who serves first."""

    number: int
    fresh: Replica | None = None
    stale: tuple[Replica, ...] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """What has been seen of a rollout so far. ``turn``: the numbers of the group that is being updated; ``rested``: when the last group
    was finished; ``since``: fresh id -> when it became ready; ``failed``: number -> why."""

    turn: frozenset[int] = frozenset()
    rested: float | None = None
    since: Mapping[str, float] = field(default_factory=dict)
    failed: Mapping[int, str] = field(default_factory=dict)


# What is to be done with a seat, in words that `roll` carries out.
BEGIN_BESIDE = "begin-beside"  # make the fresh one and start it, aside of the traffic
BEGIN_INSTEAD = "begin-instead"  # make the fresh one, end the stale ones, start it
START = "start"  # start the fresh one, which was made already
FINISH = "finish"  # the fresh one gets the traffic, the stale ones are drained and end
RESTORE = "restore"  # the fresh one, which was out of the traffic, gets it again

DONE, PAUSED, BACK = "done", "paused", "rollback"


@dataclass(frozen=True, slots=True)
class Decision:
    """``steps``: number -> word. ``until``: when to look again if nothing happens, None: when something happens. ``verdict`` "": go on."""

    course: Course
    steps: Mapping[int, str] = field(default_factory=dict)
    until: float | None = None
    verdict: str = ""
    reason: str = ""
