"""A source as a client sends it, checked: every address, ref, path, window and number, before anything is remembered."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from composer.engine.errors import InvalidArgument
from composer.gitops.git.address import address, check_ref
from composer.gitops.git.verify import Signers
from composer.gitops.model import Reporting, Source
from composer.gitops.window import window

_LARGEST = 64 << 30
_FILES = ("token_file", "ssh_key", "known_hosts", "ca_file", "hook_secret_file", "notify_secret_file")
_KINDS = ("", "github", "gitlab", "gitea")


def source_of(wanted: Mapping[str, Any], now: float) -> Source:
    """InvalidArgument: it cannot be followed, and why."""
    known = {item.name: item for item in fields(Source)}
    for key in wanted:
        if key not in known:
            raise InvalidArgument(f"a source has no '{key}'", hint=f"it has {', '.join(sorted(known))}")
    for key in ("name", "repo"):
        if not isinstance(wanted.get(key), str) or not wanted[key]:
            raise InvalidArgument(f"a source needs a {key}", hint="composer gitops add NAME --repo URL")
    source = Source(**{key: _typed(key, value) for key, value in wanted.items()})
    _check(source)
    return replace(source, created=now)


def _typed(key: str, value: Any) -> Any:
    default = Source.__dataclass_fields__[key].default
    if key == "report":
        return _reporting(value)
    if key == "env":
        if not isinstance(value, dict) or not all(isinstance(part, str) for pair in value.items() for part in pair):
            raise InvalidArgument("env must be names and values")
        return dict(value)
    if isinstance(default, tuple):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise InvalidArgument(f"{key} must be a list of strings")
        return tuple(value)
    if isinstance(default, bool) or isinstance(value, bool):
        if not (isinstance(default, bool) and isinstance(value, bool)):
            raise InvalidArgument(f"{key} has the wrong type")
        return value
    if isinstance(default, int | float):
        if not isinstance(value, int | float) or value != value or value < 0:
            raise InvalidArgument(f"{key} must be a number, 0 or more")
        return type(default)(value)
    if not isinstance(value, str):
        raise InvalidArgument(f"{key} must be a string")
    return value


def _reporting(value: Any) -> Reporting:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise InvalidArgument("report must be an object of strings")
    report = Reporting(**{key: value.get(key, "") for key in ("kind", "url", "project", "token_file")})
    if report.kind not in _KINDS:
        raise InvalidArgument(f"commit statuses go to github, gitlab or gitea, not to {report.kind!r}")
    if report.kind and not (report.url.startswith(("https://", "http://")) and report.project and report.token_file):
        raise InvalidArgument(
            "a report needs the API's address, the project and a token", hint="--report-url --report-project --report-token-file"
        )
    if report.token_file and not report.token_file.startswith("/"):
        raise InvalidArgument("report.token_file must be an absolute path")
    return report


def _check(source: Source) -> None:
    where = address(source.repo)
    check_ref(source.ref)
    for path in (source.path, *source.env_files):
        if path.startswith("/") or ".." in path.split("/") or "\0" in path or not path:
            raise InvalidArgument(f"a path within the repository is needed: {path!r}", hint="such as stack.yml or deploy/stacks")
    for key in _FILES:
        value = getattr(source, key)
        if value and (not value.startswith("/") or any(ord(char) < 32 or char == '"' for char in value)):
            raise InvalidArgument(f"{key} must be an absolute path: {value!r}")
    for value in source.age_keys:
        if not posixpath.isabs(value):
            raise InvalidArgument(f"an age key must be an absolute path: {value!r}")
    source.remote.check()
    Signers(source.signers).check()
    for text in source.windows:
        window(text)
    for url in source.notify:
        if not url.startswith(("https://", "http://")):
            raise InvalidArgument(f"a webhook goes to https or http: {url}")
    if 0 < source.interval < 1:
        raise InvalidArgument("the interval is at least a second", hint="0 looks only when told (webhook, or by hand)")
    if not 0 < source.largest <= _LARGEST:
        raise InvalidArgument("the largest size must be between 1 byte and 64 GiB")
    assert where.url
