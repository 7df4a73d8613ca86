"""Webhooks: every service's way of signing, what is refused, and how many are taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from composer.gitops.webhook import HookRefused, HookTooMany, Rate, about, verify

SECRET, BODY, NOW = "s3cret-of-the-hook", b'{"ref": "refs/heads/main"}', 1_800_000_000.0
HEX = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
KEY = base64.b64encode(b"k" * 32).decode()


def standard(secret: bytes, *, at: float = NOW, ident: str = "msg_1", body: bytes = BODY) -> dict[str, str]:
    signed = f"{ident}.{int(at)}.".encode() + body
    text = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": ident, "webhook-timestamp": str(int(at)), "webhook-signature": f"v1,AAAA v1,{text}"}


@pytest.mark.parametrize(
    "headers",
    [
        {"x-hub-signature-256": f"sha256={HEX}"},
        {"x-gitea-signature": HEX, "x-hub-signature-256": f"sha256={HEX}"},
        {"x-forgejo-signature": HEX, "x-gitea-signature": HEX},
        {"x-gitlab-token": SECRET},
        standard(SECRET.encode()),
        standard(SECRET.encode(), at=NOW - 200),
    ],
)
def test_what_is_genuine(headers: dict[str, str]) -> None:
    verify(headers, BODY, SECRET, NOW)


def test_a_standard_webhook_with_a_key_in_base64() -> None:
    verify(standard(b"k" * 32), BODY, f"whsec_{KEY}", NOW)
    with pytest.raises(HookRefused):
        verify(standard(b"k" * 32), BODY, "whsec_!", NOW)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-hub-signature-256": HEX},
        {"x-hub-signature-256": f"sha256={HEX[:-1]}0"},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature": "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()},
        {"x-gitea-signature": HEX.upper()[:-2] + "zz"},
        {"x-forgejo-signature": "0" * 64, "x-hub-signature-256": f"sha256={HEX}"},
        {"x-gitlab-token": SECRET + "x"},
        {"x-gitlab-token": ""},
        standard(SECRET.encode(), at=NOW - 301),
        standard(SECRET.encode(), at=NOW + 301),
        standard(SECRET.encode(), body=b"other"),
        {**standard(SECRET.encode()), "webhook-id": "msg_2"},
        {**standard(SECRET.encode()), "webhook-timestamp": "soon"},
        {"x-hub-signature-256": "sha256=\xff\xff"},
    ],
)
def test_what_is_not(headers: dict[str, str]) -> None:
    with pytest.raises(HookRefused) as error:
        verify(headers, BODY, SECRET, NOW)
    assert SECRET not in error.value.message


@pytest.mark.parametrize(
    ("headers", "body", "ref", "looks"),
    [
        ({}, BODY, "main", True),
        ({"x-github-event": "push"}, BODY, "refs/heads/main", True),
        ({"x-github-event": "ping"}, BODY, "main", False),
        ({"x-github-event": "issues"}, BODY, "main", False),
        ({"x-gitlab-event": "Push Hook"}, BODY, "main", True),
        ({"x-gitea-event": "push"}, BODY, "other", False),
        ({"x-gitea-event": "push"}, b'{"ref": "refs/tags/v1"}', "v1", True),
        ({"x-gitea-event": "push"}, b"payload=x", "main", True),
        ({}, b"[" * 100, "main", True),
        ({}, BODY, "HEAD", True),
        ({}, BODY, "a" * 40, True),
    ],
)
def test_what_it_is_about(headers: dict[str, str], body: bytes, ref: str, looks: bool) -> None:
    assert about(headers, body, ref).looks is looks


def test_a_bucket_runs_dry_and_fills_again() -> None:
    now = 0.0
    rate = Rate(2.0, 3, lambda: now, most=2)
    for _ in range(3):
        rate.take("a")
    with pytest.raises(HookTooMany):
        rate.take("a")
    rate.take("b")
    now = 0.6
    rate.take("a")
    with pytest.raises(HookTooMany):
        rate.take("a")
    rate.take("c")
    assert len(rate._buckets) == 2


def test_a_payload_is_never_believed() -> None:
    """A body with deep nesting, or a ref that is no text, only makes us look."""
    for body in (b"{" * 5000, json.dumps({"ref": 5}).encode(), json.dumps({"ref": "x" * 10_000}).encode(), b"\xff"):
        assert about({}, body, "main").looks
