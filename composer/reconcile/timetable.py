"""When a scheduled service is to run: moments from its cron expression, in its time zone. Pure; times are seconds since 1970.

cronsim does what Debian's cron does when clocks change; see `spec.schedule` for what that means.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim

from composer.spec.schedule import Schedule

MOST = 100  # missed runs that are made up for
ON_TIME = 60.0  # seconds: a run that begins no later than this was not missed


@dataclass(frozen=True, slots=True)
class Due:
    """``moment``: when it should have begun. ``missed``: how many runs it stands for that were missed, 0 for one that is on time."""

    moment: float
    missed: int = 0


def next_run(schedule: Schedule, after: float) -> float | None:
    """The first moment after ``after``; None when there is none within some decades."""
    for found in CronSim(schedule.cron, datetime.fromtimestamp(after, ZoneInfo(schedule.timezone))):
        moment = found.timestamp()
        if moment > after:  # in an hour that comes twice, cronsim speaks of the first of both
            return moment
    return None


def between(schedule: Schedule, after: float, until: float) -> list[float]:
    """The moments in (after, until], in order; the newest `MOST` and one more."""
    found: list[float] = []
    for one in CronSim(schedule.cron, datetime.fromtimestamp(until + 1, ZoneInfo(schedule.timezone)), reverse=True):
        moment = one.timestamp()
        if moment <= after or len(found) > MOST:
            break
        if moment <= until:
            found.append(moment)
    return sorted(set(found))


def due(schedule: Schedule, after: float, now: float) -> tuple[list[Due], int]:
    """What is to run now, and how many runs were missed and are not made up for. ``after``: what came until then was dealt with."""
    moments = between(schedule, after, now)
    on_time = [Due(moment) for moment in moments[-1:] if now - moment <= ON_TIME]
    missed = moments[: len(moments) - len(on_time)]
    if schedule.catch_up == "none" or not missed:
        return on_time, len(missed)
    if schedule.catch_up == "once":
        return on_time or [Due(missed[-1], len(missed))], 0
    return [*(Due(moment, 1) for moment in missed[-MOST:]), *on_time], max(0, len(missed) - MOST)
