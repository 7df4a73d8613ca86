"""The revisions of stacks: what was asked for, when, what became of it, and from which images; so that one can go back.

A **Revision** has a number within its stack. Its row is in the state's database; the files of the request, which can hold secrets, are
beneath ``stacks/<name>/revisions`` in files that only root reads, named by their content. The newest `KEPT` are kept. A service's
**Deployed** says from what its containers were made (the *identity*: hash and image), and whether that proved good or failed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from composer.engine.errors import NotFound, Unavailable
from composer.engine.local.files import write_atomic
from composer.engine.local.state import State, Table

KEPT = 20  # revisions of a stack
IMAGES_OF = 5  # of so many of the newest good revisions the images are kept from prune
CURRENT, SUPERSEDED, FAILED, ROLLED_BACK = "current", "superseded", "failed", "rolled back"
Identity = tuple[str, str]  # hash, image id


@dataclass(frozen=True)
class Deployed:
    """A service in a revision. ``good``: it came up. ``failed``: why its rollout failed, "" it did not; ``action``: rollback or pause;
    ``runs``: the number of the revision from which it runs since."""

    hash: str
    image: str = ""
    image_id: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    good: bool = False
    failed: str = ""
    action: str = ""
    runs: int = 0

    @property
    def identity(self) -> Identity:
        return self.hash, self.image_id


@dataclass(frozen=True)
class Revision:
    """``request``: the content hash of its files. ``contents``: "secret NAME", "config NAME" -> digest. ``others``: hashes of networks and
    volumes. ``changed``: in what it differs from the one before, in words."""

    stack: str
    number: int
    request: str
    created: str
    status: str = CURRENT
    changed: str = ""
    services: Mapping[str, Deployed] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)

    def with_service(self, name: str, found: Deployed) -> Revision:
        return replace(self, services={**self.services, name: found})

    @property
    def failures(self) -> dict[str, Deployed]:
        """The services that failed in it."""
        return {name: one for name, one in self.services.items() if one.failed}

    @property
    def healthy(self) -> bool:
        """Whether all of its services came up."""
        return bool(self.services) and all(one.good and not one.failed for one in self.services.values())

    def same(self, other: Revision) -> bool:
        """Whether going from one to the other would change nothing that exists."""
        mine = {name: one.identity for name, one in self.services.items()}
        theirs = {name: one.identity for name, one in other.services.items()}
        return mine == theirs and self.contents == other.contents and self.others == other.others


def _decode(doc: Mapping[str, Any]) -> Revision:
    services = {name: Deployed(**one) for name, one in doc["services"].items()}
    return Revision(**{**doc, "services": services})


class Revisions:
    """Those of all stacks. ``directory``: stacks/ beneath the daemon's root."""

    def __init__(self, state: State, directory: Path) -> None:
        self._rows: Table[Revision] = Table(state, "revision", encode=asdict, decode=_decode)
        self._directory = directory

    def of(self, stack: str) -> list[Revision]:
        """The oldest first."""
        return sorted((row for row in self._rows if row.stack == stack), key=lambda row: row.number)

    def find(self, stack: str, number: int) -> Revision:
        """NotFound names those that are there."""
        found = self._rows.get(_key(stack, number))
        if found is None:
            known = [row.number for row in self.of(stack)]
            raise NotFound(
                f"stack {stack} has no revision {number}",
                hint=f"kept are {known[0]} to {known[-1]}: composer history" if known else "it was never brought up by `up`",
            )
        return found

    def head(self, stack: str, number: int) -> Revision | None:
        """The one that is wanted now; None when there is none."""
        return self._rows.get(_key(stack, number)) if number else None

    async def keep(self, revision: Revision) -> None:
        await self._rows.put(_key(revision.stack, revision.number), revision)

    async def add(self, revision: Revision, request: Mapping[str, Any]) -> None:
        """The files first, then the row; what is too old goes."""
        await self.keep_files(revision.stack, revision.request, request)
        await self.keep(revision)
        await self._trim(revision.stack)

    async def keep_files(self, stack: str, name: str, request: Mapping[str, Any]) -> None:
        """Unavailable: the disk is full."""
        path = self._path(stack, name)
        data = json.dumps(request, sort_keys=True, separators=(",", ":")).encode()

        def work() -> None:
            if not path.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_atomic(path, data, mode=0o600)

        try:
            await asyncio.to_thread(work)
        except OSError as error:
            raise Unavailable(f"cannot keep the revision of stack {stack}: {error.strerror}", hint="is the disk full?") from error

    def request(self, revision: Revision) -> dict[str, Any]:
        """Its files. NotFound: they are not there any more."""
        try:
            found = json.loads(self._path(revision.stack, revision.request).read_bytes())
        except (OSError, ValueError) as error:
            raise NotFound(f"the files of revision {revision.number} of stack {revision.stack} cannot be read: {error}") from error
        if not isinstance(found, dict):
            raise NotFound(f"the files of revision {revision.number} of stack {revision.stack} are damaged")
        return found

    async def forget(self, stack: str) -> None:
        """The rows of a stack that is gone; its files go with its directory."""
        for row in self.of(stack):
            await self._rows.delete(_key(stack, row.number))

    def images(self) -> Iterator[str]:
        """The ids of the images that a rollback can need."""
        stacks = {row.stack for row in self._rows}
        for stack in stacks:
            rows = self.of(stack)
            good = [row for row in rows if any(one.good for one in row.services.values())][-IMAGES_OF:]
            for row in {row.number: row for row in (*good, *rows[-1:])}.values():
                yield from (one.image_id for one in row.services.values() if one.image_id)

    async def _trim(self, stack: str) -> None:
        rows = self.of(stack)
        needed = {one.runs for row in rows[-KEPT:] for one in row.services.values()}
        old = [row for row in rows[:-KEPT] if row.number not in needed and row.status != CURRENT]
        for row in old:
            await self._rows.delete(_key(stack, row.number))
        left = {row.request for row in self.of(stack)}
        await asyncio.to_thread(self._sweep, stack, left)

    def _sweep(self, stack: str, left: set[str]) -> None:
        for path in (self._directory / stack / "revisions").glob("*.json"):
            if path.stem not in left:
                path.unlink(missing_ok=True)

    def _path(self, stack: str, name: str) -> Path:
        return self._directory / stack / "revisions" / f"{name}.json"


def _key(stack: str, number: int) -> str:
    return f"{stack}/{number:09d}"


def now() -> str:
    """This moment, RFC 3339 in seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def difference(before: Revision | None, after: Revision) -> str:
    """In what it differs, in words: "web: environment, image; +db; -cache; secret token"."""
    if before is None:
        return "first"
    words = [f"+{name}" for name in sorted(after.services.keys() - before.services.keys())]
    words += [f"-{name}" for name in sorted(before.services.keys() - after.services.keys())]
    for name in sorted(after.services.keys() & before.services.keys()):
        settings = changed_settings(before.services[name], after.services[name])
        words += [f"{name}: {', '.join(settings)}"] if settings else []
    for one, other in ((before.others, after.others), (before.contents, after.contents)):
        words += [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
    return "; ".join(words) or "settings that containers do not see"


def changed_settings(before: Deployed, after: Deployed) -> list[str]:
    """The settings in which two revisions of a service differ."""
    settings = sorted(name for name in {*before.parts, *after.parts} if before.parts.get(name) != after.parts.get(name))
    if before.image_id != after.image_id and "image" not in settings:
        settings.append("image (another one of that name)")
    return settings
