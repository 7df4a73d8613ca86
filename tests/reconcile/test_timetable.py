"""When a job runs: where clocks change, after a daemon that was down, and never the same moment twice."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from composer.reconcile.timetable import MOST, Due, between, due, next_run
from composer.spec.schedule import Schedule

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def runs(cron: str, after: str, count: int = 3, zone: str = "Europe/Berlin") -> list[str]:
    schedule, moment, found = Schedule(cron, timezone=zone), at(after), []
    for _ in range(count):
        coming = next_run(schedule, moment)
        assert coming is not None
        moment = coming
        found.append(datetime.fromtimestamp(moment, ZoneInfo(zone)).isoformat(timespec="minutes"))
    return found


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        # 02:30 is left out on 29 March: it runs when the clock jumps
        ("30 2 * * *", "2026-03-28T12:00+01:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00", "2026-03-31T02:30+02:00"]),
        # 02:30 comes twice on 25 October: once
        ("30 2 * * *", "2026-10-24T12:00+02:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00", "2026-10-27T02:30+01:00"]),
        # asked within the hour that comes for the second time
        ("30 2 * * *", "2026-10-25T02:10+01:00", ["2026-10-26T02:30+01:00", "2026-10-27T02:30+01:00", "2026-10-28T02:30+01:00"]),
        # with a star: by elapsed time
        ("*/30 * * * *", "2026-03-29T01:29+01:00", ["2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00"]),
        ("*/30 * * * *", "2026-10-25T02:29+02:00", ["2026-10-25T02:30+02:00", "2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00"]),
        ("0 12 29 2 *", "2026-01-01T00:00+01:00", ["2028-02-29T12:00+01:00", "2032-02-29T12:00+01:00", "2036-02-29T12:00+01:00"]),
    ],
)
def test_daylight_saving(cron: str, after: str, expected: list[str]) -> None:
    assert runs(cron, after) == expected


def test_the_zone_counts() -> None:
    assert runs("0 9 * * *", "2026-05-31T23:59+00:00", 1, "Asia/Tokyo") == ["2026-06-01T09:00+09:00"]
    assert runs("0 9 * * *", "2026-06-01T00:01+00:00", 1, "Asia/Tokyo") == ["2026-06-02T09:00+09:00"]


@settings(max_examples=150, deadline=None)
@given(
    cron=st.sampled_from(["30 2 * * *", "0 3 * * *", "*/20 * * * *", "15 */6 * * *", "0 0 1 * *"]),
    start=st.integers(int(at("2026-03-25T00:00+01:00")), int(at("2026-11-02T00:00+01:00"))),
    looks=st.lists(st.integers(1, 400_000), min_size=1, max_size=6),
)
def test_looks_at_any_moments_see_each_run_once(cron: str, start: int, looks: list[int]) -> None:
    schedule, now, seen = Schedule(cron, timezone="Europe/Berlin"), float(start), []
    for step in looks:
        seen += between(schedule, now, now + step)
        now += step
    whole, moment = [], float(start)
    while (coming := next_run(schedule, moment)) is not None and coming <= now:
        whole.append(coming)
        moment = coming
    assert seen == sorted(set(seen))
    assert len(whole) > MOST or seen == whole


def test_what_was_missed() -> None:
    now = at("2026-06-10T12:00:30+00:00")
    hourly = Schedule("0 * * * *", catch_up="none")
    began = now - 30
    assert due(hourly, now - 3 * 3600, now) == ([Due(began)], 2)
    assert due(hourly, now - 90, now) == ([Due(began)], 0)
    assert due(hourly, now - 10, now) == ([], 0)
    once = Schedule("0 * * * *", catch_up="once")
    assert due(once, now - 3 * 3600, now) == ([Due(began)], 0)  # one that is on time stands for all
    later = now + 1800
    assert due(once, now - 3 * 3600, later) == ([Due(began, 3)], 0)
    every = Schedule("0 * * * *", catch_up="all")
    assert due(every, now - 3 * 3600, later) == ([Due(began - 7200, 1), Due(began - 3600, 1), Due(began, 1)], 0)
    work, left = due(Schedule("* * * * *", catch_up="all"), now - 86400, now)
    assert (len(work), left) == (MOST + 1, 0)
