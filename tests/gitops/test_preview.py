"""The plan of a pull request: what it says of a change, that it needs no engine, and that it leaves the checkout as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gitops.play import stack
from tests.gitops.repository import Repository

pytestmark = pytest.mark.slow

COMPOSER = Path(sys.executable).with_name("composer")


def plan(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(directory), "COMPOSER_HOST": "unix:///nowhere/composer.sock"}
    return subprocess.run([COMPOSER, "plan", *words], cwd=directory, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return Repository.new(tmp_path / "shop")


def test_what_a_change_does(repo: Repository) -> None:
    repo.commit({"stack.yml": stack(web=1, db=1, extra="    volumes: ['data:/d']\nvolumes: {data: {}}\n")})
    repo.commit({"stack.yml": stack(web=2, cache=1)})
    repo.write({"stack.yml": "not committed"})
    before = repo.git("status", "--porcelain")
    found = plan(repo.directory, "--git", "HEAD~1..HEAD", "--detailed-exitcode")
    assert found.returncode == 2, found.stderr
    assert "### `shop`: 1 to remove, 1 to replace, 1 to create" in found.stdout
    assert "replace | container `shop-web-1` | environment changed |" in found.stdout
    assert "remove | container `shop-db-1` | its service is not in the stack |" in found.stdout
    assert "create | container `shop-cache-1` | it does not exist |" in found.stdout
    assert "volume `shop_data` leaves the file" in found.stdout
    assert '-      V: "1"' in found.stdout
    assert repo.git("status", "--porcelain") == before
    verbs = {
        action["verb"]
        for action in json.loads(plan(repo.directory, "--git", "HEAD~1..", "--format", "json").stdout)["stacks"][0]["actions"]
    }
    assert {"create", "remove", "start"} <= verbs


def test_what_containers_mount_and_are_built_from(repo: Repository) -> None:
    text = stack(web=1, extra="    volumes: ['./conf:/conf']\n    build: ./src\n")
    repo.commit({"compose.yaml": text, "conf/a": "1", "src/Dockerfile": "FROM scratch\n"})
    repo.commit({"README": "x"})
    assert "Nothing to do" in plan(repo.directory, "--git", "HEAD~1..HEAD").stdout
    repo.commit({"conf/a": "2", "src/Dockerfile": "FROM other\n"})
    found = plan(repo.directory, "--git", "HEAD~1..HEAD").stdout
    assert "replace | container `shop-web-1` | volumes changed |" in found
    assert "`web` is built again" in found


def test_a_wrong_head(repo: Repository) -> None:
    repo.commit({"stack.yml": stack(web=1)})
    repo.commit({"stack.yml": "services: {web: {imagee: x}}"})
    found = plan(repo.directory, "--git", "HEAD~1..HEAD")
    assert found.returncode == 1
    assert "cannot be brought up" in found.stdout
    assert "stack.yml:1:18: error: unknown key 'imagee'" in found.stdout


def test_stacks_in_folders_and_where_branches_parted(repo: Repository) -> None:
    repo.commit({"stacks/one/compose.yaml": stack(web=1), "stacks/two/compose.yaml": stack(web=1)})
    repo.git("branch", "topic")
    repo.commit({"stacks/one/compose.yaml": stack(web=9)})
    repo.git("checkout", "-q", "topic")
    repo.commit({"stacks/two/compose.yaml": None, "stacks/three/compose.yaml": stack(web=1)})
    found = plan(repo.directory / "stacks", "--git", "main...topic").stdout
    assert "`two`: the stack is removed" in found
    assert "`three`: new stack" in found
    assert "Unchanged: `one`." in found


def test_wrong_words(repo: Repository, tmp_path: Path) -> None:
    repo.commit({"stack.yml": stack(web=1)})
    for words, said in (
        (["--git", "nowhere..HEAD"], "no commit 'nowhere'"),
        (["--git", "HEAD"], "not a range"),
        (["--git", "--upload-pack=x..HEAD"], "no commit"),
        (["--git", "HEAD..HEAD", "web"], "whole stacks"),
    ):
        found = plan(repo.directory, *words)
        assert found.returncode, words
        assert said in found.stderr
    assert "not in a git checkout" in plan(tmp_path, "--git", "a..b").stderr
