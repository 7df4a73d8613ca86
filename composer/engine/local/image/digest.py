"""Digests: "sha256:" and 64 hexadecimal digits, the name of content by its content (OCI image specification, "Descriptors"). Pure."""

from __future__ import annotations

import hashlib
import re

from composer.engine.errors import InvalidArgument

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


def of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def check(text: object) -> str:
    """``text`` when it is a digest that this engine can verify; InvalidArgument otherwise."""
    if not isinstance(text, str) or not _DIGEST.match(text):
        raise InvalidArgument(f"invalid digest {str(text)[:100]!r}: sha256 with 64 hexadecimal digits is expected")
    return text


def hexadecimal(digest: str) -> str:
    """The digits alone: what the file is called. Checked, as a digest may come from a manifest and end in a path."""
    return check(digest)[7:]


def chain(diff_ids: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """The chain id of each layer: of it together with all beneath (OCI image specification, "Layer ChainID")."""
    found: list[str] = []
    for diff_id in diff_ids:
        found.append(check(diff_id) if not found else of(f"{found[-1]} {check(diff_id)}".encode()))
    return tuple(found)
