"""What a look at a stack has found, as entries of the journal, and which of it is put right: by the `x-heal` of each service. Pure.

A **difference** is what a healing plan would change; an **ailment** what no plan knows. Of both, a drift says since when and found by what:
the event that made the controller look, or the periodic look.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from composer.daemon.stack_api.journal import FAILED, HEALED, IGNORED, REPORTED, Drift
from composer.reconcile.ailment import ENDED, LOOP, MOUNT, STEADY, UNHEALTHY, Ailment, Budget, cure, ending, has_policy
from composer.reconcile.controller import Hint
from composer.reconcile.execute import Cancelled
from composer.reconcile.model import Action, Live, Outcome, Plan
from composer.spec.care import Care

CURED = (UNHEALTHY, MOUNT)  # the ailments whose cures count against the budget


@dataclass(frozen=True, slots=True)
class Look:
    """One look: of which stack, when, and why."""

    stack: str
    at: float
    hints: Mapping[str, Hint] = field(default_factory=dict)

    def steady(self, live: Live) -> bool:
        """Whether it has run for long enough to forget its restarts."""
        return live.state == "running" and bool(live.started) and self.at - epoch(live.started) >= STEADY

    def drift(self, service: str, subject: str, what: str, kind: str = "", *, since: str = "") -> Drift:
        """``since``: RFC 3339, when it is known better than by the event."""
        hint = self.hints.get(service) or self.hints.get("") or Hint("a second look", self.at)
        began = epoch(since) if since else min(hint.at, self.at)
        return Drift(self.stack, service, subject, what, kind, hint.what, began)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is done about an ailment: ``cure``, a restart, now; None: it is only told. ``wait``: seconds until it may be tried, 0 never."""

    drift: Drift
    cure: Action | None = None
    wait: float = 0.0


def epoch(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time of the engine's, with nanoseconds."""
    head, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{head}+00:00").timestamp() + float(f"0.{fraction or 0}")


def clock(moment: float) -> str:
    """A time of the day, in the daemon's time zone."""
    return datetime.fromtimestamp(moment).astimezone().isoformat(sep=" ", timespec="seconds")


def differences(look: Look, found: Plan) -> dict[str, tuple[Drift, list[Action]]]:
    """By subject: the drift that the plan's actions on it are about, and those actions."""
    grouped: dict[str, tuple[Drift, list[Action]]] = {}
    for action in found.actions:
        if action.verb == "wait":
            continue
        subject = str(action.ref)
        if subject not in grouped:
            grouped[subject] = (look.drift(action.service, subject, action.cause), [])
        grouped[subject][1].append(action)
    return grouped


def restarted(look: Look, lives: Iterable[Live], lasting: Collection[tuple[str, str, str]]) -> list[Drift]:
    """What the engine starts again, or has, by its restart policy. ``lasting``: keys of the drifts that last."""
    found = []
    for live in lives:
        subject = str(live.ref)
        if live.state == "restarting" or (live.state == "created" and live.started and live.finished):  # waits, or begins this moment
            drift = look.drift(live.service, subject, f"its process has ended: {ending(live)}", ENDED, since=live.finished)
            found.append(_result(drift, REPORTED, detail="its policy starts it again"))
        elif live.state == "running" and live.restarts and ((live.service, subject, ENDED) in lasting or _just_restarted(look, live)):
            drift = look.drift(live.service, subject, "its process has ended", ENDED, since=live.finished)
            found.append(_result(drift, HEALED, detail="restarted by its policy", ended=epoch(live.started)))
    return found


def _just_restarted(look: Look, live: Live) -> bool:
    """Whether it is its end that made the controller look."""
    hint = look.hints.get(live.service)
    began, ended = (epoch(text) if text else 0.0 for text in (live.started, live.finished))
    return hint is not None and " die" in hint.what and hint.at - 1 <= ended <= began


def unhealed(found: Mapping[str, tuple[Drift, list[Action]]], todo: Plan, cares: Mapping[str, Care]) -> list[Drift]:
    """Those that are left as they are, because their services want it."""
    done = {action.key for action in todo.actions}
    left = []
    for drift, actions in found.values():
        if not any(action.key in done for action in actions):
            care = cares.get(drift.service, Care())
            left.append(_result(drift, IGNORED if care.drift == "ignore" else REPORTED))
    return left


def healed(found: Mapping[str, tuple[Drift, list[Action]]], outcomes: Iterable[Outcome], now: float) -> list[Drift]:
    """What came of those that were to be put right; what a command has interrupted is left to its next look."""
    by_key = {outcome.action.key: outcome for outcome in outcomes}
    results = []
    for drift, actions in found.values():
        mine = [by_key[action.key] for action in actions if action.key in by_key]
        if not mine or any(isinstance(outcome.error, Cancelled) for outcome in mine):
            continue
        bad = next((outcome for outcome in mine if outcome.result != "done"), None)
        if bad is None:
            verbs = ", ".join(dict.fromkeys(outcome.action.verb for outcome in mine))
            results.append(_result(drift, HEALED, detail=verbs, ended=now))
        else:
            results.append(_result(drift, FAILED, detail=str(bad.error) if bad.error else f"{bad.action.verb}: waits for {bad.because}"))
    return results


def _result(drift: Drift, result: str, *, detail: str = "", ended: float = 0.0) -> Drift:
    return replace(drift, result=result, detail=detail, ended=ended, took=max(0.0, ended - drift.since) if ended else 0.0)


def verdict(look: Look, ailment: Ailment, care: Care, before: Callable[[str], list[float]]) -> Verdict:
    """``before``: a subject -> when it was cured of what counts against the budget."""
    subject, live = str(ailment.ref), ailment.live
    since = live.finished if live is not None and ailment.kind not in CURED else ""
    drift = look.drift(ailment.service, subject, ailment.what, ailment.kind, since=since)
    if care.drift == "ignore" or (ailment.kind == UNHEALTHY and care.unhealthy == "ignore"):
        return Verdict(_result(drift, IGNORED))
    if ailment.kind == LOOP and live is not None:
        detail = f"next try at {clock(epoch(live.next_start))}" if live.next_start else ""
        return Verdict(_result(drift, REPORTED, detail=detail), wait=STEADY if live.state == "running" else 0.0)
    if not ailment.curable or live is None:
        return Verdict(_result(drift, REPORTED))
    wants = care.drift == "heal" if ailment.kind == MOUNT else care.unhealthy == "restart" or (not care.unhealthy and has_policy(live))
    if not wants:
        why = "it has no restart policy" if ailment.kind == UNHEALTHY and not care.unhealthy else "x-heal says report"
        return Verdict(_result(drift, REPORTED, detail=f"not restarted: {why}"))
    return _within_budget(look, drift, care, before(subject), cure(ailment))


def _within_budget(look: Look, drift: Drift, care: Care, before: list[float], restart: Action) -> Verdict:
    budget = Budget(care.restarts, care.window)
    wait = budget.wait(before, look.at)
    if not wait:
        return Verdict(drift, restart)
    spent = f"{care.restarts} restarts in {care.window:g} s are used up" if budget.spent(before, look.at) else "restarted a moment ago"
    return Verdict(_result(drift, REPORTED, detail=f"{spent}; next try at {clock(look.at + wait)}"), wait=wait)
