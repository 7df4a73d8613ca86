"""Which containers: `list` with Docker's filters, and what `prune` may take."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

from composer.engine.errors import InvalidArgument, NotFound
from composer.engine.local.containers import select, view
from composer.engine.local.containers.parts import Parts, seconds
from composer.engine.local.containers.registry import Held
from composer.engine.local.lifecycle import Phase
from composer.engine.model import Container

Filters = Mapping[str, Sequence[str]]


def containers(parts: Parts, *, all: bool, filters: Filters) -> list[Container]:
    """Newest first. A filter by status (or exit code) looks at stopped ones, too."""
    select.check(filters)
    everything = all or any(filters.get(key) for key in ("status", "exited", "before", "since"))
    context = select.Context(created=lambda ref: parts.registry.find(ref).record.created, images=lambda ref: _descendants(parts, ref))
    rows = sorted(parts.registry, key=lambda held: held.record.created, reverse=True)
    shown = [h for h in rows if everything or h.run.phase.alive or h.run.phase is Phase.RESTARTING]
    own, rest = _by_label(shown, filters)
    return [container for h in own if select.selected(container := view.container(parts, h), rest, context)]


def _by_label(rows: list[Held], filters: Filters) -> tuple[list[Held], Filters]:
    """Labels first, of the rows themselves: a view costs 0.3 ms, and a stack asks for its own among all. And the filters that are left."""
    wishes = filters.get("label", ())
    found = [held for held in rows if all(select.has_label(held.record.config.labels, wish) for wish in wishes)]
    return found, {key: values for key, values in filters.items() if key != "label"}


def _descendants(parts: Parts, ref: str) -> frozenset[str]:
    """The image and every image whose layers begin with its layers."""
    try:
        base = parts.images.resolve(ref)
    except (NotFound, InvalidArgument):
        return frozenset()
    chain = base.chain_ids
    return frozenset(record.id for record in (base, *parts.images.all()) if record.chain_ids[: len(chain)] == chain)


def prunable(parts: Parts, filters: Filters) -> list[Held]:
    for key in filters:
        if key not in ("until", "label", "label!"):
            raise InvalidArgument(f"invalid filter '{key}'")
    limit = min((moment(value) for value in filters.get("until", ())), default=None)
    context = select.Context(created=lambda ref: "", images=lambda ref: frozenset())
    return [
        held
        for held in parts.registry
        if held.run.phase in (Phase.CREATED, Phase.EXITED, Phase.DEAD)
        and (limit is None or seconds(held.record.created) < limit)
        and select.selected(view.container(parts, held), {k: v for k, v in filters.items() if k != "until"}, context)
    ]


def moment(text: str) -> float:
    """Docker's times: seconds since 1970, a duration ago ("10m", "1h30m"), or RFC 3339. InvalidArgument."""
    try:
        return float(text)
    except ValueError:
        pass
    if re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h))+", text):
        units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
        return time.time() - sum(float(n) * units[unit] for n, _, unit in re.findall(r"(\d+(\.\d+)?)(ms|s|m|h)", text))
    try:
        return seconds(text if "T" in text else f"{text}T00:00:00Z")
    except ValueError as error:
        raise InvalidArgument(f'failed to parse "{text}" as a time', hint="as 10m, 1h30m, 2024-01-31T10:00:00Z or seconds") from error
