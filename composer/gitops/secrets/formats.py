"""The four formats of SOPS files: into a document and its metadata, and back into plain text.

A document is made of dicts (in the file's order), lists and scalars. Source: the stores of github.com/getsops/sops.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from composer.errors import SpecError
from composer.gitops.errors import Undecryptable
from composer.spec.parse import parse
from composer.spec.problems import Problems
from composer.spec.scalars import Timestamp
from composer.spec.tree import Source, plain

_DOTENV = re.compile(rb"^sops_mac=", re.MULTILINE)
_LISTED = re.compile(r"(?P<name>\w+?)__list_(?P<index>\d+)__map_(?P<key>\w+)")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of an env file, without its #."""

    text: str


def kind_of(path: str, data: bytes) -> str:
    """yaml, json, dotenv or binary, by the metadata that is in it; "" without any."""
    if _DOTENV.search(data):
        return "dotenv"
    if data.lstrip()[:1] == b"{":
        try:
            found = json.loads(data)
        except ValueError:
            return ""
        if not isinstance(found, dict) or not isinstance(found.get("sops"), dict):
            return ""
        named = posixpath.splitext(path)[1].lower() in (".json", ".yaml", ".yml")
        return "binary" if set(found) == {"data", "sops"} and isinstance(found["data"], str) and not named else "json"
    return "yaml" if re.search(rb"^sops:", data, re.MULTILINE) else ""


def read(path: str, data: bytes, kind: str) -> tuple[Any, Mapping[str, Any]]:
    """The document without its metadata, and the metadata. Undecryptable: it cannot be read."""
    if kind == "dotenv":
        return _read_dotenv(data)
    document = _read_yaml(path, data) if kind == "yaml" else json.loads(data)
    metadata = document.pop("sops", None)
    if not isinstance(metadata, dict):
        raise Undecryptable(f"{path} has no metadata of SOPS")
    return document, metadata


def _read_yaml(path: str, data: bytes) -> dict[str, Any]:
    problems = Problems()
    try:
        nodes = parse(Source(path, path, data), problems)
        problems.raise_if_any()
    except SpecError as error:
        raise Undecryptable(f"{path} is no YAML: {error.message.splitlines()[0]}") from error
    if len(nodes) != 1:
        raise Undecryptable(f"{path} has {len(nodes)} YAML documents; one is supported")
    found = _plain(plain(nodes[0]))
    if not isinstance(found, dict):
        raise Undecryptable(f"{path} is no YAML mapping")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.text if isinstance(value, Timestamp) else value


def _read_dotenv(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    document: dict[str, Any] = {}
    flat: dict[str, str] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines()):
        if not line.strip():
            continue
        if line.startswith("#"):
            document[f"#{number}"] = Comment(line[1:])
            continue
        key, _, value = line.partition("=")
        value = value.replace("\\n", "\n")
        if key.startswith("sops_"):
            flat[key.removeprefix("sops_")] = value
        else:
            document[key] = value
    return document, _unflat(flat)


def _unflat(flat: Mapping[str, str]) -> dict[str, Any]:
    """``age__list_0__map_enc`` back into a list of mappings."""
    found: dict[str, Any] = {}
    for key, value in flat.items():
        listed = _LISTED.fullmatch(key)
        if listed is None:
            found[key] = value
            continue
        items = found.setdefault(listed["name"], {})
        items.setdefault(int(listed["index"]), {})[listed["key"]] = value
    return {key: [value[index] for index in sorted(value)] if isinstance(value, dict) else value for key, value in found.items()}


def write(document: Any, kind: str) -> bytes:
    """The plain file."""
    if kind == "binary":
        data = document["data"]
        return data if isinstance(data, bytes) else str(data).encode()
    if kind == "json":
        return json.dumps(document, indent="\t", ensure_ascii=False).encode()
    if kind == "dotenv":
        lines = [f"#{value.text}" if isinstance(value, Comment) else f"{key}={_line(value)}" for key, value in document.items()]
        return "".join(f"{line}\n" for line in lines).encode()
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1 << 20)
    return text.encode()


def _line(value: Any) -> str:
    return str(value).replace("\n", "\\n")
