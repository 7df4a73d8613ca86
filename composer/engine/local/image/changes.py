"""Dockerfile instructions that change an image's configuration (`import --change`, `commit --change`). Pure.

Known: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR, as Docker takes them there.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from composer.engine.errors import InvalidArgument
from composer.engine.model import HealthConfig, ProcessConfig

_SHELL = ("/bin/sh", "-c")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(h|ms|us|ns|m|s))")


def apply(process: ProcessConfig, lines: Sequence[str]) -> ProcessConfig:
    """The configuration after the instructions, in turn. Raises InvalidArgument that names the line."""
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        change = _KNOWN.get(word.upper())
        if change is None:
            raise InvalidArgument(f"{word or line!r} is not a valid change command", hint=f"known: {', '.join(sorted(_KNOWN))}")
        if not rest.strip():
            raise InvalidArgument(f"{word.upper()} requires an argument")
        try:
            process = change(process, rest.strip())
        except ValueError as error:
            raise InvalidArgument(f"cannot read the change {line!r}: {error}") from error
    return process


def _command(rest: str, shell: Sequence[str]) -> tuple[str, ...]:
    if rest.startswith("["):
        try:
            words = json.loads(rest)
        except ValueError:
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return tuple(words)
    return (*shell, rest)


def _list(rest: str) -> tuple[str, ...]:
    return _command(rest, ()) if rest.startswith("[") else tuple(shlex.split(rest))


def _cmd(process: ProcessConfig, rest: str) -> ProcessConfig:
    return process.replace(cmd=_command(rest, process.shell or _SHELL))


def _entrypoint(process: ProcessConfig, rest: str) -> ProcessConfig:
    return process.replace(entrypoint=_command(rest, process.shell or _SHELL))


def _pairs(rest: str) -> dict[str, str]:
    """``A=1 B="two words"``, or the old form ``A the whole rest``."""
    words = shlex.split(rest)
    if "=" not in words[0]:
        key, _, value = rest.partition(" ")
        if not value:
            raise ValueError("NAME=VALUE is expected")
        return {key: value.strip()}
    if any("=" not in word for word in words):
        raise ValueError("NAME=VALUE is expected")
    return dict(word.split("=", 1) for word in words)


def _env(process: ProcessConfig, rest: str) -> ProcessConfig:
    env = {one.partition("=")[0]: one for one in process.env}
    env.update({key: f"{key}={value}" for key, value in _pairs(rest).items()})
    return process.replace(env=tuple(env.values()))


def _label(process: ProcessConfig, rest: str) -> ProcessConfig:
    return process.replace(labels={**process.labels, **_pairs(rest)})


def _expose(process: ProcessConfig, rest: str) -> ProcessConfig:
    ports = dict(process.exposed_ports)
    for word in shlex.split(rest):
        numbers, _, protocol = word.partition("/")
        first, _, last = numbers.partition("-")
        if not first.isdigit() or not (last or first).isdigit() or protocol.lower() not in ("", "tcp", "udp", "sctp"):
            raise ValueError(f"invalid port {word!r}")
        if not 0 < int(first) <= int(last or first) <= 65535:
            raise ValueError(f"invalid port {word!r}")
        ports.update({f"{number}/{protocol.lower() or 'tcp'}": {} for number in range(int(first), int(last or first) + 1)})
    return process.replace(exposed_ports=ports)


def _volume(process: ProcessConfig, rest: str) -> ProcessConfig:
    return process.replace(volumes={**process.volumes, **{path: {} for path in _list(rest)}})


def _user(process: ProcessConfig, rest: str) -> ProcessConfig:
    return process.replace(user=rest)


def _workdir(process: ProcessConfig, rest: str) -> ProcessConfig:
    return process.replace(working_dir=posixpath.normpath(posixpath.join(process.working_dir or "/", rest)))


def _stopsignal(process: ProcessConfig, rest: str) -> ProcessConfig:
    return process.replace(stop_signal=rest)


def _onbuild(process: ProcessConfig, rest: str) -> ProcessConfig:
    return process.replace(on_build=(*process.on_build, rest))


def _healthcheck(process: ProcessConfig, rest: str) -> ProcessConfig:
    options: dict[str, int] = {}
    while rest.startswith("--"):
        option, _, rest = rest.partition(" ")
        key, _, value = option[2:].partition("=")
        if key not in ("interval", "timeout", "start-period", "start-interval", "retries"):
            raise ValueError(f"unknown flag --{key}")
        options[key.replace("-", "_")] = int(value) if key == "retries" else _nanoseconds(value)
        rest = rest.strip()
    word, _, command = rest.partition(" ")
    if word.upper() == "NONE":
        return process.replace(healthcheck=HealthConfig(test=("NONE",)))
    if word.upper() != "CMD" or not command.strip():
        raise ValueError("HEALTHCHECK [OPTIONS] CMD command, or HEALTHCHECK NONE, is expected")
    words = _command(command.strip(), ())
    test = ("CMD", *words) if command.strip().startswith("[") and len(words) > 0 and words[0] != command.strip() else ("CMD-SHELL", command)
    return process.replace(healthcheck=HealthConfig(test=test, **options))


def _nanoseconds(text: str) -> int:
    if not text or _DURATION.sub("", text):
        raise ValueError(f"invalid duration {text!r}")
    return int(sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text)) * 1e9)


_KNOWN: Mapping[str, Callable[[ProcessConfig, str], ProcessConfig]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _onbuild,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
