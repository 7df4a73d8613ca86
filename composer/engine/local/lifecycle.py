"""The life of a container as pure decisions: which phase may follow which, whether to restart, what a health probe means.

Phases are Docker's statuses. The clock, the counts and the policy come in as arguments; nothing here waits or acts.
Source: Docker's restart manager (100 ms, doubled, at most 1 min; reset after 10 s of running) and health monitor. Other than Docker's, the
delay counts from the last start: it is there to slow a crash loop down, not what ran well until something killed it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from composer.engine.model import HealthConfig, RestartPolicy

SECOND = 1_000_000_000  # ns
FIRST_DELAY = 0.1  # s
LONGEST_DELAY = 60.0
STEADY = 10.0  # a run of this long forgets the failures before it


class Phase(StrEnum):
    """Where a container is. STARTING and REMOVING are begun and not done: after a crash the one is undone, the other finished."""

    CREATED = "created"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    EXITED = "exited"
    REMOVING = "removing"
    DEAD = "dead"

    @property
    def alive(self) -> bool:
        """A process of it exists."""
        return self in (Phase.RUNNING, Phase.PAUSED)

    @property
    def startable(self) -> bool:
        return self in (Phase.CREATED, Phase.EXITED, Phase.RESTARTING)

    @property
    def status(self) -> str:
        """The word that Docker shows."""
        return "created" if self is Phase.STARTING else self.value


_NEXT: dict[Phase, frozenset[Phase]] = {
    Phase.CREATED: frozenset({Phase.STARTING, Phase.REMOVING}),
    Phase.STARTING: frozenset({Phase.RUNNING, Phase.CREATED, Phase.EXITED, Phase.RESTARTING, Phase.REMOVING}),
    Phase.RUNNING: frozenset({Phase.PAUSED, Phase.RESTARTING, Phase.EXITED, Phase.REMOVING}),
    Phase.PAUSED: frozenset({Phase.RUNNING, Phase.RESTARTING, Phase.EXITED, Phase.REMOVING}),
    Phase.RESTARTING: frozenset({Phase.STARTING, Phase.EXITED, Phase.REMOVING}),
    Phase.EXITED: frozenset({Phase.STARTING, Phase.REMOVING}),
    Phase.REMOVING: frozenset({Phase.DEAD}),
    Phase.DEAD: frozenset({Phase.REMOVING}),
}


def may_follow(now: Phase, then: Phase) -> bool:
    return then in _NEXT[now]


@dataclass(frozen=True, slots=True)
class Attempts:
    """The restarts so far: how many in a row, and the last delay in seconds."""

    count: int = 0
    delay: float = 0.0


def after_exit(policy: RestartPolicy, attempts: Attempts, *, exit_code: int, requested: bool, ran: float) -> Attempts | None:
    """What follows the end of a process: the attempts with the delay to wait before starting again, or None: it stays exited.

    ``requested``: a stop or kill was asked for. ``ran``: seconds it was up; `STEADY` or more starts the back-off afresh.
    """
    if requested or not _wants(policy, attempts.count, exit_code):
        return None
    if ran >= STEADY or attempts.delay == 0.0:
        return Attempts(attempts.count + 1, FIRST_DELAY)
    return Attempts(attempts.count + 1, min(attempts.delay * 2, LONGEST_DELAY))


def pause(attempts: Attempts, *, ran: float) -> float:
    """Seconds until it is started again. The delay lies between two starts, so that what ran longer than it waits no more."""
    return max(0.0, attempts.delay - ran)


def _wants(policy: RestartPolicy, count: int, exit_code: int) -> bool:
    if policy.name in ("always", "unless-stopped"):
        return True
    if policy.name == "on-failure":
        return exit_code != 0 and (policy.maximum_retry_count == 0 or count < policy.maximum_retry_count)
    return False


def after_boot(policy: RestartPolicy, phase: Phase, *, exit_code: int, requested: bool, was_up: bool) -> bool:
    """Whether a daemon that starts also starts this container, which does not run.

    ``was_up``: it ran (or waited for its restart) when the daemon last knew. ``requested``: it was stopped by request.
    As Docker: `always` unless it was never started, `unless-stopped` unless it was stopped by request, `on-failure` when it failed.
    """
    if phase in (Phase.CREATED, Phase.STARTING, Phase.REMOVING, Phase.DEAD):
        return False
    if policy.name == "always":
        return True
    if policy.name == "unless-stopped":
        return not requested
    return policy.name == "on-failure" and was_up and not requested and exit_code != 0


@dataclass(frozen=True, slots=True)
class Timing:
    """A health check's times in seconds, Docker's defaults filled in."""

    interval: float
    timeout: float
    start_period: float
    start_interval: float
    retries: int


def timing(config: HealthConfig) -> Timing:
    return Timing(
        interval=(config.interval or 30 * SECOND) / SECOND,
        timeout=(config.timeout or 30 * SECOND) / SECOND,
        start_period=config.start_period / SECOND,
        start_interval=(config.start_interval or 5 * SECOND) / SECOND,
        retries=config.retries or 3,
    )


def has_check(config: HealthConfig | None) -> bool:
    return config is not None and bool(config.test) and config.test[0] != "NONE"


@dataclass(frozen=True, slots=True)
class HealthState:
    """``status``: starting, healthy, unhealthy. ``streak``: failures in a row that count."""

    status: str = "starting"
    streak: int = 0


def probed(state: HealthState, timing: Timing, *, exit_code: int, up: float) -> HealthState:
    """The state after a probe that began when the container was ``up`` seconds old.

    Exit code 0 is healthy at once. A failure within the start period does not count while it is starting.
    """
    if exit_code == 0:
        return HealthState("healthy", 0)
    if state.status == "starting" and up < timing.start_period:
        return state
    failed = replace(state, streak=state.streak + 1)
    return replace(failed, status="unhealthy") if failed.streak >= timing.retries else failed


def next_probe(state: HealthState, timing: Timing, *, up: float) -> float:
    """Seconds to wait before the next probe: the start interval while starting within the start period, else the interval."""
    if state.status == "starting" and up < timing.start_period:
        return min(timing.start_interval, timing.interval) if timing.start_interval else timing.interval
    return timing.interval
