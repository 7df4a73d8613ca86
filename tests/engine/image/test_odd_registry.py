"""Registries that break off, lie, or ask for tokens: a tiny one of our own that does so on purpose."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from composer.engine.errors import EngineError, InvalidArgument, NotFound, Unauthorized, Unavailable
from composer.engine.model import RegistryAuth
from tests.fixtures.busybox import LayerTar, TestImage, busybox_archive
from tests.fixtures.images import image_room, said
from tests.fixtures.loopback import Quiet, serving

pytestmark = pytest.mark.root


class OddRegistry:
    """One image, a/b:1, with one layer. ``answer`` may take a request over: it returns True when it has answered."""

    def __init__(self) -> None:
        layer = LayerTar()
        layer.add("noise", os.urandom(2_000_000))
        self.layer = layer.done()
        self.config = TestImage("", {"Cmd": ["sh"]}, [self.layer]).config_json()
        self.manifest = json.dumps(
            {"schemaVersion": 2, "config": _described("config", self.config), "layers": [_described("layer.v1.tar", self.layer)]}
        ).encode()
        self.seen: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.answer: Callable[[Handler, str], bool] = lambda handler, path: False
        self.address = ""

    def content(self, path: str) -> bytes | None:
        blobs = {_digest(data): data for data in (self.layer, self.config, self.manifest)}
        name = path.rpartition("/")[2]
        return self.manifest if name == "1" else blobs.get(name)


class Handler(Quiet):
    registry: OddRegistry

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        kind = path.split("/")[-2] if "/" in path else ""
        self.registry.seen[kind] += 1
        if self.headers.get("Range"):
            self.registry.ranges.append(self.headers["Range"])
        if self.registry.answer(self, path):
            return
        content = self.registry.content(path)
        if content is None:
            self.reply(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
            return
        start = int(self.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
        more = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        self.reply(206 if start else 200, content[start:], **more)

    do_HEAD = do_POST = do_PUT = do_GET

    def reply(self, status: int, body: bytes, *, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _described(kind: str, data: bytes) -> dict[str, object]:
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": _digest(data), "size": len(data)}


@pytest.fixture
def registry() -> Iterator[OddRegistry]:
    made = OddRegistry()
    with serving(type("Bound", (Handler,), {"registry": made})) as made.address:
        yield made


def pull(tmp_path: Path, registry: OddRegistry, *, tag: str = "1", auth: RegistryAuth | None = None) -> list[str]:
    async def run() -> list[str]:
        async with image_room(tmp_path) as room:
            try:
                told = await said(room.images.pull(f"{registry.address}/a/b:{tag}", auth=auth))
                (path,) = room.images.layers.paths(room.images.store.resolve(f"{registry.address}/a/b:{tag}"))
                assert (path / "noise").stat().st_size == 2_000_000
                return told
            finally:
                assert os.listdir(room.layout.temporary) == []

    return asyncio.run(run())


def broken_once(registry: OddRegistry, after: int, *, ranges: bool = True) -> None:
    """The layer's connection breaks after ``after`` bytes, the first two times."""
    left = [2]

    def answer(handler: Handler, path: str) -> bool:
        if not path.endswith(_digest(registry.layer)):
            return False
        if not ranges and handler.headers.get("Range"):
            handler.reply(200, registry.layer)  # a server that does not know Range sends it all
            return True
        if left[0] == 0:
            return False
        left[0] -= 1
        start = int(handler.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
        more = {"Content_Range": f"bytes {start}-{len(registry.layer) - 1}/{len(registry.layer)}"} if start else {}
        handler.reply(206 if start else 200, registry.layer[start : start + after], length=len(registry.layer) - start, **more)
        handler.close_connection = True
        return True

    registry.answer = answer


def test_a_broken_download_is_resumed(tmp_path: Path, registry: OddRegistry) -> None:
    broken_once(registry, 700_000)
    pull(tmp_path, registry)
    assert len(registry.ranges) == 2
    assert all(0 < int(text[6:-1]) <= 1_400_000 for text in registry.ranges)


def test_a_server_without_ranges_starts_again(tmp_path: Path, registry: OddRegistry) -> None:
    broken_once(registry, 700_000, ranges=False)
    pull(tmp_path, registry)


def test_a_download_that_never_ends_whole_is_given_up(tmp_path: Path, registry: OddRegistry) -> None:
    def answer(handler: Handler, path: str) -> bool:
        if not path.endswith(_digest(registry.layer)):
            return False
        handler.reply(200, b"", length=len(registry.layer))
        handler.close_connection = True
        return True

    registry.answer = answer
    with pytest.raises(Unavailable):
        pull(tmp_path, registry)


@pytest.mark.parametrize("what", ["layer", "config", "manifest", "longer"])
def test_content_that_is_not_what_was_promised(tmp_path: Path, registry: OddRegistry, what: str) -> None:
    promised = {"layer": registry.layer, "longer": registry.layer, "config": registry.config, "manifest": registry.manifest}[what]

    def answer(handler: Handler, path: str) -> bool:
        if what == "manifest" and path.endswith("/1"):
            handler.reply(200, registry.manifest + b" ", Docker_Content_Digest=_digest(registry.manifest))
        elif what != "manifest" and path.endswith(_digest(promised)):
            handler.reply(200, promised + b"more" if what == "longer" else promised[:-1] + b"\xff")
        else:
            return False
        return True

    registry.answer = answer
    with pytest.raises(EngineError, match="verification failed for digest"):
        pull(tmp_path, registry)


def test_server_errors_are_tried_again(tmp_path: Path, registry: OddRegistry) -> None:
    failed: Counter[str] = Counter()

    def answer(handler: Handler, path: str) -> bool:
        failed[path] += 1
        if failed[path] > 1:
            return False
        handler.reply(503 if len(failed) % 2 else 429, b"busy", Retry_After="0")
        return True

    registry.answer = answer
    pull(tmp_path, registry)


def test_an_index_is_chosen_from_by_platform(tmp_path: Path, registry: OddRegistry) -> None:
    own = {**_described("manifest.v1+json", registry.manifest), "platform": {"os": "linux", "architecture": "amd64"}}
    other = {**own, "digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "s390x"}}
    index = json.dumps({"schemaVersion": 2, "manifests": [other, own]}).encode()

    def answer(handler: Handler, path: str) -> bool:
        if path.endswith("/multi"):
            handler.reply(200, index, Content_Type="application/vnd.oci.image.index.v1+json")
            return True
        return False

    registry.answer = answer
    assert f"Digest: {_digest(index)}" in pull(tmp_path / "one", registry, tag="multi")

    async def run() -> None:
        async with image_room(tmp_path / "two") as room:
            with pytest.raises(NotFound, match="no matching manifest for linux/arm64/v8"):
                await said(room.images.pull(f"{registry.address}/a/b:multi", platform="linux/arm64"))

    asyncio.run(run())


@pytest.mark.parametrize("good", [True, False])
def test_tokens(tmp_path: Path, registry: OddRegistry, good: bool) -> None:
    asked: list[dict[str, list[str]]] = []

    def answer(handler: Handler, path: str) -> bool:
        if path == "/token":
            asked.append(parse_qs(urlsplit(handler.path).query))
            known = handler.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:secret").decode()
            handler.reply(200 if known else 401, b'{"token": "abc", "expires_in": 300}' if known else b"{}")
            return True
        if path.startswith("/v2/a/b/") and handler.headers.get("Authorization") != "Bearer abc":
            handler.reply(
                401, b"", WWW_Authenticate=f'Bearer realm="http://{registry.address}/token",service="odd",scope="repository:a/b:pull"'
            )
            return True
        return False

    registry.answer = answer
    auth = RegistryAuth(username="me", password="secret" if good else "wrong")
    if good:
        pull(tmp_path, registry, auth=auth)
        assert asked[0] == {"service": ["odd"], "scope": ["repository:a/b:pull"]}
        assert len(asked) == 1, "one token serves the whole pull"
    else:
        with pytest.raises(NotFound, match=r"pull access denied for .*, repository does not exist or may require 'docker login'"):
            pull(tmp_path, registry, auth=auth)


def test_a_token_server_that_is_not_https_gets_no_password(tmp_path: Path, registry: OddRegistry) -> None:
    def answer(handler: Handler, path: str) -> bool:
        handler.reply(401, b"", WWW_Authenticate='Bearer realm="http://registry.example/token"')
        return True

    registry.answer = answer
    with pytest.raises(EngineError, match=r"not https|pull access denied"):
        pull(tmp_path, registry, auth=RegistryAuth(username="me", password="secret"))


@pytest.mark.parametrize(
    "manifest", [b"[]", b"{}", b'{"schemaVersion": 1}', b"<html>", b'{"layers": [], "config": {"digest": "md5:1", "size": 1}}']
)
def test_what_is_no_manifest(tmp_path: Path, registry: OddRegistry, manifest: bytes) -> None:
    registry.manifest = manifest
    with pytest.raises((InvalidArgument, EngineError), match=r"invalid|schema 1"):
        pull(tmp_path, registry)


def test_cancelling_a_pull_leaves_nothing(tmp_path: Path, registry: OddRegistry) -> None:
    reached, stop = threading.Event(), threading.Event()

    def answer(handler: Handler, path: str) -> bool:
        if not path.endswith(_digest(registry.layer)):
            return False
        handler.reply(200, registry.layer[:1_200_000], length=len(registry.layer))
        handler.wfile.flush()
        reached.set()
        stop.wait(20)
        return True

    async def run() -> None:
        async with image_room(tmp_path) as room:
            task = asyncio.ensure_future(said(room.images.pull(f"{registry.address}/a/b:1")))
            await asyncio.to_thread(reached.wait, 20)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert os.listdir(room.layout.temporary) == []
            assert room.images.store.all() == []

    registry.answer = answer
    try:
        asyncio.run(run())
    finally:
        stop.set()


def test_a_push_that_is_refused(tmp_path: Path, registry: OddRegistry) -> None:
    def answer(handler: Handler, path: str) -> bool:
        if handler.command == "HEAD":
            handler.reply(404, b"")
        elif handler.command == "POST":
            handler.reply(403, b'{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}')
        else:
            return False
        return True

    async def run() -> None:
        async with image_room(tmp_path) as room:
            await room.load(busybox_archive(f"{registry.address}/a/b:1"))
            with pytest.raises(Unauthorized, match="denied: requested access to the resource is denied"):
                await said(room.images.push(f"{registry.address}/a/b:1"))
            assert os.listdir(room.layout.temporary) == []

    registry.answer = answer
    asyncio.run(run())
