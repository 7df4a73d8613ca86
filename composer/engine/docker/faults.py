"""From an HTTP status and Docker's error body back to the kind of error; an error of composer's daemon says its kind itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from composer.engine import errors
from composer.engine.errors import EngineError

_BY_CODE: Mapping[str, type[EngineError]] = {
    kind.code: kind
    for kind in (
        errors.NotFound,
        errors.Conflict,
        errors.NotRunning,
        errors.InvalidArgument,
        errors.Unauthorized,
        errors.Unavailable,
        errors.Unsupported,
        errors.CommandNotFound,
        errors.CommandNotExecutable,
    )
}
_BY_STATUS: Mapping[int, type[EngineError]] = {
    400: errors.InvalidArgument,
    401: errors.Unauthorized,
    403: errors.Conflict,
    404: errors.NotFound,
    405: errors.Unsupported,
    409: errors.Conflict,
    501: errors.Unsupported,
    503: errors.Unavailable,
}
_RUNTIME = "unable to start container process"  # runc's words, which dockerd passes on, then the reason
_MISSING = ("executable file not found", "no such file or directory")
_DENIED = ("permission denied", "is a directory")


def fault(status: int, body: bytes) -> EngineError:
    """The error that a response of this status stands for."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        found = {}
    said = found if isinstance(found, Mapping) else {}
    message = str(said.get("message") or body.decode(errors="replace").strip() or f"HTTP status {status}")
    return of(message, status, said)


def of(message: str, status: int, said: Mapping[str, Any]) -> EngineError:
    """``said``: the fields of composer's own error (code, hint), when they are there."""
    hint = str(said["hint"]) if said.get("hint") else None
    code = str(said.get("code") or "")
    if code in _BY_CODE:
        return _BY_CODE[code](message, hint=hint)
    kind = _BY_STATUS.get(status, EngineError)
    if _RUNTIME in message:
        if any(words in message for words in _MISSING):
            kind = errors.CommandNotFound
        elif any(words in message for words in _DENIED):
            kind = errors.CommandNotExecutable
    elif kind is errors.Conflict and "is not running" in message:
        kind = errors.NotRunning
    return kind(message, hint=hint, code=code or None)
