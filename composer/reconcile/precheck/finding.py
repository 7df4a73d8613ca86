"""A finding of the check before a plan is carried out, and its place in the stack's files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from composer.errors import Diagnostic
from composer.spec.convert import locate_key
from composer.spec.tree import Node, locate

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, where, and what to do.

    ``path``: a place in the stack ("services", "web", "ports", 0); the deepest part of it that a file has is shown. ``on_key``: the caret
    stands at the key, not at its value. ``late``: docker compose begins all the same and fails at this point, having made the rest; then
    so do we, and only `plan` takes it for an error.
    """

    code: str
    message: str
    path: tuple[str | int, ...]
    hint: str = ""
    severity: str = ERROR
    late: bool = False
    on_key: bool = False

    @property
    def blocks(self) -> bool:
        """Whether nothing may be touched."""
        return self.severity == ERROR and not self.late


def diagnostics(findings: Iterable[Finding], tree: Node, *, planning: bool) -> list[Diagnostic]:
    """The findings at their places, in the order of the files. ``tree``: the stack's, in long form. ``planning``: what comes late is an
    error, too; otherwise it is a warning, because it is done all the same."""
    found = [_at(finding, tree, planning=planning) for finding in findings]
    files = list(dict.fromkeys(one.mark.file for one in found if one.mark))
    return sorted(found, key=lambda one: (files.index(one.mark.file), one.mark.line, one.mark.column) if one.mark else (-1, 0, 0))


def _at(finding: Finding, tree: Node, *, planning: bool) -> Diagnostic:
    severity = finding.severity if planning or not finding.late else WARNING
    if not finding.path:
        return Diagnostic(finding.code, finding.message, hint=finding.hint or None, severity=severity)
    node = _key(tree, finding.path) if finding.on_key else _deepest(tree, finding.path)
    return node.diagnostic(finding.code, finding.message, hint=finding.hint, severity=severity)


def _key(tree: Node, path: tuple[str | int, ...]) -> Node:
    """The key of the last part of the path that is there."""
    while len(path) > 1 and locate(tree, path) is locate(tree, path[:-1]):
        path = path[:-1]
    return locate_key(tree, path)


def _deepest(tree: Node, path: tuple[str | int, ...]) -> Node:
    """The value at the path; the key of the last part that is there when the rest of it is nobody's writing."""
    for length in range(len(path), 0, -1):
        holder = locate(tree, path[: length - 1])
        if locate(tree, path[:length]) is not holder:
            return locate(tree, path) if length == len(path) else locate_key(tree, path[:length])
    return tree
