"""The stack follows its own files: what a change of them means, planned and applied at once, the newest revision first.

A revision that is wrong is shown and changes nothing. One that comes while another is applied cuts that one's waits, not its actions.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from composer.errors import ComposerError
from composer.watch.door import Door, Voice
from composer.watch.model import Subject
from composer.watch.report import span


@dataclass
class Reload:
    """``adopt``: told of each new subject before it is applied. ``subject``: the last good one."""

    subject: Subject
    door: Door
    voice: Voice
    adopt: Callable[[Subject], Awaitable[None]]
    revision: str = ""  # of the last good files
    _changed: set[str] = field(default_factory=set)
    _newest: str = ""
    _builds: set[str] = field(default_factory=set)  # of revisions that were cut
    _removed: set[str] = field(default_factory=set)
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _work: asyncio.Task[None] | None = None

    def files(self, changed: set[str], revision: str) -> None:
        """These of the stack's files hold something else now; all of them together are this revision."""
        self._changed |= changed
        self._newest = revision
        self._bell.set()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._bell.wait()
                self._bell.clear()
                changed, self._changed = self._changed, set()
                try:
                    await self._take(changed)
                except ComposerError as error:
                    self.voice.warn(error.message, error.hint or "")
        finally:
            await self._cut()

    async def _take(self, changed: set[str]) -> None:
        began = time.monotonic()
        revision = self._newest
        name = ", ".join(sorted({os.path.basename(path) for path in changed}))
        if revision == self.revision:
            self.voice.line(f"{name}: as it was, nothing to change")
            return
        found = await self.door.load()
        if found is None:
            self.voice.warn(f"{name} is not valid: the stack stays as it is", "correct it and save: it is tried again at once")
            return
        before, self.subject, self.revision = self.subject, found, revision
        self._builds |= {
            service.name
            for service in found.services.values()
            if (service.dockerfile in changed and service.dockerfile)
            or (service.built and service.name in before.services and before.services[service.name].built != service.built)
        }
        self._removed = (self._removed | (before.services.keys() - found.services.keys())) - found.services.keys()
        await self.adopt(found)
        await self._cut()
        self._work = asyncio.create_task(self._apply(name, began))

    async def _apply(self, name: str, began: float) -> None:
        builds, removed = frozenset(self._builds), frozenset(self._removed)
        try:
            did = await self.door.apply(builds, removed)
        except ComposerError as error:
            self.voice.warn(error.message, error.hint or "")
            self.revision = ""  # saving the same again tries again
            return
        self._builds -= builds
        self._removed -= removed
        self.voice.line(f"{name} -> " + (", ".join(did) or "nothing to change") + f" in {span(time.monotonic() - began)}")

    async def _cut(self) -> None:
        """What is still applied gives way: its waits end, and it is not told."""
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
            await asyncio.wait([work])
