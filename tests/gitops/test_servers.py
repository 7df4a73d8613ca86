"""Following repositories on real git servers on loopback: what they ask for is given, and nothing else."""

from __future__ import annotations

import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from composer.gitops.follow import Wish
from tests.conftest import run
from tests.gitops.ground import Daemon, daemon
from tests.gitops.play import stack
from tests.gitops.repository import Repository, ssh_key
from tests.gitops.servers import SSHD, certificate, git_daemon, sshd, web

pytestmark = pytest.mark.slow


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    found = Repository.new(tmp_path / "srv" / "app")
    found.commit({"stack.yml": stack(web=1)})
    return found


def secret(path: Path, text: str) -> str:
    path.write_text(text + "\n")
    path.chmod(0o600)
    return str(path)


def followed(repo: Repository, tmp_path: Path, options: dict[str, Any], check: Callable[[Daemon], Awaitable[None]]) -> None:
    async def work() -> None:
        async with daemon(tmp_path / "daemon") as found:
            found.engine.healthy_at_once = True
            await found.fleet.add({"name": "s", "interval": 0, **options})
            await check(found)

    run(work())


def both(repo: Repository) -> Callable[[Daemon], Awaitable[None]]:
    """The first commit runs, and the second after a sync."""

    async def check(found: Daemon) -> None:
        assert await found.running() == {"web": "1"}, found.status()
        repo.commit({"stack.yml": stack(web=2)})
        await found.fleet.sync("s", Wish("by hand"))
        assert await found.running() == {"web": "2"}, found.status()

    return check


def lost(*words: str) -> Callable[[Daemon], Awaitable[None]]:
    async def check(found: Daemon) -> None:
        assert found.status()["state"] == "remote lost"
        problem = found.status()["problem"]
        assert all(word in problem for word in words), problem

    return check


def test_https_with_a_token(repo: Repository, tmp_path: Path) -> None:
    pair = certificate(tmp_path)
    with web(tmp_path / "srv", password="robot:t0ken-of-the-robot", certificate=pair) as base:
        options = {"repo": f"{base}/app/.git", "user": "robot", "ca_file": str(pair[0])}
        token = secret(tmp_path / "token", "t0ken-of-the-robot")

        async def check(found: Daemon) -> None:
            await both(repo)(found)
            assert "t0ken" not in f"{found.status()} {found.fleet.history('s')} {found.log.lines}"
            stored = [path for path in (tmp_path / "daemon").rglob("*") if path.is_file()]
            assert not [path for path in stored if b"t0ken" in path.read_bytes()]

        followed(repo, tmp_path, {**options, "token_file": token}, check)


def test_https_refuses(repo: Repository, tmp_path: Path) -> None:
    pair = certificate(tmp_path)
    with web(tmp_path / "srv", password="robot:right", certificate=pair) as base:
        options = {"repo": f"{base}/app/.git", "user": "robot", "ca_file": str(pair[0])}
        wrong = secret(tmp_path / "wrong", "wr0ng-token")
        followed(repo, tmp_path / "1", options, lost("asks who we are"))
        followed(repo, tmp_path / "2", {**options, "token_file": wrong}, lost("refuses the token"))
        followed(repo, tmp_path / "3", {**options, "token_file": wrong, "ca_file": ""}, lost("certificate"))
        followed(repo, tmp_path / "4", {**options, "token_file": str(tmp_path / "none")}, lost("cannot be read"))


def test_http_on_loopback(repo: Repository, tmp_path: Path) -> None:
    with web(tmp_path / "srv", password="x-access-token:abc-token") as base:
        options = {"repo": f"{base}/app/.git", "token_file": secret(tmp_path / "token", "abc-token")}
        followed(repo, tmp_path, options, both(repo))


def test_credentials_do_not_follow_a_redirect(repo: Repository, tmp_path: Path) -> None:
    with web(tmp_path / "srv") as other, web(tmp_path / "srv", redirect=other) as base:
        followed(repo, tmp_path, {"repo": f"{base}/app/.git", "token_file": secret(tmp_path / "token", "abc")}, lost("cannot be read"))


def test_git_daemon(repo: Repository, tmp_path: Path) -> None:
    with git_daemon(tmp_path / "srv") as base:
        followed(repo, tmp_path, {"repo": f"{base}/app"}, both(repo))


@pytest.mark.root
@pytest.mark.skipif(SSHD is None, reason="sshd is not installed (openssh-server)")
def test_ssh_with_a_deploy_key(repo: Repository, tmp_path: Path) -> None:
    key = ssh_key(tmp_path / "deploy")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with sshd(tmp_path, key.with_suffix(".pub")) as (address, known):
        options = {"repo": f"{address}{repo.directory}", "ssh_key": str(key), "known_hosts": str(known)}
        followed(repo, tmp_path, options, both(repo))


@pytest.mark.root
@pytest.mark.skipif(SSHD is None, reason="sshd is not installed (openssh-server)")
def test_ssh_refuses(repo: Repository, tmp_path: Path) -> None:
    key, other = ssh_key(tmp_path / "deploy"), ssh_key(tmp_path / "other")
    stranger = tmp_path / "stranger"
    stranger.write_text(f"[127.0.0.1]:1 {other.with_suffix('.pub').read_text()}")
    with sshd(tmp_path, key.with_suffix(".pub")) as (address, known):
        options = {"repo": f"{address}{repo.directory}", "ssh_key": str(key), "known_hosts": str(known)}
        followed(repo, tmp_path / "1", {**options, "ssh_key": str(other)}, lost("Permission denied"))
        followed(repo, tmp_path / "2", {**options, "known_hosts": str(stranger)}, lost("Host key verification failed"))


def test_a_server_that_says_nothing(tmp_path: Path, repo: Repository) -> None:
    with web(tmp_path / "empty") as base:
        followed(repo, tmp_path, {"repo": f"{base}/nothing"}, lost("not found"))
    followed(repo, tmp_path / "2", {"repo": "https://127.0.0.1:1/x"}, lost("cannot be read"))
