"""Paths in a stack file made absolute, and the table of which attributes are paths. Pure: nothing is looked up.

A path stands on the `base` of the file that it was written in. Source: Compose Specification, and what docker compose does.
"""

from __future__ import annotations

from collections.abc import Callable

from composer.spec.tree import Node
from composer.spec.trie import Trie, rewrite

_REMOTE = ("https://", "http://", "git://", "ssh://", "github.com/", "git@", "service:")

Place = Callable[[Node], Node]


def _path(node: Node) -> Node:
    text = node.text()
    return node.scalar(node.source.base.resolve(text)) if text else node


def _context(node: Node) -> Node:
    text = node.text() or ""
    return node if text.startswith(_REMOTE) or "://" in text else _path(node)


def _mount(node: Node) -> Node:
    source, kind = node.get("source"), node.get("type")
    if source is None or kind is None or kind.value != "bind":
        return node
    return node.with_item("source", _path(source))


def _device(node: Node) -> Node:
    """A volume of the local driver with `o: bind` is a bind mount in disguise."""
    driver, options = node.get("driver"), node.get("driver_opts")
    if driver is None or driver.value != "local" or options is None:
        return node
    device, how = options.get("device"), options.get("o")
    if device is None or how is None or how.value != "bind":
        return node
    return node.with_item("driver_opts", options.with_item("device", _path(device)))


def _key(node: Node) -> Node:
    """An SSH key for a build: `id=path`, or `id` alone for the agent."""
    name, equals, path = (node.text() or "").partition("=")
    return node.scalar(f"{name}={node.source.base.resolve(path)}") if equals else node


PLACES: Trie[Place] = Trie(
    {
        "services.*.build.context": _context,
        "services.*.build.additional_contexts.*": _context,
        "services.*.build.ssh.*": _key,
        "services.*.env_file.*.path": _path,
        "services.*.label_file.*": _path,
        "services.*.develop.watch.*.path": _path,
        "services.*.volumes.*": _mount,
        "configs.*.file": _path,
        "secrets.*.file": _path,
        "volumes.*": _device,
    }
)


def resolve_paths(tree: Node) -> Node:
    """The tree, in long form, with every path absolute."""
    return rewrite(tree, PLACES, lambda node, place: place(node))
