"""`config --resolve-image-digests`, `--lock-image-digests`: names and digests; the registry is asked elsewhere."""

from __future__ import annotations

import json

import pytest

from composer.spec.config import ConfigOptions, Output, config
from composer.spec.pin import full_name
from composer.spec.read import load_from_disk
from tests.spec.stacks import MISSING, request

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("me/app:2", "docker.io/me/app:2"),
        ("index.docker.io/me/app", "docker.io/me/app:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("host:5000/app", "host:5000/app:latest"),
        ("r.example/a/b:1", "r.example/a/b:1"),
        (f"busybox:1@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
    ],
)
def test_full_names(image: str, full: str) -> None:
    assert full_name(image) == full


def asked(text: str, **flags: object) -> Output:
    options = ConfigOptions(**flags)  # type: ignore[arg-type]
    done = load_from_disk(request({"stack.yml": text}), lambda one: config(one, options), lambda path: MISSING)
    assert isinstance(done, Output)
    return done


def test_digests_are_asked_for_and_put_in() -> None:
    text = f"services: {{a: {{image: busybox}}, b: {{image: 'busybox:latest'}}, c: {{build: .}}, d: {{image: 'x@{DIGEST}'}}}}"
    assert asked(text, resolve_image_digests=True).unpinned == ("docker.io/library/busybox:latest",)
    digests = {"docker.io/library/busybox:latest": DIGEST}
    done = json.loads(asked(text, resolve_image_digests=True, digests=digests, format="json").text)["services"]
    assert done["a"]["image"] == done["b"]["image"] == f"docker.io/library/busybox:latest@{DIGEST}"
    assert "image" not in done["c"]
    assert done["d"]["image"] == f"docker.io/library/x@{DIGEST}"
    locked = asked(text, lock_image_digests=True, digests=digests, services=("a", "c")).text
    assert locked == f"services:\n  a:\n    image: docker.io/library/busybox:latest@{DIGEST}\n  c: {{}}\n"
    assert asked(text, lock_image_digests=True, view="images").text.startswith("busybox\n")  # names are printed as they are written
