"""One service that is watched: its rules' trees, its replicas, and the work that a batch of changes means.

A crew does one thing after the other; what changes meanwhile is gathered and done next, so a slow build delays no other service.
What a replica missed (it was not running, it is new, a sync did not succeed) is brought up by comparing signatures with what it has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from composer.errors import ComposerError
from composer.watch.door import Door, Replica, Voice
from composer.watch.model import REBUILD, RESTART, SYNC_EXEC, SYNC_RESTART, Service
from composer.watch.pack import Parcel, Torn, parcel
from composer.watch.report import done, problems
from composer.watch.tree import Delta, Tree

Work = list[tuple[Tree, Delta]]
_PAUSE = 0.5  # seconds before a sync is tried once more


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Crew:
    """``behind``: replicas to be brought up; True: made anew, so that what their rules say follows. ``missed``: to be brought up with the
    next change, because the last sync did not succeed. ``seen``: every replica there ever was."""

    service: Service
    door: Door
    voice: Voice
    trees: list[Tree] = field(default_factory=list)
    replicas: dict[str, Replica] = field(default_factory=dict)
    behind: dict[str, bool] = field(default_factory=dict)
    missed: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    _paths: set[str] = field(default_factory=set)
    _everything: bool = False
    _forced: bool = False
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=_set)

    def begin(self, before: Crew | None = None) -> None:
        """The first look at the trees (blocking); those of ``before`` go on where a rule is the same."""
        known = {tree.rule: tree for tree in before.trees} if before is not None else {}
        self.trees = [known.get(rule) or Tree(rule) for rule in self.service.rules]
        for tree in self.trees:
            if tree.rule not in known:
                tree.begin()

    def succeed(self, before: Crew) -> None:
        """Take over the replicas of the crew that the service had, and what it had not done yet."""
        self.seen |= before.seen
        self.missed |= before.missed
        for replica in before.replicas.values():
            self.there(replica, fresh=False)
        self.behind |= before.behind
        self.changed(before._paths, everything=before._everything)

    # -- what is told to it ----------------------------------------------------------------------------------------------------

    def changed(self, paths: Iterable[str], *, everything: bool = False) -> None:
        self._paths.update(paths)
        self._everything |= everything
        self._ring()

    def rebuild(self) -> None:
        """Somebody pressed the key."""
        self._forced = True
        self._ring()

    def there(self, replica: Replica, *, fresh: bool) -> None:
        """It runs. ``fresh``: it began just now. What it missed is brought to it."""
        known = replica.id in self.seen
        self.seen.add(replica.id)
        self.replicas[replica.id] = replica
        if fresh or any(tree.touched for tree in self.trees):
            self.behind[replica.id] = self.behind.get(replica.id, False) or (fresh and not known)
            self._ring()

    def left(self, replica: Replica) -> None:
        self.replicas.pop(replica.id, None)
        self.behind.pop(replica.id, None)
        self.missed.discard(replica.id)

    def _ring(self) -> None:
        self._idle.clear()
        self._bell.set()

    async def settled(self) -> None:
        """Until there is nothing left to do."""
        await self._idle.wait()

    # -- its work --------------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            while self._paths or self._everything or self._forced or self.behind:
                await self._turn()
            if not self._bell.is_set():
                self._idle.set()

    async def _turn(self) -> None:
        began = time.monotonic()
        paths, self._paths = self._paths, set()
        everything, self._everything = self._everything, False
        forced, self._forced = self._forced, False
        behind, self.behind = self.behind, {}
        if paths or everything:
            work = await asyncio.to_thread(self._look, paths, everything)
            if work:
                behind = dict.fromkeys(self.missed, False) | behind
                self.missed.clear()
                await self._attempt(self._do(work, began))
        if forced:
            await self._attempt(self._rebuild(0, began))
        for ident, anew in behind.items():
            if (replica := self.replicas.get(ident)) is not None and not await self._attempt(self._bring_up(replica, anew)):
                self.missed.add(ident)

    async def _attempt(self, work: Awaitable[None]) -> bool:
        """False: it did not succeed, and that was told; the watch goes on."""
        try:
            await work
        except ComposerError as error:
            self.voice.warn(f"{self.service.name}: {error.message}", error.hint or "")
            return False
        return True

    def _look(self, paths: set[str], everything: bool) -> Work:
        found = []
        for tree in self.trees:
            delta = tree.real(tree.rescan() if everything else tree.update(paths))
            if delta:
                found.append((tree, delta))
        return found

    async def _do(self, work: Work, began: float) -> None:
        """What a batch means: syncs first, or a rebuild, which brings all of it."""
        count = len(set().union(*({tree.source(path) for path in delta.changed | delta.gone} for tree, delta in work)))
        if any(tree.rule.action == REBUILD for tree, _ in work):
            await self._rebuild(count, began)
        replicas = list(self.replicas.values())
        syncing = [(tree, delta) for tree, delta in work if tree.rule.syncs]
        load = parcel(syncing)
        if load and replicas:
            replicas = await self._give(load, replicas)
            if not replicas:
                return
        if load or any(tree.rule.action == RESTART for tree, _ in work):
            rebuilt = any(tree.rule.action == REBUILD for tree, _ in work)
            after = await self._follow([tree for tree, _ in work], replicas, rebuilt=rebuilt)
            after = after or ("" if replicas else "none runs")
            self.voice.line(done(load.count if load else count, self.service.name, replicas, time.monotonic() - began, after))

    async def _give(self, load: Parcel, replicas: Sequence[Replica]) -> list[Replica]:
        """To replicas that run; those that have it. The others are brought up with the next change, or when they begin."""
        if not replicas:
            return []
        try:
            failed = await self.door.sync([replica.id for replica in replicas], load)
        except ComposerError as error:
            self.missed.update(replica.id for replica in replicas)
            if isinstance(error, Torn):
                return []
            raise
        self.missed.update(failed)
        names = {replica.id: replica.name for replica in replicas}
        for text in problems({names.get(ident, ident[:12]): said for ident, said in failed.items() if not has_ended(said)}):
            self.voice.warn(text)
        return [replica for replica in replicas if replica.id not in failed]

    async def _follow(
        self, trees: Sequence[Tree], replicas: Sequence[Replica], *, rebuilt: bool = False, one: Replica | None = None
    ) -> str:
        """What comes after the files: restart (``one``: of it alone), or commands; how it went, in words."""
        words = []
        if not rebuilt and any(tree.rule.action in (RESTART, SYNC_RESTART) for tree in trees):
            await self.door.restart(self.service.name, one)
            words.append("restarted")
        for tree in trees:
            if tree.rule.action == SYNC_EXEC and tree.rule.exec is not None:
                codes = await asyncio.gather(*(self.door.exec(replica, tree.rule.exec) for replica in replicas))
                bad = sorted({code for code in codes if code})
                words.append("ran " + tree.rule.exec.command[0] + (f" (exit {', '.join(map(str, bad))})" if bad else ""))
        return ", ".join(words)

    async def _rebuild(self, count: int, began: float) -> None:
        did = await self.door.rebuild([self.service.name])
        after = ", ".join(did) or "image unchanged"
        self.voice.line(done(count, self.service.name, [], time.monotonic() - began, f"rebuilt: {after}"))

    async def _bring_up(self, replica: Replica, anew: bool) -> None:
        """Compare all that changed since we watch with what the replica has, and bring what differs."""
        began = time.monotonic()
        trees = [tree for tree in self.trees if tree.rule.syncs]
        wanted = await asyncio.to_thread(lambda: [(tree, tree.wanted(), frozenset(tree.touched)) for tree in trees])
        ask: dict[str, list[str]] = {}
        for tree, _, touched in wanted:
            for inner in touched:
                target, path = tree.place(inner)
                ask.setdefault(target, []).append(path)
        if not ask:
            return
        try:
            has = await self.door.signatures(replica.id, ask)
        except ComposerError as error:
            if has_ended(error.message):
                return
            raise
        work: Work = []
        for tree, want, touched in wanted:
            delta = _differing(tree, want, touched, has)
            if delta:
                work.append((tree, delta))
        load = parcel(work)
        if not load:
            return
        if not await self._give(load, [replica]):
            return
        after = await self._follow([tree for tree, _ in work], [replica], one=replica) if anew else ""
        self.voice.line(done(load.count, replica.name, [], time.monotonic() - began, after or "brought up to date"))


def has_ended(problem: str) -> bool:
    """Is it only that the replica does not run any more? Then it is brought up when it begins."""
    return "is not running" in problem or "No such container" in problem


def _differing(tree: Tree, want: Mapping[str, str], touched: frozenset[str], has: Mapping[str, Mapping[str, str]]) -> Delta:
    changed, gone = set(), set()
    for inner in touched:
        target, path = tree.place(inner)
        said = has.get(target, {}).get(path)
        if inner in want and want[inner] != said:
            changed.add(inner)
        elif inner not in tree.entries and said is not None:
            gone.add(inner)
    return Delta(frozenset(changed), frozenset(gone))
