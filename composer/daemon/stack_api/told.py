"""What the engine says of itself by events: what it put right (a bridge, a cable, its rules, a limit), and what needs a restart."""

from __future__ import annotations

from dataclasses import replace

from composer.daemon.stack_api.healing import Healing
from composer.daemon.stack_api.journal import ENGINE, HEALED, Drift
from composer.daemon.stack_api.stacks import Stacks
from composer.engine.model import Event
from composer.reconcile import labels
from composer.reconcile.controller import LOST


class Told:
    """For the controller: takes such events into the journal and to the healing."""

    def __init__(self, stacks: Stacks, healing: Healing) -> None:
        self._stacks = stacks
        self._healing = healing

    async def __call__(self, event: Event) -> None:
        attributes = event.actor.attributes
        what = attributes.get("what", "")
        if event.action == LOST:
            self._healing.lost_mounts[event.actor.id] = what
            return
        at, since = event.time_nano / 1e9, float(attributes.get("since") or 0)
        since = since or at
        stack = attributes.get(labels.PROJECT, ENGINE)
        subject = f"{event.type} {attributes.get('name', '')}".strip()
        drift = Drift(stack, attributes.get(labels.SERVICE, ""), subject, what, "engine", attributes.get("found", ""), since)
        done = replace(drift, result=HEALED, ended=at, took=max(0.0, at - since), detail="by the engine")
        await self._stacks.journal.drifts.add(done)
