"""Tables of path patterns: `services.*.ports` to whatever is done there, walked along the tree without looking at the rest.

A step of a pattern is a key, or `*` for any key or item. A pattern that ends at a node is applied before those below it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from composer.spec.tree import MAPPING, SEQUENCE, Node

T = TypeVar("T")


class Trie(Generic[T]):
    """One step of the table: what is done here (`here`), and what follows by key (`below`) or for any (`each`)."""

    __slots__ = ("below", "each", "here")

    def __init__(self, table: Mapping[str, T] | None = None) -> None:
        self.here: T | None = None
        self.below: dict[str, Trie[T]] = {}
        self.each: Trie[T] | None = None
        for pattern, value in (table or {}).items():
            at = self
            for step in pattern.split("."):
                at = at._step(step)
            at.here = value

    def _step(self, step: str) -> Trie[T]:
        if step == "*":
            self.each = self.each or Trie()
            return self.each
        return self.below.setdefault(step, Trie())

    def next(self, key: str) -> Trie[T] | None:
        return self.below.get(key) or self.each


def rewrite(node: Node, trie: Trie[T], apply: Callable[[Node, T], Node | None]) -> Node:
    """The tree with `apply` done at every node that a pattern names. `apply` may give None: the node is left out."""
    return _rewrite(node, trie, apply) or node.mapping({})


def _rewrite(node: Node, trie: Trie[T], apply: Callable[[Node, T], Node | None]) -> Node | None:
    if trie.here is not None:
        done = apply(node, trie.here)
        if done is None:
            return None
        node = done
    if node.kind == MAPPING and (trie.below or trie.each is not None):
        node = _mapping(node, trie, apply)
    elif node.kind == SEQUENCE and trie.each is not None:
        each = trie.each
        items = [done for item in node.value if (done := _rewrite(item, each, apply)) is not None]
        if len(items) != len(node.value) or any(map(_differ, items, node.value)):
            node = node.sequence(items)
    return node


def _mapping(node: Node, trie: Trie[T], apply: Callable[[Node, T], Node | None]) -> Node:
    changed: dict[str, Node | None] = {}
    value: dict[str, Node] = node.value
    each = trie.each
    if each is None and len(trie.below) < len(value):
        wanted = [(key, step) for key, step in trie.below.items() if key in value]
    else:
        wanted = [(key, step) for key in value if (step := trie.below.get(key) or each) is not None and not is_note(key, value[key])]
    for key, step in wanted:
        done = _rewrite(value[key], step, apply)
        if done is not value[key]:
            changed[key] = done
    if not changed:
        return node
    items = {key: changed.get(key, old) for key, old in value.items()}
    return node.mapping({key: item for key, item in items.items() if item is not None})


def is_note(key: str, value: Node) -> bool:
    """Is this an `x-` attribute, and not a service, network or the like of that name?"""
    return key.startswith("x-") and value.kind != MAPPING


def _differ(a: Node, b: Node) -> bool:
    return a is not b
