"""`x-schedule`: a service that runs by the clock instead of all the time. Pure.

    x-schedule: "30 2 * * *"            # the short form of {cron: "30 2 * * *"}
    x-schedule: {cron: "30 2 * * *", timezone: Europe/Berlin, overlap: forbid, catch_up: once, keep: 10, timeout: 1h}

``cron``: minute, hour, day of the month, month, day of the week, as in Debian's cron (cronsim), or @hourly, @daily, @weekly, @monthly,
@yearly. ``timezone``: of the IANA database, UTC by default. ``overlap``: what happens when a run is due while another one runs: forbid (it
is left out, default), queue (it begins when the other ends; one waits at most), replace (the other is ended). ``catch_up``: runs that were
missed while the daemon was down: none, once (default; one run for all of them), all (each, at most 100). ``keep``: runs whose history and
output are kept. ``timeout``: a run that takes longer is ended, and has failed.

Daylight saving: a job at a fixed time runs once on each day; at 02:30 on the day when 02:30 is left out it runs when the clock jumps, and
where 02:30 comes twice it runs at the first. A job with a star in its minutes or hours goes by elapsed time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from composer.spec import fields
from composer.spec.fields import Mistake, one_of, whole
from composer.spec.problems import did_you_mean

EXTENSION = "x-schedule"
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """``cron``: five fields, nicknames resolved. ``timeout``: seconds, 0 none."""

    cron: str
    timezone: str = "UTC"
    overlap: str = "forbid"
    catch_up: str = "once"
    keep: int = 10
    timeout: float = 0.0


class Scheduled(Protocol):
    """A service, as far as it matters here."""

    @property
    def extensions(self) -> dict[str, Any]: ...


def _cron(value: Any) -> str:
    text = " ".join(str(value).split()) if isinstance(value, str) else ""
    if text.startswith("@"):
        if text.lower() not in NICKNAMES:
            raise ValueError(f"'{text}' is none of {', '.join(NICKNAMES)}", did_you_mean(text, NICKNAMES))
        return NICKNAMES[text.lower()]
    if len(text.split()) != 5:
        raise ValueError(f"'{value}' is no cron expression", 'minute hour day month weekday, as in "30 2 * * *" (quoted)')
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(text, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"'{text}' is no cron expression: {str(error).lower()}", 'as in "30 2 * * *"') from error
    except StopIteration:
        raise ValueError(f"'{text}' never comes", "no such day is in the calendar") from None
    return text


def _timezone(value: Any) -> str:
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(str(value), sorted(available_timezones())) or "as in Europe/Berlin"
        raise ValueError(f"'{value}' is no time zone", hint) from None
    return str(value)


_READERS: Mapping[str, fields.Reader] = {
    "cron": _cron,
    "timezone": _timezone,
    "overlap": one_of("forbid", "queue", "replace"),
    "catch_up": one_of("none", "once", "all"),
    "keep": whole(1, 1000),
    "timeout": fields.seconds,
}


def read_extension(value: Any) -> tuple[dict[str, Any], list[Mistake]]:
    """What `x-schedule` says, and what is wrong with it."""
    found, mistakes = fields.read({"cron": value} if isinstance(value, str) else value, _READERS)
    if isinstance(value, Mapping) and "cron" not in value:
        mistakes.append(Mistake("", "lacks the property 'cron'", "add 'cron'"))
    return found, mistakes


def schedule_of(service: Scheduled) -> Schedule | None:
    """When this service runs; None: it is no job. What is wrong was said when the stack was loaded."""
    if EXTENSION not in service.extensions:
        return None
    found, _ = read_extension(service.extensions[EXTENSION])
    return Schedule(**found) if "cron" in found else None
