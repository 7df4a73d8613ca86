"""The `project` of a request: the client's files, directory and environment as JSON; and what is kept of it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from composer.engine.errors import InvalidArgument

_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_ALWAYS = frozenset({"HOME", "PWD"})
Unseal = Callable[[str], bytes]  # what a daemon sealed for itself -> its bytes


def content_bytes(item: Mapping[str, Any], unseal: Unseal | None = None) -> bytes | None:
    """The bytes of one of the contents; None when it is missing or a directory. Raises InvalidArgument."""
    if isinstance(item.get("sealed"), str) and unseal is not None:
        return unseal(item["sealed"])
    if isinstance(item.get("text"), str):
        return str(item["text"]).encode("utf-8", "surrogateescape")
    if isinstance(item.get("base64"), str):
        try:
            return base64.b64decode(item["base64"], validate=True)
        except binascii.Error as error:
            raise InvalidArgument(f"a file's content is no base64: {error}") from error
    if item.get("missing") or item.get("directory") or item.get("problem"):
        return None
    raise InvalidArgument("a file's content must be text, base64, missing, directory or problem")


def words_of(project: Mapping[str, Any], unseal: Unseal | None = None) -> frozenset[str]:
    """Every word in the files: a variable that is not among them cannot matter to the stack."""
    found: set[bytes] = set()
    for item in project.get("contents", {}).values():
        data = content_bytes(item, unseal)
        if data is not None and len(data) < 1 << 20:
            found.update(_WORD.findall(data))
    return frozenset(word.decode() for word in found)


def without_strangers(project: Mapping[str, Any], words: frozenset[str]) -> dict[str, Any]:
    """The project with only those variables of the environment that can matter."""
    environment = project.get("environment") or {}
    kept = {name: value for name, value in environment.items() if name in words or name in _ALWAYS or name.startswith("COMPOSE_")}
    return {**project, "environment": kept}


def hash_of(project: Mapping[str, Any]) -> str:
    """Equal for equal projects."""
    return hashlib.sha256(json.dumps(project, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogatepass")).hexdigest()
