"""Which containers: `list` with Docker's filters, and what `prune` may take."""

from __future__ import annotations

import time

from composer.engine.errors import InvalidArgument, NotFound
from composer.engine.filters import containers as filtering
from composer.engine.filters.words import Filters, before, check, labels_match
from composer.engine.local.containers import view
from composer.engine.local.containers.parts import Parts, seconds
from composer.engine.local.containers.registry import Held
from composer.engine.local.lifecycle import Phase
from composer.engine.model import Container


def containers(parts: Parts, *, all: bool, filters: Filters) -> list[Container]:
    """Newest first. A filter by status (or exit code) looks at stopped ones, too."""
    wanted = filtering.wanted(filters)
    everything = all or filtering.stopped_too(wanted)
    ancestors = {image: _descendants(parts, image) for image in wanted.get("ancestor", ())}
    context = filtering.Context(
        created=lambda ref: parts.registry.find(ref).record.created, made_from=lambda one, image: one.image in ancestors[image]
    )
    rows = sorted(parts.registry, key=lambda held: held.record.created, reverse=True)
    shown = [h for h in rows if everything or h.run.phase.alive or h.run.phase is Phase.RESTARTING]
    # Labels first, of the rows themselves: a view costs 0.3 ms, and a stack asks for its own among all.
    own = [held for held in shown if labels_match(held.record.config.labels, wanted)]
    return [container for held in own if filtering.passes(container := view.container(parts, held), wanted, context)]


def _descendants(parts: Parts, ref: str) -> frozenset[str]:
    """The image and every image whose layers begin with its layers."""
    try:
        base = parts.images.resolve(ref)
    except (NotFound, InvalidArgument):
        return frozenset()
    chain = base.chain_ids
    return frozenset(record.id for record in (base, *parts.images.all()) if record.chain_ids[: len(chain)] == chain)


def prunable(parts: Parts, filters: Filters) -> list[Held]:
    """Those that do not run and that the filters of a prune select."""
    wanted = check(filters, filtering.PRUNE_KEYS)
    limit = before(wanted, time.time())
    return [
        held
        for held in parts.registry
        if held.run.phase in (Phase.CREATED, Phase.EXITED, Phase.DEAD)
        and seconds(held.record.created) < limit
        and labels_match(held.record.config.labels, wanted)
    ]
