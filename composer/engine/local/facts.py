"""The machine's and the engine's facts for a plan, gathered at once from the rooms that know them. It changes nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import replace

from composer.engine.local.containers import Parts
from composer.engine.local.containers.refusals import refusals
from composer.engine.local.image.probe import probe
from composer.engine.local.linux import paths
from composer.engine.local.runtime.logs import DRIVERS
from composer.engine.model.facts import Facts, Inquiry, PathFact, Refusal


async def gather(about: Inquiry, parts: Parts) -> Facts:
    """All that was asked, in at most the seconds that registries are waited for."""
    network, at, images = await asyncio.gather(
        parts.networks.facts(about, parts.registry.__contains__), asyncio.to_thread(_look, about.paths), probe(about.images)
    )
    return replace(
        network,
        paths=at,
        images=images,
        cpus=parts.cpus,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        runtimes=frozenset(parts.runtime.available()),
        log_drivers=frozenset(DRIVERS),
        network_drivers=frozenset({"bridge"}),
        volume_drivers=frozenset({"local"}),
        shared_ports=True,
        device_drivers=frozenset(),
        refused=_refused(about, parts),
    )


def _refused(about: Inquiry, parts: Parts) -> dict[str, tuple[Refusal, ...]]:
    found = {name: refusals(parts, config) for name, config in about.containers.items()}
    found |= {name: parts.networks.refusals(config) for name, config in about.networks.items()}
    return {name: told for name, told in found.items() if told}


def _look(wanted: Iterable[str]) -> dict[str, PathFact]:
    return {path: paths.look(path) for path in wanted}
