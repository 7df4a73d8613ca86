"""Paths in a stack file made absolute, and the table of which attributes are paths. Pure: nothing is looked up.

A path stands on the `base` of the file that it was written in. Source: Compose Specification, and what docker compose does.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from composer.spec.tree import Node
from composer.spec.trie import Trie, rewrite

_REMOTE = ("https://", "http://", "git://", "ssh://", "github.com/", "git@", "service:")

Resolve = Callable[[Node, str], str]  # a path that is written at a node, made what it is to be
Place = Callable[[Node, Resolve], Node]


def _path(node: Node, resolve: Resolve) -> Node:
    text = node.text()
    return node.scalar(resolve(node, text)) if text else node


def _context(node: Node, resolve: Resolve) -> Node:
    text = node.text() or ""
    return node if text.startswith(_REMOTE) or "://" in text else _path(node, resolve)


def _mount(node: Node, resolve: Resolve) -> Node:
    source, kind = node.get("source"), node.get("type")
    if source is None or kind is None or kind.value != "bind":
        return node
    return node.with_item("source", _path(source, resolve))


def _device(node: Node, resolve: Resolve) -> Node:
    """A volume of the local driver with `o: bind` is a bind mount in disguise."""
    driver, options = node.get("driver"), node.get("driver_opts")
    if driver is None or driver.value != "local" or options is None:
        return node
    device, how = options.get("device"), options.get("o")
    if device is None or how is None or how.value != "bind":
        return node
    return node.with_item("driver_opts", options.with_item("device", _path(device, resolve)))


def _key(node: Node, resolve: Resolve) -> Node:
    """An SSH key for a build: `id=path`, or `id` alone for the agent."""
    name, equals, path = (node.text() or "").partition("=")
    return node.scalar(f"{name}={resolve(node, path)}") if equals else node


_READ = {"services.*.env_file.*.path": _path, "services.*.label_file.*": _path}  # of these the load reads the files
_NAMED: dict[str, Place] = {
    "services.*.build.context": _context,
    "services.*.build.additional_contexts.*": _context,
    "services.*.build.ssh.*": _key,
    "services.*.develop.watch.*.path": _path,
    "services.*.volumes.*": _mount,
    "configs.*.file": _path,
    "secrets.*.file": _path,
    "volumes.*": _device,
}
PLACES: Trie[Place] = Trie({**_NAMED, **_READ})
_UNREAD: Trie[Place] = Trie(_NAMED)


def resolve_paths(tree: Node) -> Node:
    """The tree, in long form, with every path absolute."""
    return rewrite(tree, PLACES, lambda node, place: place(node, _absolute))


def carry_paths(tree: Node, directory: str, *, read: bool = True) -> Node:
    """The tree with the paths of included and extended files relative to `directory`; those of the stack's own files stay as written.

    `read`: the paths of env and label files, too.
    """
    return rewrite(tree, PLACES if read else _UNREAD, lambda node, place: place(node, lambda at, path: _carried(at, path, directory)))


def _absolute(node: Node, path: str) -> str:
    return node.source.base.resolve(path)


def _carried(node: Node, path: str, directory: str) -> str:
    base = node.source.base
    if not node.source.chain or path.startswith("~") or base.resolve(path) == path:
        return base.resolve(path) if node.source.chain else path
    return posixpath.normpath(posixpath.join(posixpath.relpath(base.directory, directory), path))
