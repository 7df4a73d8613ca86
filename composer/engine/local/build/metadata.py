"""The instructions that change only the configuration: a table keyword -> function. Pure.

Source: Dockerfile reference, a section each.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

from composer.engine.local.build.dockerfile import Instruction
from composer.engine.local.build.draft import Draft
from composer.engine.local.build.problem import BuildProblem
from composer.engine.local.build.words import expand, expand_words, split

Values = Mapping[str, str]
_PORT = re.compile(r"(\d+)(?:-(\d+))?(?:/(tcp|udp|sctp))?$", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}


def pairs(item: Instruction, values: Values, escape: str) -> dict[str, str]:
    """The NAME=value pairs of ENV and LABEL, expanded; also the old form ``ENV NAME all the rest``."""
    words = split(item.text, escape)
    if "=" not in words[0]:
        name, _, rest = item.text.strip().partition(" ")
        if not rest.strip():
            raise BuildProblem(f"{item.keyword} must have two arguments", hint=f"write {item.keyword} {name}=VALUE")
        return {expand(name, values, escape): expand(rest.strip(), values, escape)}
    out: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise BuildProblem(f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value')
        if not name:
            raise BuildProblem(f"{item.keyword} names can not be blank")
        out[expand(name, values, escape)] = expand(value, values, escape)
    return out


def env(draft: Draft, item: Instruction, values: Values, escape: str) -> None:
    draft.config["Env"] = [f"{k}={v}" for k, v in {**draft.environment(), **pairs(item, values, escape)}.items()]


def label(draft: Draft, item: Instruction, values: Values, escape: str) -> None:
    draft.config["Labels"] = {**(draft.config.get("Labels") or {}), **pairs(item, values, escape)}


def maintainer(draft: Draft, item: Instruction, values: Values, escape: str) -> None:
    draft.author = item.text


def command_line(draft: Draft, item: Instruction) -> list[str]:
    """The words of CMD, ENTRYPOINT or RUN: the exec form as it is, the shell form behind the shell."""
    return list(item.words) if item.words is not None else [*draft.shell, item.text]


def cmd(draft: Draft, item: Instruction, values: Values, escape: str) -> None:
    draft.config["Cmd"] = command_line(draft, item)
    draft.cmd_here = True


def entrypoint(draft: Draft, item: Instruction, values: Values, escape: str) -> None:
    draft.config["Entrypoint"] = command_line(draft, item)
    if not draft.cmd_here:
        draft.config.pop("Cmd", None)


def expose(draft: Draft, item: Instruction, values: Values, escape: str) -> None:
    ports = dict(draft.config.get("ExposedPorts") or {})
    for word in expand_words(item.text, values, escape):
        match = _PORT.match(word)
        if not match or int(match[1]) > 65535 or int(match[2] or 0) > 65535:
            raise BuildProblem(f"invalid containerPort: {word}", hint="EXPOSE takes PORT, PORT/udp or FIRST-LAST")
        for port in range(int(match[1]), int(match[2] or match[1]) + 1):
            ports[f"{port}/{(match[3] or 'tcp').lower()}"] = {}
    draft.config["ExposedPorts"] = ports


def volume(draft: Draft, item: Instruction, values: Values, escape: str) -> None:
    words = [expand(w, values, escape) for w in item.words] if item.words is not None else expand_words(item.text, values, escape)
    if not all(words):
        raise BuildProblem("VOLUME specified can not be an empty string")
    draft.config["Volumes"] = {**(draft.config.get("Volumes") or {}), **{word: {} for word in words}}


def user(draft: Draft, item: Instruction, values: Values, escape: str) -> None:
    draft.config["User"] = expand(item.text, values, escape)


def workdir(draft: Draft, item: Instruction, values: Values, escape: str) -> None:
    draft.config["WorkingDir"] = posixpath.normpath(posixpath.join(draft.workdir, expand(item.text, values, escape)))


def stopsignal(draft: Draft, item: Instruction, values: Values, escape: str) -> None:
    draft.config["StopSignal"] = expand(item.text, values, escape)


def shell(draft: Draft, item: Instruction, values: Values, escape: str) -> None:
    if not item.words:
        raise BuildProblem("SHELL requires the arguments to be in JSON form", hint='SHELL ["/bin/bash", "-c"]')
    draft.config["Shell"] = list(item.words)


def onbuild(draft: Draft, item: Instruction, values: Values, escape: str) -> None:
    trigger = item.text.split(None, 1)[0].upper()
    if trigger in ("ONBUILD", "FROM", "MAINTAINER"):
        raise BuildProblem(f"{trigger} isn't allowed as an ONBUILD trigger")
    draft.config["OnBuild"] = [*(draft.config.get("OnBuild") or []), item.text]


def healthcheck(draft: Draft, item: Instruction, values: Values, escape: str) -> None:
    kind, _, rest = item.text.partition(" ")
    if kind.upper() == "NONE":
        if rest.strip() or item.flags:
            raise BuildProblem("HEALTHCHECK NONE takes no arguments")
        draft.config["Healthcheck"] = {"Test": ["NONE"]}
        return
    if kind.upper() != "CMD" or not rest.strip():
        raise BuildProblem(f"Unknown type {kind!r} in HEALTHCHECK", hint="HEALTHCHECK CMD command, or HEALTHCHECK NONE")
    check: dict[str, Any] = {"Test": _test(rest.strip())}
    for flag, key in (
        ("interval", "Interval"),
        ("timeout", "Timeout"),
        ("start-period", "StartPeriod"),
        ("start-interval", "StartInterval"),
    ):
        if item.flag(flag):
            check[key] = duration(item.flag(flag))
    if item.flag("retries"):
        if not item.flag("retries").isdigit():
            raise BuildProblem(f"--retries must be a whole number, not {item.flag('retries')!r}")
        check["Retries"] = int(item.flag("retries"))
    draft.config["Healthcheck"] = check


def _test(text: str) -> list[str]:
    if text.startswith("["):
        try:
            words = json.loads(text)
        except ValueError:
            return ["CMD-SHELL", text]
        if isinstance(words, list) and all(isinstance(w, str) for w in words):
            return ["CMD", *words]
    return ["CMD-SHELL", text]


def duration(text: str) -> int:
    """Go's duration ("1m30s") in nanoseconds."""
    total, at = 0.0, 0
    while at < len(text):
        match = _DURATION.match(text, at)
        if not match:
            raise BuildProblem(f"invalid duration {text!r}", hint="as in 30s, 1m30s or 500ms")
        total += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    return int(total)


METADATA: Mapping[str, Callable[[Draft, Instruction, Values, str], None]] = {
    "CMD": cmd,
    "ENTRYPOINT": entrypoint,
    "ENV": env,
    "EXPOSE": expose,
    "HEALTHCHECK": healthcheck,
    "LABEL": label,
    "MAINTAINER": maintainer,
    "ONBUILD": onbuild,
    "SHELL": shell,
    "STOPSIGNAL": stopsignal,
    "USER": user,
    "VOLUME": volume,
    "WORKDIR": workdir,
}
