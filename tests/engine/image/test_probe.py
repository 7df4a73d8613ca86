"""A registry is asked whether it has an image: what each of its answers means."""

from __future__ import annotations

import asyncio
import socket

from composer.engine.local.image.probe import probe
from composer.engine.model.facts import ImageFact
from tests.fixtures.loopback import Quiet, serving

ANSWERS = {"/v2/a/there/manifests/1": 200, "/v2/a/closed/manifests/1": 401, "/v2/a/denied/manifests/1": 403, "/v2/a/ill/manifests/1": 418}


class Handler(Quiet):
    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/v2/" else ANSWERS.get(self.path, 404))
        self.end_headers()

    do_GET = do_HEAD


def ask(*names: str, patience: float = 10.0) -> dict[str, ImageFact]:
    return asyncio.run(probe([(name, "") for name in names], patience))


def test_each_answer_is_told_apart() -> None:
    with serving(Handler) as address:
        found = ask(*(f"{address}/a/{name}:1" for name in ("there", "gone", "closed", "denied", "ill")))
    kinds = {name.rpartition("/")[2]: fact for name, fact in found.items()}
    assert {name: fact.kind for name, fact in kinds.items()} == {
        "there:1": "found",
        "gone:1": "absent",
        "closed:1": "denied",
        "denied:1": "denied",
        "ill:1": "slow",
    }
    assert kinds["gone:1"].reason == f"manifest for {address}/a/gone:1 not found: manifest unknown: manifest unknown"
    assert kinds["closed:1"].reason.startswith(f"pull access denied for {address}/a/closed, repository does not exist or may require")


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        name = f"127.0.0.1:{free.getsockname()[1]}/x:1"
        fact = ask(name)[name]
    assert fact.kind == "unreachable"
    assert "connect: connection refused" in fact.reason


def test_who_is_slow_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        name = f"127.0.0.1:{deaf.getsockname()[1]}/x:1"
        fact = ask(name, patience=0.2)[name]
    assert fact.kind == "slow"
    assert "timed out" in fact.reason


def test_what_is_no_name() -> None:
    assert ask("a/UPPER")["a/UPPER"].kind == "absent"
