"""The short syntax of volumes: `[source:]target[:options]`, to long form.

A source that looks like a path (`.`, `/`, `~`, a Windows drive) is a bind mount, any other a named volume. Source: Compose Specification,
services, "volumes"; unknown options are ignored as docker compose ignores them.
"""

from __future__ import annotations

from typing import Any

_PROPAGATION = frozenset(("rprivate", "private", "rshared", "shared", "rslave", "slave"))


def parse_mount(text: str) -> dict[str, Any]:
    """The long form as plain values. ValueError in a user's words."""
    if not text:
        raise ValueError("invalid empty volume spec")
    if len(text) <= 2:
        return {"type": "volume", "target": text}
    parts = _split(text)
    if "" in parts:
        raise ValueError(f"invalid spec: {text}: empty section between colons")
    if len(parts) > 3:
        raise ValueError(f"invalid spec: {text}: too many colons")
    source, target = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    is_bind = is_path(source)
    mount: dict[str, Any] = {"type": "bind" if is_bind else "volume"}
    if source:
        mount["source"] = source
    mount["target"] = target
    own: dict[str, Any] = {"create_host_path": True} if is_bind else {}
    for option in parts[2].split(",") if len(parts) == 3 else ():
        _option(option, mount, own, is_bind)
    mount["bind" if is_bind else "volume"] = own
    return mount


def _option(option: str, mount: dict[str, Any], own: dict[str, Any], is_bind: bool) -> None:
    if option in ("ro", "rw"):
        mount.pop("read_only", None)
        if option == "ro":
            mount["read_only"] = True
    elif option == "nocopy":
        (mount.setdefault("volume", {}) if is_bind else own)["nocopy"] = True
    elif option in _PROPAGATION or option in ("z", "Z"):
        into = own if is_bind else mount.setdefault("bind", {})
        into["selinux" if option in ("z", "Z") else "propagation"] = option


def _split(text: str) -> list[str]:
    """At colons, but not at that of a Windows drive, nor inside of `${...}`."""
    parts, part, depth = [], "", 0
    for at, char in enumerate(text):
        if text.startswith("${", at):
            depth += 1
        elif char == "}" and depth:
            depth -= 1
        if char == ":" and not depth and not (len(part) == 1 and part.isalpha()):
            parts.append(part)
            part = ""
        else:
            part += char
    return [*parts, part]


def is_path(source: str) -> bool:
    """Does a source name a path of the host, rather than a volume?"""
    return source.startswith((".", "/", "~", "\\\\")) or (len(source) > 1 and source[0].isalpha() and source[1] == ":")
