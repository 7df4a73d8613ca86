"""`config --resolve-image-digests` and `--lock-image-digests`: the daemon asks a registry, here one that answers on loopback."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from composer.engine.local.layout import Layout
from tests.cli.shell import shell
from tests.fixtures.loopback import Quiet, serving

pytestmark = pytest.mark.root
KIND = "application/vnd.oci.image.index.v1+json"
INDEX = json.dumps({"schemaVersion": 2, "mediaType": KIND, "manifests": []}).encode()
DIGEST = f"sha256:{hashlib.sha256(INDEX).hexdigest()}"


class Handler(Quiet):
    def do_GET(self) -> None:
        there = self.path in ("/v2/", "/v2/app/manifests/1")
        body = INDEX if self.path != "/v2/" else b"{}"
        self.send_response(200 if there else 404)
        self.send_header("Content-Type", KIND)
        self.send_header("Content-Length", str(len(body) if there else 0))
        self.end_headers()
        self.wfile.write(body if there else b"")


def test_digests_come_from_the_registry(place: Layout, no_leaks: None, tmp_path: Path) -> None:
    with serving(Handler) as address, shell(place, tmp_path) as here:
        text = f"services: {{a: {{image: '{address}/app:1', command: echo $$X}}, b: {{build: .}}}}"
        image = f"{address}/app:1@{DIGEST}"
        done = json.loads(here.out("-f", "-", "config", "--resolve-image-digests", "--format", "json", stdin=text.encode()))
        assert done["services"]["a"]["image"] == image
        assert done["services"]["a"]["command"] == ["echo", "$$X"]
        here.run("-f", "-", "config", "--lock-image-digests", "-o", "lock.yaml", stdin=text.encode())
        assert (tmp_path / "lock.yaml").read_text() == f"services:\n  a:\n    image: {image}\n  b: {{}}\n"
        wrong = text.replace("app:1", "app:2")
        said = here.run("-f", "-", "config", "--resolve-image-digests", stdin=wrong.encode(), code=1).stderr
        assert said.startswith(f"Error: failed to resolve digest for {address}/app:2: manifest for {address}/app:2 not found")
