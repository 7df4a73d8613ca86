"""What is told to others, against a real HTTP server that writes it down: commit statuses, our own webhook, and the metrics."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from composer.gitops.follow import Wish
from tests.conftest import eventually, run
from tests.gitops.ground import daemon
from tests.gitops.play import stack
from tests.gitops.repository import Repository
from tests.gitops.servers import Threads

pytestmark = pytest.mark.slow


@dataclass
class Recorder:
    """``answers``: statuses to give, the last one again and again."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [201])
    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.calls]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    found = Recorder()

    class Here(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            return

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.calls.append((self.path, {key.lower(): value for key, value in self.headers.items()}, body))
            status = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = Threads(("127.0.0.1", 0), Here)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield found
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.mark.parametrize(
    ("kind", "base", "path", "header", "states"),
    [
        ("github", "", "/repos/me/app/statuses/{}", ("authorization", "Bearer abc-token"), ["pending", "success", "pending", "failure"]),
        (
            "gitea",
            "/api/v1",
            "/api/v1/repos/me/app/statuses/{}",
            ("authorization", "token abc-token"),
            ["pending", "success", "pending", "failure"],
        ),
        (
            "gitlab",
            "/api/v4",
            "/api/v4/projects/me%2Fapp/statuses/{}",
            ("private-token", "abc-token"),
            ["pending", "success", "pending", "failed"],
        ),
    ],
)
def test_commit_statuses(
    recorder: Recorder, tmp_path: Path, kind: str, base: str, path: str, header: tuple[str, str], states: list[str]
) -> None:
    repo = Repository.new(tmp_path / "repo")
    good = repo.commit({"stack.yml": stack(web=1)})
    (tmp_path / "token").write_text("abc-token\n")
    report = {"kind": kind, "url": recorder.url + base, "project": "me/app", "token_file": str(tmp_path / "token")}

    async def work() -> None:
        async with daemon(tmp_path / "daemon") as found:
            found.engine.healthy_at_once = True
            await found.fleet.add({"name": "s", "repo": repo.url, "interval": 0, "report": report})
            bad = repo.commit({"stack.yml": stack(web="fail")})
            await found.fleet.sync("s", Wish("by hand"))
            await eventually(lambda: len(recorder.calls) >= 4)
            assert [call[0] for call in recorder.calls] == [path.format(good)] * 2 + [path.format(bad)] * 2
            assert all(call[1][header[0]] == header[1] for call in recorder.calls)
            assert [body["state"] for body in recorder.bodies()] == states
            assert "exit code 3" in recorder.bodies()[3]["description"]
            assert {body.get("context") or body.get("name") for body in recorder.bodies()} == {"composer/s"}
            assert "abc-token" not in f"{found.log.lines} {found.status()}"

    run(work())


def test_our_own_webhook_is_signed_and_tried_again(recorder: Recorder, tmp_path: Path) -> None:
    recorder.answers = [503, 200]
    repo = Repository.new(tmp_path / "repo")
    repo.commit({"stack.yml": stack(web=1)})
    (tmp_path / "key").write_text("notify-key\n")

    async def work() -> None:
        async with daemon(tmp_path / "daemon") as found:
            found.engine.healthy_at_once = True
            wanted = {
                "name": "s",
                "repo": repo.url,
                "interval": 0,
                "notify": [f"{recorder.url}/x"],
                "notify_secret_file": str(tmp_path / "key"),
            }
            await found.fleet.add(wanted)
            await eventually(lambda: len(recorder.calls) >= 2)
            for _, headers, body in recorder.calls:
                assert headers["x-composer-signature-256"] == "sha256=" + hmac.new(b"notify-key", body, hashlib.sha256).hexdigest()
            assert recorder.bodies()[1]["kind"] == "synced"
            assert recorder.bodies()[1]["source"] == "s"

    run(work())


def test_a_server_that_refuses_holds_nothing_up(recorder: Recorder, tmp_path: Path) -> None:
    recorder.answers = [403]
    repo = Repository.new(tmp_path / "repo")
    repo.commit({"stack.yml": stack(web=1)})

    async def work() -> None:
        async with daemon(tmp_path / "daemon") as found:
            found.engine.healthy_at_once = True
            await found.fleet.add({"name": "s", "repo": repo.url, "interval": 0, "notify": [f"{recorder.url}/x", "http://127.0.0.1:1/y"]})
            assert found.status()["state"] == "synced"
            await eventually(lambda: any("could not be delivered" in event for event, _ in found.log.lines))
            assert len(recorder.calls) == 1

    run(work())


def test_metrics(tmp_path: Path) -> None:
    repo = Repository.new(tmp_path / "repo")
    repo.commit({"stack.yml": stack(web=1)})

    async def work() -> None:
        async with daemon(tmp_path / "daemon") as found:
            found.engine.healthy_at_once = True
            await found.fleet.add({"name": "s", "repo": repo.url, "interval": 0})
            repo.commit({"stack.yml": stack(web="fail")})
            await found.fleet.sync("s", Wish("by hand"))
            text = found.fleet.metrics.text().decode()
            for line in (
                'composer_gitops_source_ok{problem="",source="s"} 1.0',
                'composer_gitops_stack_healthy{phase="rolled back",source="s",stack="s"} 0.0',
                'composer_gitops_quarantined_commits{source="s",stack="s"} 1.0',
                'composer_gitops_events_total{kind="failed",source="s",stack="s"} 1.0',
                'composer_gitops_sync_seconds_count{source="s"} 1.0',
            ):
                assert line in text

    run(work())
