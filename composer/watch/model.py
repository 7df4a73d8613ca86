"""What is watched: rules, services, the stack. Values only, made of what the daemon's verb `watching` says."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SYNC, RESTART, REBUILD, SYNC_RESTART, SYNC_EXEC = "sync", "restart", "rebuild", "sync+restart", "sync+exec"
ACTIONS = (SYNC, RESTART, REBUILD, SYNC_RESTART, SYNC_EXEC)
SYNCING = frozenset({SYNC, SYNC_RESTART, SYNC_EXEC})


@dataclass(frozen=True)
class Exec:
    """The command of a `sync+exec`, as `docker exec` takes it. ``environment``: "NAME=value", or "NAME" alone."""

    command: tuple[str, ...]
    user: str = ""
    privileged: bool = False
    working_dir: str = ""
    environment: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """``path``: absolute, a directory or a file; ``target``: its place in the container; patterns are those of .dockerignore, seen from
    ``path``. ``context``: the service's build context, whose ignore file holds, too ("" without a build)."""

    action: str
    path: str
    target: str = ""
    ignore: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    initial_sync: bool = False
    exec: Exec | None = None
    context: str = ""
    dockerfile: str = ""

    @property
    def syncs(self) -> bool:
        return self.action in SYNCING


@dataclass(frozen=True)
class Service:
    """``built``: changes when the way it is built does; "" without a build. ``dockerfile``: absolute, "" when there is none to watch."""

    name: str
    rules: tuple[Rule, ...] = ()
    built: str = ""
    dockerfile: str = ""


@dataclass(frozen=True)
class Subject:
    """A stack that is watched. ``files``: every path that was read to load it or looked for, and must be read again when it changes."""

    name: str
    services: Mapping[str, Service] = field(default_factory=dict)
    files: frozenset[str] = frozenset()

    @property
    def dockerfiles(self) -> Mapping[str, frozenset[str]]:
        """Path -> the services that are built by it."""
        found: dict[str, set[str]] = {}
        for service in self.services.values():
            if service.dockerfile:
                found.setdefault(service.dockerfile, set()).add(service.name)
        return {path: frozenset(names) for path, names in found.items()}


def subject_of(line: Mapping[str, Any], files: frozenset[str]) -> Subject:
    """From the result of the verb `watching`."""
    services = {str(row["name"]): _service(row) for row in line["services"]}
    return Subject(str(line["name"]), services, files)


def _service(row: Mapping[str, Any]) -> Service:
    context, dockerfile = str(row.get("context") or ""), str(row.get("dockerfile") or "")
    rules = tuple(_rule(rule, context, dockerfile) for rule in row.get("rules") or ())
    return Service(str(row["name"]), rules, str(row.get("built") or ""), posixpath.normpath(dockerfile) if dockerfile else "")


def _rule(row: Mapping[str, Any], context: str, dockerfile: str) -> Rule:
    hook = row.get("exec")
    return Rule(
        action=str(row["action"]),
        path=posixpath.normpath(str(row["path"])),
        target=posixpath.normpath("/" + str(row["target"]).lstrip("/")) if row.get("target") else "",
        ignore=tuple(row.get("ignore") or ()),
        include=tuple(row.get("include") or ()),
        initial_sync=bool(row.get("initial_sync")),
        exec=_exec(hook) if hook else None,
        context=context,
        dockerfile=dockerfile,
    )


def _exec(row: Mapping[str, Any]) -> Exec:
    return Exec(
        command=tuple(row["command"]),
        user=str(row.get("user") or ""),
        privileged=bool(row.get("privileged")),
        working_dir=str(row.get("working_dir") or ""),
        environment=tuple(row.get("environment") or ()),
    )
