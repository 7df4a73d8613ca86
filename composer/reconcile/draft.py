"""A plan while it is being drawn up: actions by key, with edges to actions that may or may not come. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from composer.reconcile.model import Action, Plan, Ref


def key(verb: str, ref: Ref, condition: str = "") -> str:
    """The key that an `Action` with these has."""
    return f"{verb} {ref}" + (f" {condition}" if condition else "")


class Draft:
    """Collects actions; an edge to an action that was never added is dropped at the end."""

    def __init__(self) -> None:
        self.actions: dict[str, Action] = {}
        self.notes: list[str] = []

    def __contains__(self, action_key: str) -> bool:
        return action_key in self.actions

    def add(self, action: Action) -> str:
        """Add it, or join its edges to the one that has its key already. Returns the key."""
        known = self.actions.get(action.key)
        if known is not None:
            action = replace(
                known,
                after=_union(known.after, action.after),
                softly=_union(known.softly, action.softly),
                optional=known.optional and action.optional,
            )
        self.actions[action.key] = action
        return action.key

    def link(self, action_key: str, after: Iterable[str]) -> None:
        """Further edges for an action, if it is there."""
        known = self.actions.get(action_key)
        if known is not None:
            self.actions[action_key] = replace(known, after=_union(known.after, after))

    def finish(self) -> Plan:
        """The plan: topological, otherwise in the order of adding. Raises ValueError on a cycle, which the spec's check has excluded."""
        waiting = {name: self._trimmed(action) for name, action in self.actions.items()}
        open_edges = {name: {*action.after, *action.softly} for name, action in waiting.items()}
        followers: dict[str, list[str]] = {name: [] for name in waiting}
        for name, edges in open_edges.items():
            for edge in edges:
                followers[edge].append(name)
        order: list[Action] = []
        ready = [name for name in waiting if not open_edges[name]]
        while ready:
            following: set[str] = set()
            for name in ready:
                order.append(waiting[name])
                for follower in followers[name]:
                    open_edges[follower].discard(name)
                    if not open_edges[follower]:
                        following.add(follower)
            ready = [name for name in waiting if name in following]
        if len(order) != len(waiting):
            raise ValueError("the plan has a cycle")
        return Plan(tuple(order), tuple(self.notes))

    def _trimmed(self, action: Action) -> Action:
        after = tuple(edge for edge in action.after if edge in self.actions and edge != action.key)
        softly = tuple(edge for edge in action.softly if edge in self.actions and edge != action.key and edge not in after)
        return replace(action, after=after, softly=softly)


def _union(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
