"""Manifests, indexes and platforms."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from composer.engine.errors import InvalidArgument, NotFound, Unsupported
from composer.engine.local.image import manifest as manifests
from composer.engine.local.image.manifest import Descriptor, Index, Manifest, Platform
from composer.engine.local.image.record import parse_config

DIGEST = "sha256:" + "a" * 64
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(), lambda x: some.lists(x) | some.dictionaries(some.text(), x)
)


def entry(architecture: str, variant: str = "", os: str = "linux") -> Descriptor:
    platform = {"os": os, "architecture": architecture, "variant": variant}
    return Descriptor(manifests.OCI_MANIFEST, "sha256:" + format(abs(hash((architecture, variant, os))), "064x")[-64:], 1, platform)


def test_a_manifest_there_and_back() -> None:
    made = Manifest(Descriptor(manifests.OCI_CONFIG, DIGEST, 3), (Descriptor(manifests.OCI_LAYER, DIGEST, 5),))
    assert manifests.parse(made.to_bytes()) == made


def test_the_choice_by_platform() -> None:
    index = Index((entry("arm", "v6"), entry("arm", "v7"), entry("amd64"), entry("unknown", os="unknown"), entry("arm64", "v8")))
    for text, wanted in (("linux/amd64", "amd64"), ("linux/arm/v7", "arm"), ("linux/arm64", "arm64"), ("aarch64", "arm64")):
        assert manifests.choose(index, Platform.parse(text), "x").platform["architecture"] == wanted
    assert manifests.choose(index, Platform.parse("linux/arm/v7"), "x").platform["variant"] == "v7"
    with pytest.raises(NotFound, match="no matching manifest for linux/s390x in the manifest list entries"):
        manifests.choose(index, Platform.parse("linux/s390x"), "x")


@pytest.mark.parametrize("text", ["linux/amd64/v1/x", "linux//x", "a b"])
def test_what_is_no_platform(text: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid platform"):
        Platform.parse(text)


def test_what_is_refused() -> None:
    with pytest.raises(Unsupported, match="schema 1"):
        manifests.parse(b'{"schemaVersion": 1}')
    with pytest.raises(InvalidArgument, match="neither an image manifest nor an index"):
        manifests.parse(b"{}")
    with pytest.raises(InvalidArgument, match="invalid digest"):
        Descriptor.from_json({"digest": "sha256:../../etc/passwd", "size": 1})
    layers = [{"digest": DIGEST, "size": 1}] * 501
    with pytest.raises(Unsupported, match="501 layers"):
        manifests.parse(json.dumps({"config": {"digest": DIGEST, "size": 1}, "layers": layers}).encode())


@given(some.dictionaries(some.sampled_from(["manifests", "config", "layers", "mediaType", "schemaVersion"]), JSON))
def test_any_manifest(document: object) -> None:
    try:
        manifests.parse(json.dumps(document).encode())
    except (InvalidArgument, Unsupported):
        pass


@given(
    some.dictionaries(
        some.sampled_from(["rootfs", "config", "history"]), JSON | some.dictionaries(some.sampled_from(["diff_ids", "Cmd"]), JSON)
    )
)
def test_any_configuration(document: object) -> None:
    try:
        parse_config(json.dumps(document).encode())
    except InvalidArgument:
        pass
