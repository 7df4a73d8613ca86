"""One source that is followed: look at the remote, accept or refuse its head, bring the stacks there; again when told, or in time.

A **pass** is one such round. While it waits (for stacks that come first, for health), the remote is still looked at; a new commit that is
accepted cuts the wait and begins the next pass. What runs is never touched because the remote is lost, its history was rewritten, or the
head is not signed: the standing says so instead.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from composer.errors import ComposerError, SpecError
from composer.gitops.bring import Bringing, Order
from composer.gitops.content import sweep
from composer.gitops.desired import Places
from composer.gitops.errors import GitMissing, RefGone, Refused, RemoteLost, TooBig
from composer.gitops.git.mirror import Head, Mirror
from composer.gitops.git.tree import Tree
from composer.gitops.git.verify import Signers, signed_by
from composer.gitops.ground import Ground
from composer.gitops.mask import Mask
from composer.gitops.model import HELD, REFUSED, WAITING, App, Event, Row, Source, Standing
from composer.gitops.opened import Open
from composer.gitops.stacks import VANISHED, Spot, spots
from composer.gitops.store import Store
from composer.gitops.window import opens, window

JITTER = 0.2  # of the interval, up or down
_SOON = 5.0  # seconds: a pass that broke off is tried again then, or after the interval when that is shorter
_RETRY = 60.0  # seconds: what may go away by itself is looked at again, also without an interval
_WINDOW_LOOK = 30.0


@dataclass
class Wish:
    """What a sync by hand asks for beside looking. ``retry``: pardon what is quarantined; ``rewrite``: accept a rewritten history;
    ``anytime``: in spite of the windows; ``empty``: what the commit emptied may go."""

    cause: str = "interval"
    retry: bool = False
    rewrite: bool = False
    anytime: bool = False
    empty: bool = False

    def join(self, other: Wish) -> None:
        self.cause = other.cause
        self.retry |= other.retry
        self.rewrite |= other.rewrite
        self.anytime |= other.anytime
        self.empty |= other.empty


Told = Callable[[Source, Event], Awaitable[None]]


class Follower:
    """``told``: is given every event, after it is in the history (reports, metrics)."""

    def __init__(self, ground: Ground, store: Store, name: str, opened: Callable[[Source], Open], told: Told, mask: Mask) -> None:
        self._ground, self._store, self.name = ground, store, name
        self._opened, self._told, self._mask = opened, told, mask
        self._wake = asyncio.Event()
        self._wish = Wish("start")
        self._waiters: list[asyncio.Future[None]] = []
        self.next_look = 0.0
        self.busy = False
        source = self.source
        self.directory = ground.root / name
        self.mirror = Mirror(self.directory, source.remote, largest=source.largest)
        self.places = Places(self.directory / name, self.directory / "content", ground.run / name)

    @property
    def row(self) -> Row:
        row = self._store.get(self.name)
        if row is None:
            raise Refused(f"{self.name} is not followed any more")
        return row

    # What a Bringing writes to.

    @property
    def source(self) -> Source:
        return self.row.source

    def app(self, folder: str) -> App | None:
        return self.row.apps.get(folder)

    async def keep(self, app: App) -> None:
        await self._store.keep(self.row.with_app(app))

    async def tell(self, event: Event) -> None:
        event = replace(event, text=self._mask.hide(event.text), subject=self._mask.hide(event.subject))
        await self._store.tell(self.name, event)
        fields = {"source": self.name, "stack": event.stack, "commit": event.commit, "cause": event.cause, "seconds": event.seconds}
        say = self._ground.log.error if event.kind in ("failed", "refused", "remote lost", "rewritten") else self._ground.log.info
        say(f"gitops {event.kind}", **fields, changes=len(event.changes), text=event.text)
        await self._told(self.source, event)

    def owner(self, stack: str, folder: str) -> str:
        """Who else follows a stack of that name, in words; "" nobody."""
        for name in self._store.names():
            row = self._store.get(name)
            for app in row.apps.values() if row is not None else ():
                if app.stack == stack and app.applied and (name, app.folder) != (self.name, folder):
                    return f"source {name}" if name != self.name else f"folder {app.folder}"
        return ""

    async def announce(self, event: Event) -> None:
        """Begun, and not yet history."""
        await self._told(self.source, event)

    # The loop.

    async def restore(self) -> None:
        """After a reboot tmpfs is empty: decrypt again what the stacks mount. What cannot be is logged; the stacks say what they lack."""
        for app in self.row.apps.values():
            names = [name for name in app.content if (self.places.secrets / name).exists() or (self.places.content / name).exists()]
            if not app.secrets or not app.applied or len(names) == len(app.content):
                continue
            try:
                bringing = Bringing(self._ground, self, self.mirror, self.places, self._opened(self.source), self._mask)
                await bringing.wish(app.folder, app.applied)
            except ComposerError as error:
                self._ground.log.error("secrets cannot be decrypted again", source=self.name, stack=app.stack, error=error.message)

    def wake(self, wish: Wish | None = None) -> None:
        """Look soon."""
        if wish is not None:
            self._wish.join(wish)
        self._wake.set()

    async def sync(self, wish: Wish) -> None:
        """Look now; returns when a pass that began after this has ended."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(done)
        self.wake(wish)
        await done

    async def run(self) -> None:
        """Until it is cancelled."""
        again = 0.0
        while True:
            with suppress(TimeoutError):
                self.next_look = self._ground.clock() + again
                async with asyncio.timeout(again if again < float("inf") else None):
                    await self._wake.wait()
            self._wake.clear()
            again = await self._guarded()

    async def _guarded(self) -> float:
        """One pass; the seconds until the next one. Nothing is raised: the other sources go on, and this one, too."""
        waiters, self._waiters = self._waiters, []
        wish, self._wish = self._wish, Wish()
        self.busy = True
        try:
            if await self._resting(wish):
                return self._pause()
            await self._pass(wish)
            return self._pause()
        except ComposerError as error:
            await self._trouble("failed", error)
            return min(_SOON, self._pause())
        except Exception as error:  # the loop must go on
            self._ground.log.error("following a repository failed", source=self.name, exc_info=error)
            await self._trouble("failed", Refused(f"internal error ({type(error).__name__})", hint="see: composer engine logs"))
            return _SOON
        finally:
            self.busy = False
            for done in waiters:
                if not done.done():
                    done.set_result(None)

    def _pause(self) -> float:
        row = self.row
        now = self._ground.clock()
        interval = row.source.interval or float("inf")
        if interval < float("inf"):
            interval *= 1 + random.uniform(-JITTER, JITTER)
        if row.suspension is not None and row.suspension.until:
            interval = min(interval, max(0.05, row.suspension.until - now))
        if any(app.phase == WAITING for app in row.apps.values()):
            interval = min(interval, _SOON)
        again = any(app.phase == REFUSED and row.standing.accepted not in app.bad for app in row.apps.values())
        if again or row.standing.problem_kind in _PASSING:
            interval = min(interval, _RETRY)
        if any(app.phase == HELD for app in row.apps.values()):
            moment = opens([window(text) for text in row.source.windows], now)
            interval = min(interval, _WINDOW_LOOK if moment is None else max(0.05, moment - now))
        return interval

    async def _resting(self, wish: Wish) -> bool:
        """Suspended; a suspension that has expired ends here."""
        row = self.row
        if row.suspension is None:
            return False
        if not row.suspension.until or self._ground.clock() < row.suspension.until:
            return True
        await self._store.keep(replace(row, suspension=None))
        await self.tell(Event(self._ground.clock(), "resumed", text=f"the suspension ended: {row.suspension.reason}", cause="expiry"))
        return False

    # One pass.

    async def _pass(self, wish: Wish) -> None:
        if wish.retry:
            for app in self.row.apps.values():
                await self.keep(app.pardoned())
        begun = self._ground.clock()
        commit = await self.look(wish)
        if not commit:
            return
        cut = asyncio.Event()
        order = Order(commit, cut, wish.cause, wish.anytime)
        ear = asyncio.create_task(self._listen(commit, cut, wish))
        try:
            await self._bring_all(order, wish)
        finally:
            ear.cancel()
            with suppress(asyncio.CancelledError):
                await ear
        await asyncio.to_thread(self._sweep)
        self._ground.log.info(
            "gitops reconcile",
            source=self.name,
            cause=wish.cause,
            commit=commit,
            head=self.row.standing.head,
            phases={app.stack: app.phase for app in self.row.apps.values()},
            seconds=round(self._ground.clock() - begun, 3),
        )

    async def _listen(self, commit: str, cut: asyncio.Event, wish: Wish) -> None:
        """While a pass is at work: a wake, or the interval, is a look at the remote; another commit cuts the pass's waits."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self._pause(), 3600.0)):
                    await self._wake.wait()
            self._wake.clear()
            try:
                found = await self.look(replace(wish, retry=False))
            except ComposerError:
                found = ""  # said in the standing
            if found and found != commit:
                cut.set()
                self._wake.set()  # the next pass begins at once
                return
            if self._waiters:
                self._wake.set()
                return  # somebody waits for a pass of their own

    async def look(self, wish: Wish) -> str:
        """Fetch, and judge the head. The commit that may be brought up: the head, or the last one that was accepted; "" none."""
        row = self.row
        try:
            head = await self.mirror.fetch(row.source.ref)
        except (RemoteLost, RefGone, TooBig, GitMissing) as error:
            await self._trouble({RefGone: "ref gone", TooBig: "too big", GitMissing: "git missing"}.get(type(error), "remote lost"), error)
            return self.row.standing.accepted
        now = self._ground.clock()
        standing = replace(self.row.standing, checked=now)
        if head.commit != standing.head or head.tag != standing.tag:
            standing = replace(standing, head=head.commit, tag=head.tag, seen=now, subject=await self.mirror.subject(head.commit))
        await self._store.keep(replace(self.row, standing=standing), durable=head.commit != row.standing.head)
        try:
            signer = await self._accept(head, standing, wish)
        except Refused as error:
            await self._trouble(error.code.removeprefix("gitops."), error)
            return self.row.standing.accepted
        if head.commit != standing.accepted:
            await self.mirror.accept(head.commit)
        if standing.problem_kind in ("remote lost", "ref gone", "git missing"):
            await self.tell(Event(now, "remote back", commit=head.commit, text="the remote answers again"))
        await self._store.keep(replace(self.row, standing=replace(standing.sound(), accepted=head.commit, verified=signer)))
        return head.commit

    async def _accept(self, head: Head, standing: Standing, wish: Wish) -> str:
        """Who signed it ("" when nobody has to). Refused: rewritten, or not signed by whom it must be."""
        source = self.source
        may = source.allow_rewrite or wish.rewrite or head.commit == standing.accepted or not standing.accepted
        if not may and not await self.mirror.follows(head.commit, standing.accepted):
            raise Refused(
                f"the history was rewritten: {head.commit[:12]} does not follow from {standing.accepted[:12]}, which runs on",
                hint=f"composer gitops sync {self.name} --accept-rewrite",
                code="gitops.rewritten",
            )
        if not source.signers:
            return ""
        return await signed_by(self.mirror, head, Signers(source.signers))

    async def _trouble(self, kind: str, error: ComposerError) -> None:
        """Say in the standing, and once in the history, what is wrong."""
        row = self.row
        now = self._ground.clock()
        text = self._mask.hide(error.message + (f" (hint: {error.hint})" if error.hint else ""))
        new = row.standing.problem_kind != kind or (kind not in ("remote lost",) and row.standing.problem != text)
        await self._store.keep(replace(row, standing=replace(row.standing.trouble(kind, text, now), checked=now)), durable=new)
        if new:
            await self.tell(Event(now, kind if kind in _OWN else "refused", commit=row.standing.head, text=text))

    async def _bring_all(self, order: Order, wish: Wish) -> None:
        """Every stack of the commit, side by side; those that left it go first."""
        tree = await Tree.of(self.mirror, order.commit)
        allow = self.source.allow_empty or wish.empty
        try:
            found = spots(tree, self.source.path)
            self._same_kind(found)
        except Refused as error:
            if not (allow and error.code == VANISHED):
                await self._trouble("vanished" if error.code == VANISHED else "refused", error)
                return
            found = []
        bringing = Bringing(self._ground, self, self.mirror, self.places, self._opened(self.source), self._mask)
        await self._hand_over(bringing, found, order)
        await self._remove_left([spot.folder for spot in found], order)
        async with asyncio.TaskGroup() as group:
            for spot in found:
                group.create_task(self._bring(bringing, spot, order))

    async def _bring(self, bringing: Bringing, spot: Spot, order: Order) -> None:
        try:
            await bringing.run(spot, order)
        except ComposerError as error:
            await self._trouble("failed", error)

    def _same_kind(self, found: list[Spot]) -> None:
        """A single stack does not become many, nor many one, without a word: all that ran would go."""
        single = {spot.folder == "" for spot in found}
        if self.row.apps and single != {folder == "" for folder in self.row.apps} and not self.source.allow_empty:
            what = "a single stack, and was a directory of stacks" if single == {True} else "a directory of stacks, and was a single stack"
            raise Refused(f"{self.source.path} is now {what}", hint="remove the source and add it again", code=VANISHED)

    async def _hand_over(self, bringing: Bringing, found: list[Spot], order: Order) -> None:
        """A folder that was renamed, and whose file names the stack, has its old one's stack: nothing goes down."""
        folders = {spot.folder for spot in found}
        leaving = {app.stack: app for folder, app in self.row.apps.items() if folder not in folders}
        for spot in found:
            if not leaving or spot.folder in self.row.apps:
                continue
            try:
                wish = await bringing.wish(spot.folder, order.commit)
            except (SpecError, ComposerError):
                continue  # it is said when it is brought up
            old = leaving.pop(wish.stack.name, None)
            if old is not None:
                await self._store.keep(self.row.without_app(old.folder).with_app(replace(old, folder=spot.folder)))

    async def _remove_left(self, folders: list[str], order: Order) -> None:
        """Stacks that left the source go down (never their volumes), unless pruning is off."""
        for app in [app for folder, app in self.row.apps.items() if folder not in folders]:
            if not self.source.prune:
                continue
            if app.stack and self._ground.stacks.known(app.stack):
                result = await self._ground.stacks.down(app.stack, volumes=False)
                if not result.ok:
                    raise Refused(f"stack {app.stack} left the repository, and could not be removed: {result.message}")
            await self._store.keep(self.row.without_app(app.folder))
            now = self._ground.clock()
            text = "its file left the repository; its volumes are kept"
            await self.tell(Event(now, "removed", app.stack, order.commit, text=text, cause=order.cause))

    def _sweep(self) -> None:
        """What no commit mounts that runs or ran well is removed."""
        apps = self.row.apps.values()
        if any(app.phase not in ("healthy", REFUSED) for app in apps):
            return
        wanted = {name for app in apps for name in app.content}
        sweep(self.places.content, wanted)
        sweep(self.places.secrets, wanted)


_PASSING = ("remote lost", "failed", "git missing")
_OWN = ("remote lost", "ref gone", "rewritten", "too big", "vanished", "git missing")
