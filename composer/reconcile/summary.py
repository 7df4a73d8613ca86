"""A plan as its reader sees it: one change for each thing, instead of the steps that make it. Pure.

What is made and removed under one name is a replacement; a wait is no change, but tells when a start comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from composer.reconcile.model import COMPLETED, HEALTHY, Action, Plan, Ref

ORDER = ("pull", "build", "create", "replace", "update", "start", "restart", "stop", "remove")  # in which they are counted
_ALONE = {"unpause": "start", "restart": "restart", "start": "start", "stop": "stop", "pull": "pull", "build": "build"}
_WORDS = {HEALTHY: "is healthy", COMPLETED: "has completed"}


@dataclass(frozen=True, slots=True)
class Change:
    """``when``: what its start waits for, in words, "" when for nothing."""

    verb: str
    ref: Ref
    cause: str
    service: str = ""
    when: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.ref}: {self.cause}" + (f" (starts when {self.when})" if self.when else "")

    def to_json(self) -> dict[str, str]:
        """As JSON values; what is empty is left out."""
        found = {
            "verb": self.verb,
            "kind": self.ref.kind,
            "name": self.ref.name,
            "cause": self.cause,
            "service": self.service,
            "when": self.when,
        }
        return {key: value for key, value in found.items() if value}


def changes(plan: Plan) -> list[Change]:
    """In the order of the plan."""
    by_ref: dict[Ref, list[Action]] = {}
    for action in plan.actions:
        by_ref.setdefault(action.ref, []).append(action)
    waits = {action.key: action for action in plan.actions if action.verb == "wait"}
    found = []
    for ref, actions in by_ref.items():
        verb = _verb({action.verb for action in actions})
        if verb:
            causes = list(dict.fromkeys(action.cause for action in actions if action.cause and action.verb != "wait"))
            found.append(Change(verb, ref, "; ".join(causes[:3]), actions[0].service, _when(actions, waits)))
    return found


def _verb(verbs: set[str]) -> str:
    if "roll" in verbs or ("create" in verbs and verbs & {"remove", "rename"}):
        return "replace"
    for verb in ("create", "remove"):
        if verb in verbs:
            return verb
    if {"stop", "start"} <= verbs:
        return "restart"
    for verb, shown in _ALONE.items():
        if verb in verbs:
            return shown
    return "" if verbs <= {"wait"} else "update"


def _when(actions: Sequence[Action], waits: Mapping[str, Action]) -> str:
    """Conditions that starts wait for."""
    needed: Iterable[str] = (edge for action in actions if action.verb in ("start", "roll") for edge in (*action.after, *action.softly))
    found = [waits[edge] for edge in dict.fromkeys(needed) if edge in waits]
    return " and ".join(f"{wait.ref.name} {_WORDS[wait.condition]}" for wait in found if wait.condition in _WORDS)


def counts(found: Iterable[Change]) -> dict[str, int]:
    """How many changes of each verb there are, in `ORDER`; what there is none of is left out."""
    verbs = [change.verb for change in found]
    return {verb: verbs.count(verb) for verb in ORDER if verb in verbs}
