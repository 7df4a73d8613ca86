"""Sync windows: when commits may be brought up. ``[deny] CRON DURATION [ZONE]``, such as ``0 22 * * 1-5 2h Europe/Berlin``.

Cron says when a window begins (five fields), the duration how long it is open (s, m, h, d), the zone whose clock is meant (UTC). With
``deny`` it is closed then. Without windows it is always open; a closed one wins over an open one. Source: crontab(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from composer.engine.errors import InvalidArgument

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+[smhd])+")
_LONGEST = 14 * 86400
_STEPS = 20_000  # occurrences that are looked through, at most
_HINT = "such as '0 22 * * 1-5 2h Europe/Berlin', or 'deny 0 8 * * * 10h'"


@dataclass(frozen=True, slots=True)
class Window:
    """``seconds``: how long it is open after each time that ``cron`` names."""

    cron: str
    seconds: int
    zone: str = "UTC"
    deny: bool = False

    def covers(self, now: float) -> bool:
        """Whether the moment is within an occurrence."""
        local = datetime.fromtimestamp(now, ZoneInfo(self.zone))
        begin = next(CronSim(self.cron, local - timedelta(seconds=self.seconds)), None)
        return begin is not None and begin.timestamp() <= now

    def changes(self, now: float) -> Iterable[float]:
        """When it begins and ends from now on."""
        local = datetime.fromtimestamp(now, ZoneInfo(self.zone)) - timedelta(seconds=self.seconds)
        for number, begin in enumerate(CronSim(self.cron, local)):
            if number >= _STEPS:
                return
            yield begin.timestamp()
            yield begin.timestamp() + self.seconds


def window(text: str) -> Window:
    """The window that ``text`` says. InvalidArgument."""
    words = text.split()
    deny = bool(words) and words[0] == "deny"
    words = words[1:] if deny else words
    zone = words.pop() if len(words) == 7 else "UTC"
    if len(words) != 6 or not _DURATION.fullmatch(words[5]):
        raise InvalidArgument(f"not a sync window: {text!r}", hint=_HINT)
    seconds = sum(int(part[:-1]) * _UNITS[part[-1]] for part in re.findall(r"\d+[smhd]", words[5]))
    cron = " ".join(words[:5])
    try:
        CronSim(cron, datetime.now(UTC))
        ZoneInfo(zone)
    except CronSimError as error:
        raise InvalidArgument(f"not a sync window: {text!r}: {error}", hint=_HINT) from error
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidArgument(f"not a time zone: {zone!r}", hint="such as UTC or Europe/Berlin") from error
    if not 0 < seconds <= _LONGEST:
        raise InvalidArgument(f"a sync window lasts from 1s to 14d: {text!r}")
    return Window(cron, seconds, zone, deny)


def is_open(windows: Iterable[Window], now: float) -> bool:
    """Whether commits may be brought up at this moment."""
    found = list(windows)
    if any(one.deny and one.covers(now) for one in found):
        return False
    allowing = [one for one in found if not one.deny]
    return not allowing or any(one.covers(now) for one in allowing)


def opens(windows: Iterable[Window], now: float) -> float | None:
    """When it is open next: seconds since the epoch; None when not within the occurrences that are looked through."""
    found = list(windows)
    if is_open(found, now):
        return now
    moments = (sorted(_next(one, now)) for one in found)
    for moment in sorted({moment for some in moments for moment in some}):
        if is_open(found, moment):
            return moment
    return None


def _next(one: Window, now: float, count: int = 400) -> list[float]:
    found: list[float] = []
    for moment in one.changes(now):
        if moment > now:
            found.append(moment)
        if len(found) >= count:
            break
    return found
