"""Watch mode put together: the source's batches go to the crews of the services and to the stack's own files, until it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from composer.errors import ComposerError
from composer.watch import cover, look
from composer.watch.crew import Crew
from composer.watch.door import Door, Replica, Voice
from composer.watch.files import Files
from composer.watch.model import Service, Subject
from composer.watch.reload import Reload
from composer.watch.source import Batch, Source

VERIFY = 10.0  # seconds: so often everything is looked at, should the kernel have lost a change ...
SHARE = 400  # ... but at most this part of the time is spent on it
AGAIN = 1.0  # seconds between two attempts to reach a daemon that has ended


class Watching:
    """``services``: those whose rules hold; None: all. `run` ends by being cancelled."""

    def __init__(self, subject: Subject, door: Door, voice: Voice, services: Collection[str] | None = None) -> None:
        self.door, self.voice, self.services = door, voice, services
        self.reload = Reload(subject, door, voice, self._adopt)
        self.crews: dict[str, Crew] = {}
        self.paused = False
        self._ready: Callable[[], None] | None = None
        self._listened = False
        self._files = Files()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._source = Source(self._cover, voice.warn)
        self._group: asyncio.TaskGroup | None = None

    async def run(self, ready: Callable[[], None] | None = None) -> None:
        """Until cancelled. ``ready``: told when no change is missed any more. Unwatchable."""
        self._ready = ready
        try:
            async with asyncio.TaskGroup() as self._group:
                await self._adopt(self.reload.subject, first=True)
                for work in (self._listen, self._read, self.reload.run, self._verify):
                    self._group.create_task(work())
        except* ComposerError as errors:
            raise _first(errors) from None
        finally:
            await self._source.close()

    # -- keys ------------------------------------------------------------------------------------------------------------------

    def pause(self) -> bool:
        """Stop to follow changes, or follow them again, those in between included; is it paused now?"""
        self.paused = not self.paused
        if not self.paused:
            self._source.put(Batch(frozenset(), everything=True))
        return self.paused

    def rebuild(self) -> None:
        """Build all services that are watched and have a build."""
        for crew in self.crews.values():
            if crew.service.built:
                crew.rebuild()

    async def settled(self) -> None:
        """Until no crew has anything to do."""
        for crew in list(self.crews.values()):
            await crew.settled()

    # -- what is watched -------------------------------------------------------------------------------------------------------

    async def _adopt(self, subject: Subject, *, first: bool = False) -> None:
        """A new revision: crews for what is new, none for what is gone; those whose rules stay go on."""
        wanted = {name: service for name, service in subject.services.items() if self.services is None or name in self.services}
        for name in self.crews.keys() - wanted.keys():
            await self._dismiss(name)
        for name, service in wanted.items():
            await self._hire(name, service)
        paths = {*subject.files, *subject.dockerfiles, *self._ignore_files()}
        await asyncio.to_thread(self._files.follow, paths)
        await self._source.refresh()
        self.reload.revision = self._files.revision({*subject.files, *subject.dockerfiles})
        if first:
            for crew in self.crews.values():  # what changed between the first look and the first ear
                crew.changed((), everything=True)

    async def _hire(self, name: str, service: Service) -> None:
        assert self._group is not None
        before = self.crews.get(name)
        if before is not None and before.service == service:
            return
        crew = Crew(service, self.door, self.voice)
        await asyncio.to_thread(crew.begin, before)
        if before is not None:
            await self._dismiss(name)
            crew.succeed(before)
        self.crews[name] = crew
        self._tasks[name] = self._group.create_task(crew.run())

    async def _dismiss(self, name: str) -> None:
        del self.crews[name]
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.wait([task])

    def _ignore_files(self) -> set[str]:
        return {path for crew in self.crews.values() for rule in crew.service.rules for path in look.ignore_files(rule)}

    def _cover(self) -> cover.Cover:
        trees = cover.of_trees([tree.sieve for crew in list(self.crews.values()) for tree in crew.trees])
        return trees | cover.of_files(self._files.places)

    # -- what happens ----------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        async for batch in self._source.batches():
            if self.paused:
                continue
            await self._dispatch(batch)

    async def _dispatch(self, batch: Batch) -> None:
        for crew in self.crews.values():
            crew.changed(batch.paths, everything=batch.everything)
        changed = await asyncio.to_thread(self._files.changed, None if batch.everything else batch.paths)
        subject = self.reload.subject
        own = subject.files | subject.dockerfiles.keys()
        if told := changed & own:
            self.reload.files(told, self._files.revision(own))
        for crew in self.crews.values():
            if any(path in changed for rule in crew.service.rules for path in look.ignore_files(rule)):
                crew.changed((), everything=True)
        await self._source.probe(batch.paths)
        if (batch.everything or not self._source.covers(batch.paths)) and await self._source.refresh():
            for crew in self.crews.values():  # what was made before it was watched
                crew.changed(batch.paths, everything=batch.everything)

    async def _listen(self) -> None:
        """Replicas come and go. When the daemon ends, it is waited for; containers live on without it."""
        fresh, told = False, False
        while True:
            try:
                turns = await self.door.turns()
                for replica in await self.door.replicas():
                    self._there(replica, fresh=fresh)
                fresh, told = True, False
                if not self._listened and self._ready is not None:
                    self._ready()
                self._listened = True
                async for turn in turns:
                    if turn.began:
                        self._there(turn.replica, fresh=True)
                    elif (crew := self.crews.get(turn.replica.service)) is not None:
                        crew.left(turn.replica)
            except ComposerError as error:
                if not self._listened:
                    raise
                if not told:
                    self.voice.warn(f"{error.message}: waiting for it")
                told = True
            await asyncio.sleep(AGAIN)

    def _there(self, replica: Replica, *, fresh: bool) -> None:
        if (crew := self.crews.get(replica.service)) is not None:
            crew.there(replica, fresh=fresh)

    async def _verify(self) -> None:
        """inotify's queue can run over, and watchfiles does not say so."""
        while True:
            cost = sum(tree.cost for crew in self.crews.values() for tree in crew.trees)
            await asyncio.sleep(max(VERIFY, SHARE * cost))
            if not self.paused:
                for crew in self.crews.values():
                    crew.changed((), everything=True)


def _first(errors: BaseExceptionGroup[ComposerError]) -> ComposerError:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, ComposerError)
    return found
