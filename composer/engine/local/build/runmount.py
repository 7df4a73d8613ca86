"""RUN --mount: parsing. Pure. Source: Dockerfile reference, "RUN --mount"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from composer.engine.local.build.dockerfile import Instruction
from composer.engine.local.build.problem import BuildProblem
from composer.engine.local.build.words import expand

KINDS = ("bind", "cache", "tmpfs", "secret", "ssh")
_KEYS = {
    "bind": {"source", "src", "target", "dst", "destination", "from", "rw", "readwrite", "ro", "readonly"},
    "cache": {"id", "source", "target", "dst", "destination", "from", "sharing", "mode", "uid", "gid", "ro", "readonly", "rw"},
    "tmpfs": {"target", "dst", "destination", "size"},
    "secret": {"id", "target", "dst", "destination", "source", "src", "required", "mode", "uid", "gid", "env"},
}
_SIZE = re.compile(r"(\d+)([kmgt]?)b?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RunMount:
    """One mount of a RUN. ``origin``: the stage, context or image that ``from`` names, "" = the build context."""

    kind: str
    target: str = ""
    source: str = ""
    origin: str = ""
    writable: bool = False
    id: str = ""
    env: str = ""
    required: bool = False
    mode: int | None = None
    uid: int = 0
    gid: int = 0
    size: int = 0
    sharing: str = "shared"


def read_mounts(item: Instruction, values: Mapping[str, str], escape: str) -> list[RunMount]:
    """Raises BuildProblem for what does not fit; ssh is refused by name."""
    return [_mount(text, values, escape) for text in item.all("mount")]


def _mount(text: str, values: Mapping[str, str], escape: str) -> RunMount:
    fields: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        fields[key.strip().lower()] = expand(value, values, escape) if equals else "true"
    kind = fields.pop("type", "bind")
    if kind == "ssh":
        raise BuildProblem("RUN --mount=type=ssh is not there yet in this builder", hint="pass a key by --mount=type=secret")
    if kind not in _KEYS:
        raise BuildProblem(f"unsupported mount type {kind!r}", hint=f"known: {', '.join(KINDS)}")
    unknown = set(fields) - _KEYS[kind]
    if unknown:
        raise BuildProblem(
            f"unexpected key {sorted(unknown)[0]!r} in --mount={text}", hint=f"{kind} takes {', '.join(sorted(_KEYS[kind]))}"
        )
    return _built(kind, fields, text)


def _first(fields: Mapping[str, str], *names: str) -> str:
    return next((fields[name] for name in names if name in fields), "")


def _built(kind: str, fields: Mapping[str, str], text: str) -> RunMount:
    target = _first(fields, "target", "dst", "destination")
    source = _first(fields, "source", "src")
    name = fields.get("id", "")
    if kind == "secret":
        name = name or source or target.rpartition("/")[2]
        if not name:
            raise BuildProblem(f"--mount={text}: a secret needs an id")
    elif not target:
        raise BuildProblem(f"--mount={text}: a target is required")
    true = [key for key in ("rw", "readwrite") if fields.get(key, "false") != "false"]
    return RunMount(
        kind=kind,
        target=target,
        source=source,
        origin=fields.get("from", ""),
        writable=bool(true) or (kind == "cache" and not {"ro", "readonly"} & set(fields)),
        id=name or (target if kind == "cache" else ""),
        env=fields.get("env", ""),
        required=fields.get("required", "false") != "false",
        mode=_octal(fields["mode"], text) if "mode" in fields else None,
        uid=_whole(fields.get("uid", "0"), text),
        gid=_whole(fields.get("gid", "0"), text),
        size=_size(fields["size"], text) if "size" in fields else 0,
        sharing=fields.get("sharing", "shared"),
    )


def _octal(value: str, text: str) -> int:
    try:
        return int(value, 8)
    except ValueError as error:
        raise BuildProblem(f"--mount={text}: mode {value!r} is not octal") from error


def _whole(value: str, text: str) -> int:
    if not value.isdigit():
        raise BuildProblem(f"--mount={text}: {value!r} is not a whole number")
    return int(value)


def _size(value: str, text: str) -> int:
    match = _SIZE.match(value)
    if not match:
        raise BuildProblem(f"--mount={text}: {value!r} is not a size")
    return int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[match[2].lower()]
