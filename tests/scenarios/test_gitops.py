"""Stacks that follow a repository, with the real daemon: a webhook on loopback, secrets, `kill -9` in the middle of a sync."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from tests.gitops.repository import Repository
from tests.scenarios.terminal import Terminal, until

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = int(os.environ.get("COMPOSER_TEST_GITOPS_KILLS", "3"))
KEYS = Path(__file__).parents[1] / "gitops" / "sops" / "key.txt"


def stack(version: object, *, check: str = "true", extra: str = "") -> str:
    return f"""services:
  web:
    image: bb
    command: [idle]
    environment: {{V: "{version}"}}
    stop_signal: SIGKILL
    healthcheck: {{test: [CMD, "{check}"], interval: 1s, retries: 1, start_interval: 50ms, start_period: 1s}}
  db: {{image: bb, command: [idle], stop_signal: SIGKILL, volumes: ["data:/data"]}}
{extra}volumes: {{data: {{}}}}
"""


@pytest.fixture
def repo(terminal: Terminal) -> Iterator[Repository]:
    """A repository; nothing follows it afterwards."""
    found = Repository.new(terminal.directory / "repo")
    yield found
    names = terminal.out("gitops", "ls", "-q").split()
    if names:
        terminal.run("gitops", "rm", "--down", "-v", *names)
    terminal.run("gitops", "listen", "off")


def version(terminal: Terminal, container: str = "s-web-1") -> str:
    """The variable V of a container that runs; "" when it does not."""
    if terminal.states().get(container) != "running":
        return ""
    values = dict(item.split("=", 1) for item in terminal.inspect(container)["Config"]["Env"])
    return str(values.get("V", ""))


def post(url: str, body: bytes, **headers: str) -> int:
    request = urllib.request.Request(url, body, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_webhook_brings_a_commit_up(terminal: Terminal, repo: Repository) -> None:
    repo.commit({"stack.yml": stack(1)})
    added = terminal.out("gitops", "add", "s", "--repo", "repo", "--interval", "0", "--webhook")
    secret = added.split()[-1]
    base = terminal.out("gitops", "listen", "127.0.0.1:0").strip()
    assert version(terminal) == "1"
    repo.commit({"stack.yml": stack(2)})
    body = json.dumps({"ref": "refs/heads/main"}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert post(f"{base}/hooks/s", body, X_Hub_Signature_256=f"sha256={'0' * 64}") == 401
    assert post(f"{base}/hooks/other", body, X_Gitea_Signature=signature) == 404
    assert post(f"{base}/hooks/s", body, X_GitHub_Event="ping", X_Hub_Signature_256=f"sha256={signature}") == 200
    assert version(terminal) == "1"
    assert post(f"{base}/hooks/s", body, X_GitHub_Event="push", X_Hub_Signature_256=f"sha256={signature}") == 202
    until(lambda: version(terminal) == "2", 15)
    with urllib.request.urlopen(f"{base}/metrics", timeout=10) as answer:
        assert b'composer_gitops_webhooks_total{outcome="accepted",source="s"} 1.0' in answer.read()
    for path in ("/composer/v1/gitops/ls", "/containers/json"):
        assert post(f"{base}{path}", b"{}") == 404
    terminal.stop_daemon()  # what was asked for is so again after a restart
    terminal.run("gitops", "ls")
    assert terminal.out("gitops", "listen").strip() == base


def test_a_bad_commit_is_rolled_back(terminal: Terminal, repo: Repository) -> None:
    repo.commit({"stack.yml": stack(1)})
    terminal.run("gitops", "add", "s", "--repo", "repo", "--interval", "0")
    repo.commit({"stack.yml": stack(2, check="false")})
    shown = terminal.run("gitops", "sync", "s", exit=1).stdout
    assert "rolled back" in shown
    assert "is unhealthy" in shown
    assert version(terminal) == "1"
    history = terminal.out("gitops", "history", "s")
    assert [line.split()[2] for line in history.splitlines()[1:]] == ["rolled", "failed", "synced"]


def test_a_new_commit_cuts_the_wait_for_health(terminal: Terminal, repo: Repository) -> None:
    repo.commit({"stack.yml": stack(1)})
    terminal.run("gitops", "add", "s", "--repo", "repo", "--interval", "0", "--health-timeout", "10m")
    never = stack(2, check="false").replace("retries: 1", "retries: 100000").replace("start_period: 1s", "start_period: 1h")
    repo.commit({"stack.yml": never})
    waiting = terminal.begin("gitops", "sync", "s")
    until(lambda: version(terminal) == "2", 20)
    repo.commit({"stack.yml": stack(3)})
    terminal.run("gitops", "sync", "s", within=60)
    waiting.communicate(timeout=30)
    assert version(terminal) == "3"


def test_secrets_are_in_no_file(terminal: Terminal, repo: Repository) -> None:
    recipient = pyrage.x25519.Identity.from_str(KEYS.read_text().splitlines()[-1]).to_public()
    words = {"app.env": b"PASSWORD=first-hidden-word\n", "cert.pem": b"second-hidden-word\n", ".env": b"TOKEN=third-hidden-word\n"}
    files: dict[str, str | bytes | None] = {name: pyrage.encrypt(text, [recipient], armored=True) for name, text in words.items()}
    text = stack(1).replace("environment: {V", 'env_file: [app.env]\n    secrets: [cert, tok]\n    environment: {T: "${TOKEN}", V')
    files["stack.yml"] = text + "secrets: {cert: {file: cert.pem}, tok: {environment: TOKEN}}\n"
    repo.commit(files)
    terminal.run("gitops", "add", "s", "--repo", "repo", "--interval", "0", "--age-key", str(KEYS))
    inside = terminal.out("container", "exec", "s-web-1", "sh", "-c", "echo $PASSWORD $T; cat /run/secrets/cert /run/secrets/tok")
    assert inside.split() == ["first-hidden-word", "third-hidden-word", "second-hidden-word", "third-hidden-word"]
    terminal.kill_daemon()
    terminal.run("gitops", "sync", "s")
    assert version(terminal) == "1"
    repo.commit({"app.env": pyrage.encrypt(b"EXTRA=fourth-hidden-word\n", [recipient])})
    terminal.run("gitops", "sync", "s")
    told = terminal.out("-p", "s", "diff") + terminal.out("-p", "s", "history") + terminal.out("gitops", "history", "s", "--changes")
    assert "EXTRA" in told
    assert "hidden-word" not in told
    for path in terminal.layout.root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert b"hidden-word" not in path.read_bytes(), path
    assert "hidden-word" not in (terminal.layout.run / "daemon.log").read_text()


def test_a_stack_that_was_taken_down_comes_back(terminal: Terminal, repo: Repository) -> None:
    repo.commit({"stack.yml": stack(1)})
    terminal.run("gitops", "add", "s", "--repo", "repo", "--interval", "1s")
    terminal.run("-p", "s", "down", "-t", "0")
    until(lambda: version(terminal) == "1", 20)


def test_kill_9_at_any_moment_of_a_sync(terminal: Terminal, repo: Repository) -> None:
    seed = int(os.environ.get("COMPOSER_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
    moments = random.Random(seed)
    repo.commit({"stack.yml": stack(0), "conf/a": "0"})
    mount = '  side: {image: bb, command: [idle], stop_signal: SIGKILL, volumes: ["./conf:/conf"]}\n'
    terminal.run("gitops", "add", "s", "--repo", "repo", "--interval", "0")
    data = terminal.inspect("s-db-1")["Mounts"][0]["Source"]
    Path(data, "kept").write_text("yes")
    for number in range(1, KILLS + 1):
        bad = number % 3 == 0
        text = stack(number, check="false" if bad else "true", extra=mount)
        repo.commit({"stack.yml": text, "conf/a": str(number), f"pad{number}": os.urandom(200_000)})
        going = terminal.begin("gitops", "sync", "s")
        time.sleep(moments.uniform(0, 2.5))
        terminal.kill_daemon()
        going.communicate(timeout=30)
        terminal.run("gitops", "sync", "s", exit=1 if bad else 0)
        wanted = number - 1 if bad else number
        assert version(terminal) == str(wanted), f"seed {seed}, kill {number}: {terminal.out('gitops', 'status', 's')}"
        if wanted:
            assert terminal.out("container", "exec", "s-side-1", "cat", "/conf/a") == str(wanted)
        assert Path(data, "kept").read_text() == "yes"
    names = set(terminal.containers())
    assert names == {"s-web-1", "s-db-1", "s-side-1"}, f"seed {seed}"
    mirror = terminal.layout.root / "gitops" / "s" / "mirror.git"
    done = subprocess.run(
        [shutil.which("git") or "git", "fsck", "--strict"], cwd=mirror, capture_output=True, text=True, timeout=60, check=False
    )
    assert not done.returncode, done.stderr
    assert not list(mirror.rglob("tmp_*"))
