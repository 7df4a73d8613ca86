"""The pure decisions: phases, restarts, health."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.engine.local.lifecycle import (
    FIRST_DELAY,
    LONGEST_DELAY,
    STEADY,
    Attempts,
    HealthState,
    Phase,
    after_boot,
    after_exit,
    has_check,
    may_follow,
    next_probe,
    pause,
    probed,
    timing,
)
from composer.engine.model import HealthConfig, RestartPolicy

policies = st.builds(
    RestartPolicy,
    name=st.sampled_from(["", "no", "always", "unless-stopped", "on-failure"]),
    maximum_retry_count=st.integers(0, 5),
)
codes = st.integers(0, 255)


@given(policies, codes, st.floats(0, 100))
def test_what_was_asked_to_stop_stays_stopped(policy: RestartPolicy, code: int, ran: float) -> None:
    assert after_exit(policy, Attempts(), exit_code=code, requested=True, ran=ran) is None


@given(codes, st.lists(st.floats(0, 60), max_size=30))
def test_the_back_off_doubles_up_to_a_minute_and_starts_afresh_after_a_steady_run(code: int, runs: list[float]) -> None:
    attempts = Attempts()
    for ran in runs:
        before = attempts.delay
        after = after_exit(RestartPolicy(name="always"), attempts, exit_code=code, requested=False, ran=ran)
        assert after is not None
        attempts = after
        fresh = ran >= STEADY or before == 0
        assert attempts.delay == (FIRST_DELAY if fresh else min(before * 2, LONGEST_DELAY))
    assert attempts.count == len(runs)


@given(st.integers(1, 5))
def test_on_failure_tries_so_often(maximum: int) -> None:
    policy = RestartPolicy(name="on-failure", maximum_retry_count=maximum)
    attempts: Attempts | None = Attempts()
    tries = 0
    while attempts is not None and tries < 100:
        attempts = after_exit(policy, attempts, exit_code=1, requested=False, ran=0.0)
        tries += attempts is not None
    assert tries == maximum
    assert after_exit(policy, Attempts(), exit_code=0, requested=False, ran=0.0) is None


def test_after_a_boot() -> None:
    def wanted(name: str, phase: Phase = Phase.EXITED, **more: object) -> bool:
        facts = {"exit_code": 255, "requested": False, "was_up": True, **more}
        return after_boot(RestartPolicy(name=name), phase, **facts)  # type: ignore[arg-type]

    assert wanted("always", requested=True)
    assert wanted("unless-stopped")
    assert not wanted("unless-stopped", requested=True)
    assert wanted("on-failure")
    assert not wanted("on-failure", exit_code=0)
    assert not wanted("on-failure", was_up=False)
    assert not wanted("no")
    assert not wanted("always", Phase.CREATED)


@given(st.sampled_from(Phase), st.sampled_from(Phase))
def test_nothing_comes_back_from_being_removed(before: Phase, after: Phase) -> None:
    if before in (Phase.REMOVING, Phase.DEAD) and may_follow(before, after):
        assert after in (Phase.REMOVING, Phase.DEAD)


@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 2), st.floats(0, 100)), max_size=40))
def test_health(retries: int, probes: list[tuple[int, float]]) -> None:
    config = HealthConfig(test=("CMD", "x"), start_period=10 * 10**9, retries=retries)
    state = HealthState()
    for code, up in probes:
        before = state
        state = probed(state, timing(config), exit_code=code, up=up)
        if code == 0:
            assert state == HealthState("healthy", 0)
        elif before.status == "starting" and up < 10:
            assert state == before
        else:
            assert state.streak == before.streak + 1
            assert (state.status == "unhealthy") == (state.streak >= retries) or before.status == "unhealthy"


def test_when_to_probe_next() -> None:
    times = timing(HealthConfig(test=("CMD", "x"), interval=60 * 10**9, start_period=30 * 10**9, start_interval=10**9))
    assert next_probe(HealthState(), times, up=0) == 1
    assert next_probe(HealthState(), times, up=31) == 60
    assert next_probe(HealthState("healthy"), times, up=0) == 60
    assert next_probe(HealthState(), timing(HealthConfig(test=("CMD", "x"))), up=0) == 30
    assert not has_check(HealthConfig(test=("NONE",)))
    assert not has_check(None)


def test_the_delay_lies_between_two_starts() -> None:
    assert pause(Attempts(1, 0.1), ran=0.0) == 0.1
    assert pause(Attempts(4, 0.8), ran=0.5) == pytest.approx(0.3)
    assert pause(Attempts(1, 0.1), ran=1.0) == 0.0
