"""The name of a checkout, read from .git."""

from __future__ import annotations

from pathlib import Path

import pytest

from composer.cli.checkout import name_of
from composer.errors import UsageError


def git(path: Path, head: str) -> None:
    path.mkdir(parents=True)
    (path / "HEAD").write_text(head)


def test_the_branch_seen_from_a_directory_beneath(tmp_path: Path) -> None:
    git(tmp_path / ".git", "ref: refs/heads/feature/Login\n")
    (tmp_path / "deploy").mkdir()
    assert name_of(str(tmp_path / "deploy")) == "feature/Login"


def test_a_worktree_has_its_own_name(tmp_path: Path) -> None:
    git(tmp_path / "main/.git/worktrees/hotfix", "ref: refs/heads/other\n")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/.git").write_text("gitdir: ../main/.git/worktrees/hotfix\n")
    assert name_of(str(tmp_path / "b")) == "hotfix"


def test_a_detached_head(tmp_path: Path) -> None:
    git(tmp_path / ".git", "0123456789abcdef0123456789abcdef01234567\n")
    assert name_of(str(tmp_path)) == "0123456789"


def test_no_checkout_and_no_name(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text("nonsense")
    with pytest.raises(UsageError, match="needs a name"):
        name_of(str(tmp_path))
