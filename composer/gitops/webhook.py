"""Webhooks of GitHub, GitLab, Gitea and Forgejo: whether one is genuine, and whether it is about the ref that is followed.

A hook only makes us look at the remote sooner; nothing that it says is believed. Its whole body is signed with a shared secret:
GitHub ``X-Hub-Signature-256: sha256=HEX``; Gitea ``X-Gitea-Signature: HEX``, Forgejo ``X-Forgejo-Signature: HEX``; GitLab sends the secret
itself (``X-Gitlab-Token``), newer ones sign as Standard Webhooks do (``webhook-id``, ``webhook-timestamp``, ``webhook-signature``).
Source: the services' documentation of webhooks; standardwebhooks.com.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from composer.engine.errors import EngineError

BODY_MAX = 5 << 20  # bytes
_TOLERANCE = 300.0  # seconds between the sender's clock and ours
_EVENTS = ("x-github-event", "x-gitea-event", "x-forgejo-event", "x-gitlab-event", "x-gogs-event")
_PUSHES = ("push", "push hook", "tag push hook", "create", "system hook")


class HookRefused(EngineError):
    """A hook that is not genuine. The reason is not told to the sender in detail."""

    code = "gitops.hook-refused"
    status = 401


class HookTooLarge(EngineError):
    code = "gitops.hook-too-large"
    status = 413


class HookTooMany(EngineError):
    """More hooks than are taken; ``seconds``: try again then."""

    code = "gitops.hook-too-many"
    status = 429


@dataclass(frozen=True, slots=True)
class Verdict:
    """``looks``: the remote is looked at because of it; ``text``: what the sender is told."""

    looks: bool
    text: str


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> None:
    """``headers``: names in lower case. HookRefused: no way of signing fits. All comparisons take the same time whatever they compare."""
    key = secret.encode()
    if "x-forgejo-signature" in headers or "x-gitea-signature" in headers:
        given = headers.get("x-forgejo-signature") or headers.get("x-gitea-signature", "")
        good = _same(given, _hex(key, body))
    elif "x-hub-signature-256" in headers:
        given = headers["x-hub-signature-256"]
        good = given.startswith("sha256=") and _same(given[7:], _hex(key, body))
    elif "webhook-signature" in headers:
        good = _standard(headers, body, secret, now)
    elif "x-gitlab-token" in headers:
        good = _same(headers["x-gitlab-token"], secret)
    else:
        raise HookRefused("the webhook is not signed", hint="give the service the secret, too: composer gitops add --webhook")
    if not good:
        raise HookRefused("the webhook's signature does not fit", hint="is it the secret that composer gitops add showed?")


def _hex(key: bytes, body: bytes) -> str:
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.strip().encode("utf-8", "replace"), wanted.encode())


def _standard(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """``v1,BASE64`` of id.timestamp.body, several separated by spaces; the secret may be written whsec_BASE64."""
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs(now - int(stamp)) > _TOLERANCE:
        return False
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            return False
    signed = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    found = [part.removeprefix("v1,") for part in headers["webhook-signature"].split() if part.startswith("v1,")]
    return sum(_same(part, wanted) for part in found) > 0  # each is compared


def about(headers: Mapping[str, str], body: bytes, ref: str) -> Verdict:
    """What to do with a genuine hook: a push to another ref and a ping are answered, and nothing else."""
    event = next((headers[name].lower() for name in _EVENTS if name in headers), "push")
    if event == "ping":
        return Verdict(False, "pong")
    if event not in _PUSHES:
        return Verdict(False, f"event '{event}' is not about commits")
    pushed = _ref(body)
    if pushed and not _names(pushed, ref):
        return Verdict(False, f"{pushed[:200]} is not followed")
    return Verdict(True, "looking")


def _ref(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    ref = found.get("ref") if isinstance(found, dict) else None
    return ref if isinstance(ref, str) and ref.startswith("refs/") else ""


def _names(pushed: str, ref: str) -> bool:
    """HEAD and a commit can be reached by any push."""
    if ref == "HEAD" or len(ref) in (40, 64):
        return True
    return pushed in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}")


class Rate:
    """A bucket of ``burst`` tokens for each key, filled again with ``rate`` a second. Keys are bounded: the oldest are forgotten."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float], most: int = 1024) -> None:
        self._rate, self._burst, self._clock, self._most = rate, burst, clock, most
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> None:
        """HookTooMany: the bucket is empty."""
        now = self._clock()
        tokens, then = self._buckets.pop(key, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - then) * self._rate)
        allowed = tokens >= 1.0
        self._buckets[key] = (tokens - 1.0 if allowed else tokens, now)
        while len(self._buckets) > self._most:
            del self._buckets[next(iter(self._buckets))]
        if not allowed:
            raise HookTooMany("too many webhooks", hint=f"try again in {max(1, round((1.0 - tokens) / self._rate))} s")
