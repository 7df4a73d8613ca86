"""One stack brought to one commit: files, up, gate; and back to the last healthy commit when it is bad.

Every step is remembered before it is taken, and each is decided from what is remembered and what is seen, so that a daemon that was killed
at any point goes on: an app whose phase is not an end is brought to its target again, which changes nothing where nothing is missing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

from composer.errors import ComposerError, SpecError
from composer.gitops.content import lay_out
from composer.gitops.desired import Desired, Places, desired, problems
from composer.gitops.errors import Refused, TooBig
from composer.gitops.gate import Gate, healthy
from composer.gitops.git.mirror import Mirror
from composer.gitops.git.run import GitFailed
from composer.gitops.git.tree import Tree
from composer.gitops.ground import Ground, Result
from composer.gitops.mask import Mask
from composer.gitops.model import (
    FAILED,
    GATING,
    HEALTHY,
    HELD,
    REFUSED,
    ROLLED_BACK,
    SYNCING,
    WAITING,
    App,
    Event,
    Source,
)
from composer.gitops.opened import Open, Opened
from composer.gitops.stacks import Spot, spots
from composer.gitops.window import is_open, window

_AFTER_LOOK = 0.2  # seconds between two looks at the stacks that are waited for
_LONGEST = 2000  # characters of a reason


class Notes(Protocol):
    """Where a bringing writes what it knows: the source's row and history."""

    @property
    def source(self) -> Source: ...
    def app(self, folder: str) -> App | None: ...
    async def keep(self, app: App) -> None: ...
    async def tell(self, event: Event) -> None: ...
    async def announce(self, event: Event) -> None: ...
    def owner(self, stack: str, folder: str) -> str:
        """Who else follows a stack of that name, in words; "" nobody."""
        ...


@dataclass(frozen=True)
class Order:
    """What is to be done: ``commit`` is the accepted head; ``again``: also what is quarantined; ``anytime``: also outside of the windows;
    ``cut``: set when a newer commit came; ``cause``: interval, webhook, by hand, start."""

    commit: str
    cut: asyncio.Event
    cause: str = "interval"
    anytime: bool = False


class Bringing:
    """Brings the stack at ``spot``. `run` returns when it has ended, well or not; ComposerError is for what may go away by itself."""

    def __init__(self, ground: Ground, notes: Notes, mirror: Mirror, places: Places, opened: Open, mask: Mask) -> None:
        self._ground, self._notes, self._mirror = ground, notes, mirror
        self._places, self._open, self._mask = places, opened, mask

    async def run(self, spot: Spot, order: Order) -> None:
        app = self._notes.app(spot.folder) or App("", spot.folder, since=self._ground.clock())
        target = target_of(app, order.commit, self._notes.source)
        if not target:
            return  # bad, and nothing that was healthy
        if target == app.applied and await self._settled(app):
            if app.phase in (REFUSED, HELD, WAITING) and target == order.commit:
                await self._notes.keep(replace(app, phase=HEALTHY, message=""))
            return
        if target != app.applied and target == order.commit and not await self._may(app, spot, order):
            return
        await self._bring(app, spot, target, order)

    async def _settled(self, app: App) -> bool:
        """The commit is up, its gate was passed, and the daemon has the stack as we left it."""
        ended = app.phase in (HEALTHY, ROLLED_BACK, REFUSED, HELD, WAITING, FAILED) and (app.applied == app.healthy or app.phase == FAILED)
        return ended and app.revision != "" and self._ground.stacks.revision(app.stack) == app.revision

    async def _may(self, app: App, spot: Spot, order: Order) -> bool:
        """The windows are open and the stacks that come before are healthy."""
        now = self._ground.clock()
        windows = [window(text) for text in self._notes.source.windows]
        if not order.anytime and not is_open(windows, now):
            await self._waits(app, HELD, f"commit {order.commit[:12]} waits for the sync window", order)
            return False
        loop = asyncio.get_running_loop()
        end = loop.time() + self._notes.source.gate
        while missing := [name for name in self._notes.source.after if not await healthy(self._ground.stacks, name)]:
            await self._waits(app, WAITING, f"commit {order.commit[:12]} waits until {', '.join(missing)} is healthy", order)
            if loop.time() > end or await self._cut(order, _AFTER_LOOK):
                return False
            app = self._notes.app(spot.folder) or app
        return True

    async def _waits(self, app: App, phase: str, message: str, order: Order) -> None:
        if (app.phase, app.message) != (phase, message):
            await self._notes.keep(replace(app, phase=phase, message=message, since=self._ground.clock()))
            await self._notes.tell(
                Event(self._ground.clock(), "waiting", app.stack or app.folder, order.commit, text=message, cause=order.cause)
            )

    async def _cut(self, order: Order, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await order.cut.wait()
            return True
        except TimeoutError:
            return False

    async def _bring(self, app: App, spot: Spot, commit: str, order: Order) -> None:
        begun = self._ground.clock()
        back = commit != order.commit
        try:
            wish = await self.wish(spot.folder, commit)
        except (SpecError, Refused, TooBig) as error:  # the commit's fault; anything else may go away by itself
            why = "\n".join(problems(error)) if isinstance(error, SpecError) else error.message
            await self._refuse(app, commit, why, order, begun)
            return
        objection = self._objection(spot, wish)
        if objection:
            await self._refuse(app, commit, objection, order, begun)
            return
        before = replace(app, stack=wish.stack.name)
        app = replace(app, stack=wish.stack.name, applied=commit, phase=SYNCING, message="", since=begun, secrets=bool(wish.layout.secrets))
        app = replace(app, content=tuple(dict.fromkeys((*app.content, *wish.layout.trees, *wish.layout.secrets))))
        await self._mirror.keep(_ref(spot, "applied"), commit)
        await self._notes.keep(app)
        if not back:
            await self._notes.announce(Event(begun, SYNCING, app.stack, commit, cause=order.cause))
        cut = asyncio.Event() if back else order.cut  # going back is not cut: what comes next begins from there
        result = await self._up(wish, cut)
        if result.cut and not result.ok:
            await self._notes.keep(replace(app, message="a newer commit came"))
            return
        if (result.invalid or result.passing) and not back:
            await self._notes.keep(before)
            await self._refuse(before, commit, result.message or "\n".join(result.said), order, begun, again=result.passing)
            return
        why = "" if result.ok else result.message or "\n".join(result.said) or "it could not be brought up"
        if not why:
            app = replace(app, phase=GATING, revision=self._ground.stacks.revision(app.stack))
            await self._notes.keep(app)
            why = await Gate(self._ground.stacks, app.stack).passed(self._notes.source.gate, cut)
        if why == "cut":
            await self._notes.keep(replace(app, message="a newer commit came"))
        elif why:
            await self._failed(app, spot, commit, why, order, begun, result)
        else:
            await self._succeeded(app, spot, wish, order, begun, result)

    async def wish(self, folder: str, commit: str) -> Desired:
        """What the commit wants of the stack in ``folder``, laid out. SpecError, Refused, Undecryptable, TooBig."""
        tree = await Tree.of(self._mirror, commit)
        there = next((one for one in spots(tree, self._notes.source.path) if one.folder == folder), None)
        if there is None:
            raise Refused(f"commit {commit[:12]} has no stack in {folder or self._notes.source.path}")
        wish = await desired(self._notes.source, there, tree, self._places, self._opened, self._ground.seal)
        await lay_out(wish.layout, tree)
        return wish

    def _opened(self, path: str, data: bytes) -> Opened:
        """What is decrypted is hidden from then on, also in the message that says what is wrong with it."""
        found = self._open(path, data)
        self._mask.learn(found.values)
        return found

    def _objection(self, spot: Spot, wish: Desired) -> str:
        owner = self._notes.owner(wish.stack.name, spot.folder)
        if owner:
            return f"the stack {wish.stack.name} is that of {owner} already: give it another name (`name:` in the file, or --stack)"
        if wish.stack.services or self._notes.source.allow_empty:
            return ""
        return "the stack has no services: what runs stays (--allow-empty lets a commit remove all)"

    async def _up(self, wish: Desired, cut: asyncio.Event) -> Result:
        try:
            result = await self._ground.stacks.up(wish.project, prune=self._notes.source.prune, build=wish.builds, cut=cut)
        except ComposerError as error:
            result = Result(False, error.message)
        return replace(
            result,
            message=self._mask.hide(result.message),
            said=tuple(self._mask.hide(text) for text in result.said),
            did=tuple(self._mask.hide(text) for text in result.did),
        )

    # How it ends.

    async def _refuse(self, app: App, commit: str, why: str, order: Order, begun: float, *, again: bool = False) -> None:
        """Nothing was touched: what runs stays. The commit is quarantined, unless it is tried ``again`` at the next look (an image that is
        not pushed yet, a port that another program has)."""
        why = self._mask.hide(why)[:_LONGEST]
        message = f"commit {commit[:12]} is refused{', and tried again' if again else ''}: {why}"
        if again and app.message == message:
            return  # said already
        app = replace(app if again else app.quarantined(commit, why), phase=REFUSED, message=message, since=begun)
        await self._notes.keep(app)
        await self._event("refused", app, commit, why, order, begun)

    async def _succeeded(self, app: App, spot: Spot, wish: Desired, order: Order, begun: float, result: Result) -> None:
        back = wish.commit != order.commit
        await self._mirror.keep(_ref(spot, "healthy"), wish.commit)
        gone = await self._prune(app, wish)
        left = await self._left(wish)
        phase, message = HEALTHY, ""
        if back:
            phase, message = ROLLED_BACK, f"commit {order.commit[:12]} is quarantined: {app.bad.get(order.commit, '')}"
        current = tuple(dict.fromkeys((*wish.layout.trees, *wish.layout.secrets)))
        app = replace(app, phase=phase, message=message[:_LONGEST], healthy=wish.commit, left=left, content=current)
        await self._notes.keep(replace(app, since=self._ground.clock()))
        await self._event("rolled back" if back else "synced", app, wish.commit, message, order, begun, (*result.did, *gone))

    async def _failed(self, app: App, spot: Spot, commit: str, why: str, order: Order, begun: float, result: Result) -> None:
        why = self._mask.hide(why)
        if commit != order.commit or commit == app.healthy:  # a rollback, or drift that could not be mended: nothing older is tried
            message = f"{'rollback to' if commit != order.commit else 'bringing back'} commit {commit[:12]} failed: {why}"[:_LONGEST]
            await self._notes.keep(replace(app, phase=FAILED, message=message, since=self._ground.clock()))
            await self._event("failed", app, commit, message, order, begun, result.did)
            return
        why = why[:_LONGEST]
        app = replace(app.quarantined(commit, why), phase=FAILED, message=f"commit {commit[:12]} failed: {why}", since=self._ground.clock())
        await self._notes.keep(app)
        await self._event("failed", app, commit, why, order, begun, result.did)
        if self._notes.source.rollback and app.healthy:
            await self._bring(app, spot, app.healthy, order)

    async def _event(self, kind: str, app: App, commit: str, text: str, order: Order, begun: float, did: tuple[str, ...] = ()) -> None:
        try:
            subject = await self._mirror.subject(commit)
        except GitFailed:
            subject = ""
        now = self._ground.clock()
        await self._notes.tell(Event(now, kind, app.stack, commit, subject, text, order.cause, round(now - begun, 3), did))

    async def _prune(self, app: App, wish: Desired) -> tuple[str, ...]:
        """Networks that left the file and that nothing uses (containers went with `up`)."""
        if not self._notes.source.prune:
            return ()
        kept = {network.name for network in wish.stack.declared.networks.values()}
        gone = [name for name in await self._ground.stacks.networks(app.stack) if name not in kept]
        return tuple(f"Network {name} Removed" for name in await self._ground.stacks.remove_networks(gone))

    async def _left(self, wish: Desired) -> tuple[str, ...]:
        """Volumes of the stack that left the file; they are kept until somebody says otherwise."""
        kept = {volume.name for volume in wish.stack.declared.volumes.values()}
        return tuple(name for name in await self._ground.stacks.volumes(wish.stack.name) if name not in kept)


def target_of(app: App, head: str, source: Source) -> str:
    """The commit that the app is to be at: the head, unless it is quarantined; then the last healthy one, or what is there."""
    if head not in app.bad:
        return head
    if app.phase == REFUSED or not source.rollback:
        return app.applied
    return app.healthy if app.healthy and app.healthy not in app.bad else ""


def _ref(spot: Spot, what: str) -> str:
    folder = "".join(char if char.isalnum() or char in "-_" else "-" for char in spot.folder) or "stack"
    return f"{folder}/{what}"
