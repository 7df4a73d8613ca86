"""What gitops stands on: the daemon's doors that it is given. Nothing else of the daemon is known here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Project = Mapping[str, Any]  # the wire's `project`: files, name, directory, environment, contents


@dataclass(frozen=True, slots=True)
class Result:
    """How a command on a stack ended. ``said``: its warnings and errors in words; ``did``: its progress, a line a change."""

    ok: bool
    message: str = ""
    said: tuple[str, ...] = ()
    did: tuple[str, ...] = ()
    cut: bool = False  # ended early because it was told to
    invalid: bool = False  # the files are wrong: trying again changes nothing
    passing: bool = False  # refused before anything was touched, for what the machine or a registry is like now


@dataclass(frozen=True, slots=True)
class Replica:
    """A container of a stack. ``health``: "" without a check; ``restarts``: since it was made."""

    name: str
    service: str
    state: str
    health: str = ""
    exit_code: int = 0
    started: str = ""


class Log(Protocol):
    def info(self, event: str, /, **fields: object) -> object: ...
    def error(self, event: str, /, **fields: object) -> object: ...


class Stacks(Protocol):
    """The daemon's commands on stacks."""

    async def up(self, project: Project, *, prune: bool, build: bool, cut: asyncio.Event) -> Result:
        """Bring it up; ``cut`` set: begin nothing new."""
        ...

    async def down(self, name: str, *, volumes: bool) -> Result: ...
    async def plan(self, project: Project, *, prune: bool) -> Sequence[str]:
        """What `up` would do, a line each. ComposerError: the files are wrong."""
        ...

    async def replicas(self, name: str) -> Sequence[Replica]: ...
    async def networks(self, name: str) -> Sequence[str]:
        """The stack's networks that nothing is connected to."""
        ...

    async def volumes(self, name: str) -> Sequence[str]: ...
    async def remove_networks(self, names: Sequence[str]) -> Sequence[str]: ...
    async def remove_volumes(self, names: Sequence[str]) -> Sequence[str]: ...
    def revision(self, name: str) -> str:
        """Of the stack as it is stored, and of what is meant with each service: another one after any command on it; "": not known."""
        ...

    def known(self, name: str) -> bool: ...


@dataclass(frozen=True)
class Ground:
    """``root``: gitops/ beneath the daemon's root (on disk); ``run``: gitops/ beneath its run directory (on tmpfs). ``seal``: bytes as
    a text that only this daemon can read. ``clock``: seconds since the epoch."""

    stacks: Stacks
    root: Path
    run: Path
    log: Log
    seal: Callable[[bytes], str]
    clock: Callable[[], float]
