"""The name of a checkout, for `--isolated`: that of the git worktree, else of the branch. Read from .git; git is not run, nor its hooks."""

from __future__ import annotations

import os
import re

from composer.errors import UsageError

_LIMIT = 4096  # bytes of .git and HEAD that are read


def name_of(directory: str) -> str:
    """ "feature-x". UsageError: the directory is in no checkout, or its HEAD says nothing."""
    git = _git(directory)
    if git is None:
        raise UsageError(f"{directory} is no git checkout, so the isolated stack needs a name", hint="--isolated=NAME")
    above, _, last = git.rpartition("/")
    if os.path.basename(above) == "worktrees":
        return last
    head = _read(os.path.join(git, "HEAD"))
    found = re.fullmatch(r"ref: refs/heads/(.+)", head)
    if found:
        return found[1]
    if re.fullmatch(r"[0-9a-f]{40,64}", head):
        return head[:10]
    raise UsageError(f"the branch of {directory} is not known, so the isolated stack needs a name", hint="--isolated=NAME")


def _git(directory: str) -> str | None:
    """The checkout's git directory, looked for here and above."""
    while True:
        path = os.path.join(directory, ".git")
        if os.path.isdir(path):
            return path
        if os.path.isfile(path):  # a linked worktree, or a submodule
            said = _read(path).removeprefix("gitdir:").strip()
            return os.path.normpath(os.path.join(directory, said)) if said else None
        above = os.path.dirname(directory)
        if above == directory:
            return None
        directory = above


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LIMIT).strip()
    except OSError:
        return ""
