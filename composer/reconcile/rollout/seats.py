"""From the containers of a service to its seats: who is fresh, who is stale, who is ready. Pure but for `look`, which asks the engine."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from composer.engine.interface import Engine, Traffic
from composer.reconcile import labels
from composer.reconcile.fate import difference, name_of
from composer.reconcile.model import Live, Resource
from composer.reconcile.observe import container_live
from composer.reconcile.rollout.model import Replica, Seat

_TEMPORARY = re.compile(r"^[0-9a-f]{12}_")  # before the name of who is to replace somebody

_NOBODY: Mapping[str, Live] = {}


@dataclass(frozen=True)
class View:
    """The seats, and the containers behind them by id."""

    seats: tuple[Seat, ...] = ()
    lives: Mapping[str, Live] = field(default_factory=dict)

    def seat(self, number: int) -> Seat:
        return next(seat for seat in self.seats if seat.number == number)

    def carriers(self, but: int) -> bool:
        """Whether a container of another seat gets traffic."""
        everyone = ((seat.number, one) for seat in self.seats for one in (seat.fresh, *seat.stale) if one is not None)
        return any(number != but and one.carries for number, one in everyone)


async def look(engine: Engine, project: str, service: str) -> list[Live]:
    """The service's containers as they are now."""
    wanted = [f"{labels.PROJECT}={project}", f"{labels.SERVICE}={service}"]
    found = (container_live(container) for container in await engine.containers.list(all=True, filters={"label": wanted}))
    return [live for live in found if live.hash and not live.oneoff]


async def listening(traffic: Traffic | None, lives: Iterable[Live]) -> frozenset[str]:
    """The ids of those that run, have no health check, and listen on what they publish."""
    asked = [live.id for live in lives if live.state == "running" and not live.health]
    return frozenset([ident for ident in asked if traffic is None or await traffic.listens(ident)])


def view(
    service: Resource,
    project: str,
    lives: Collection[Live],
    *,
    numbers: Collection[int],
    stale: Collection[str] = (),
    aside: Collection[str] = (),
    ready: Collection[str] = (),
    before: Mapping[str, Live] = _NOBODY,
) -> View:
    """``numbers``: whose seats; ``stale``: ids that are to go though they look fresh; ``ready``: of those without a health check;
    ``before``: by id, as they were when this way began (an end or a restart of then is nobody's failure now)."""
    by_number: dict[int, list[Live]] = {number: [] for number in numbers}
    for live in lives:
        if live.number in by_number and live.state not in ("removing", "dead"):
            by_number[live.number].append(live)
    seats = []
    for number, found in sorted(by_number.items()):
        final = name_of(service, project, number)
        fresh = [live for live in found if live.id not in stale and not difference(service, live, healing=False)]
        first = min(fresh, key=lambda live: (live.id in aside, not live.running, live.id), default=None)
        others = sorted((live for live in found if live is not first), key=lambda live: (live.id in aside, live.ref.name != final, live.id))
        seats.append(
            Seat(
                number,
                _replica(first, final, aside, ready, before.get(first.id)) if first is not None else None,
                tuple(_replica(live, final, aside, ready, before.get(live.id)) for live in others),
            )
        )
    return View(tuple(seats), {live.id: live for live in lives})


def _replica(live: Live, final: str, aside: Collection[str], ready: Collection[str], before: Live | None) -> Replica:
    well = live.state == "running" and (live.health == "healthy" or (not live.health and live.id in ready))
    return Replica(live.id, live.state, well, live.id in aside, live.ref.name == final, why_failed(live, before))


def why_failed(live: Live, before: Live | None = None) -> str:
    """Why a container can be called failed; "" it cannot. ``before``: as it was when the rollout began, None: it was not there."""
    name = _TEMPORARY.sub("", live.ref.name)
    known_end = before is not None and before.state == "exited" and before.finished == live.finished
    if live.state == "exited" and not live.by_request and not known_end:
        return f"container {name} exited ({live.exit_code})"
    if live.state == "restarting" or live.restarts > (before.restarts if before is not None else 0):
        return f"container {name} exited ({live.exit_code}) and was started again"
    if live.health == "unhealthy" and live.running:
        return f"container {name} is unhealthy" + (f": {live.probe}" if live.probe else "")
    return ""
