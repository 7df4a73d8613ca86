"""One reconcile, told: a line in the daemon's log, and a work in the journal with what was done to what, and why."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from composer.daemon.stack_api.journal import ACTIONS, Deed, Work
from composer.reconcile.execute import Cancelled
from composer.reconcile.model import Outcome

if TYPE_CHECKING:
    from composer.daemon.stack_api.stacks import Stacks


async def reconciled(
    stacks: Stacks, name: str, by: str, began: float, outcomes: Collection[Outcome], *, services: Iterable[str] = ()
) -> None:
    """``by``: the command, or "healing"; ``began``: seconds since 1970; ``services``: those that were meant, () for all."""
    took = max(0.0, time.time() - began)
    row = stacks.store.row(name)
    outcome = result_of(outcomes)
    work = Work(name, by, began, took, row.revision, outcome, tuple(sorted(services)), tuple(deeds(outcomes))[:ACTIONS])
    done = [f"{one.action.key}: {one.action.cause}" for one in outcomes if one.action.verb != "wait"]
    stacks.log.info(
        "reconcile",
        stack=name,
        revision=row.revision[:12],
        by=by,
        actions=len(done),
        did=done[:ACTIONS],
        duration=round(took, 3),
        outcome=outcome,
    )
    if stacks.store.known(name):
        await stacks.journal.works.add(work)
    else:
        await stacks.journal.forget(name)


def result_of(outcomes: Collection[Outcome]) -> str:
    """done, failed, or interrupted; "unchanged" when there was nothing to do."""
    if not outcomes:
        return "unchanged"
    bad = [outcome for outcome in outcomes if outcome.result != "done"]
    if any(isinstance(outcome.error, Cancelled) for outcome in bad):
        return "interrupted"
    return "failed" if bad else "done"


def deeds(outcomes: Iterable[Outcome]) -> list[Deed]:
    """By container, network or volume: its verbs together, with the first cause and the first error."""
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.action.verb != "wait" or outcome.result != "done":
            found.setdefault(str(outcome.action.ref), []).append(outcome)
    return [_deed(subject, mine) for subject, mine in found.items()]


def _deed(subject: str, mine: list[Outcome]) -> Deed:
    bad = next((outcome for outcome in mine if outcome.result != "done"), None)
    verbs = ", ".join(dict.fromkeys(outcome.action.verb for outcome in mine))
    detail = "" if bad is None else str(bad.error) if bad.error is not None else f"not done, because of {bad.because}"
    first = mine[0].action
    return Deed(first.service, subject, verbs, first.cause, bad.result if bad is not None else "done", detail)
