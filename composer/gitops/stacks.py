"""Which stacks a commit has at the source's path: one (a stack file, or a directory with one), or one for each folder of a directory."""

from __future__ import annotations

from dataclasses import dataclass

from composer.gitops.errors import Refused
from composer.gitops.git.tree import Tree, join
from composer.spec.project import normalise
from composer.spec.read import NAMES, OVERRIDES

VANISHED = "gitops.vanished"


@dataclass(frozen=True, slots=True)
class Spot:
    """One stack of a commit. ``folder``: "" for a single one. ``files``: in the tree, in order of merging; ``name``: by its folder."""

    folder: str
    files: tuple[str, ...]
    name: str = ""


def spots(tree: Tree, path: str) -> list[Spot]:
    """The stacks at ``path``. Refused: there is nothing, or it leads out of the repository."""
    path = join(path) if path not in ("", ".", "/") else ""
    path = "" if path == "." else path
    found = tree.find(path)
    if found.problem:
        raise Refused(f"{path} {found.problem}")
    if found.entry is None:
        raise Refused(f"{path} is not in commit {tree.commit[:12]} (any more)", code=VANISHED)
    if not found.entry.folder:
        return [Spot("", (path,))]
    if files := _files(tree, path):
        return [Spot("", files)]
    several = [Spot(folder, files, normalise(folder)) for folder in tree.folders(found.path) if (files := _files(tree, join(path, folder)))]
    if not several:
        raise Refused(f"there is no stack file in {path or 'the repository'} at commit {tree.commit[:12]}", code=VANISHED)
    return several


def _files(tree: Tree, folder: str) -> tuple[str, ...]:
    """The stack file by its usual names, and its override."""
    paths = [join(folder, name) for name in NAMES if _is_file(tree, join(folder, name))]
    if not paths:
        return ()
    return (paths[0], *[join(folder, name) for name in OVERRIDES if _is_file(tree, join(folder, name))][:1])


def _is_file(tree: Tree, path: str) -> bool:
    found = tree.find(path)
    return bool(found.problem) or (found.entry is not None and not found.entry.folder)
