"""All sources together: added, removed, asked, suspended; each followed by a task of its own. What the daemon's routes call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from composer.engine.errors import Conflict, InvalidArgument, NotFound
from composer.engine.local.files import remove_tree
from composer.engine.local.state import State
from composer.gitops.describe import describe, describe_event
from composer.gitops.errors import Refused, RemoteLost
from composer.gitops.follow import Follower, Wish
from composer.gitops.git.remote import secret
from composer.gitops.ground import Ground
from composer.gitops.mask import Mask
from composer.gitops.memory import release
from composer.gitops.metrics import Metrics
from composer.gitops.model import SYNCING, App, Event, Row, Source, Suspension
from composer.gitops.opened import Open
from composer.gitops.read import source_of
from composer.gitops.report import Reporter
from composer.gitops.secrets import opener
from composer.gitops.store import Store, new_secret
from composer.gitops.webhook import BODY_MAX, HookRefused, Rate, about, verify

_HOOKS_A_SECOND, _HOOKS_AT_ONCE = 2.0, 20  # of one source
_LAST_REPORTS = 3.0  # seconds for what is still to be told when the daemon ends
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Fleet:
    """Made once over the daemon's state; `start` begins to follow what is remembered; `close` ends that, stacks run on."""

    def __init__(self, state: State, ground: Ground) -> None:
        self.ground = ground
        self.store = Store(state)
        self.mask = Mask()
        self.metrics = Metrics(lambda: [self.status(name) for name in self.store.names()])
        self._reporter = Reporter(ground.log, self.mask.hide)
        self._reporting: asyncio.Task[None] | None = None
        self._rate = Rate(_HOOKS_A_SECOND, _HOOKS_AT_ONCE, ground.clock)
        self._followers: dict[str, Follower] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Lay out again what a reboot took from tmpfs, before anybody starts what mounts it; then follow."""
        for name in self.store.names():
            self._follow(name)
            await self._followers[name].restore()

    def run(self) -> None:
        """Begin to follow."""
        for name, follower in self._followers.items():
            if name not in self._tasks:
                self._tasks[name] = asyncio.create_task(follower.run())

    async def close(self) -> None:
        for name in list(self._tasks):
            await self._leave(name)
        if self._reporting is not None:
            await self._reporter.drain(_LAST_REPORTS)
            self._reporting.cancel()
            with suppress(asyncio.CancelledError):
                await self._reporting

    def _follow(self, name: str) -> Follower:
        follower = Follower(self.ground, self.store, name, self._opened, self._told, self.mask)
        self._followers[name] = follower
        return follower

    async def _leave(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        self._followers.pop(name, None)
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _opened(self, source: Source) -> Open:
        return opener(source.age_keys)

    async def _told(self, source: Source, event: Event) -> None:
        if event.kind != SYNCING:
            self.metrics.count(source.name, event)
        if source.report.kind or source.notify:
            if self._reporting is None:
                self._reporting = asyncio.create_task(self._reporter.run())
            self._reporter.tell(source, event)

    def _row(self, name: str) -> Row:
        row = self.store.get(name)
        if row is None:
            known = ", ".join(self.store.names())
            raise NotFound(f"no source is called {name}", hint=f"there are: {known}" if known else "composer gitops add NAME --repo URL")
        return row

    # What is asked.

    async def add(self, wanted: Mapping[str, Any], *, replace_: bool = False, hook: bool = False, wait: bool = True) -> dict[str, Any]:
        """Follow it from now on; the first look is made at once. ``hook``: make a secret for webhooks, which is told in the answer this
        once. Conflict: there is one of that name."""
        source = source_of(wanted, self.ground.clock())
        if not _NAME.fullmatch(source.name):
            raise InvalidArgument(f"not a name: {source.name!r}", hint="lower case letters, digits, - and _; such as shop")
        old = self.store.get(source.name)
        if old is not None and not replace_:
            raise Conflict(f"a source is called {source.name} already", hint="composer gitops rm it first, or add it with --replace")
        made = ""
        if hook and not source.hook_secret_file:
            path = self.ground.root / source.name / "webhook.secret"
            if not (old is not None and path.exists()):
                made = await asyncio.to_thread(new_secret, path)
            source = replace(source, hook_secret_file=str(path))
        row = Row(source)
        if old is not None:
            await self._leave(source.name)
            row = replace(old, source=source)
            if (old.source.repo, old.source.ref) != (source.repo, source.ref):
                row = replace(row, standing=Row(source).standing)
        await self.store.keep(row)
        follower = self._follow(source.name)
        self.run()
        if wait:
            await follower.sync(Wish("by hand"))
        return {**self.status(source.name), **({"webhook_secret": made} if made else {})}

    async def remove(self, name: str, *, down: bool = False, volumes: bool = False) -> dict[str, Any]:
        """Follow it no longer. ``down``: its stacks go, too; else they run on and are kept as they are."""
        row = self._row(name)
        await self._leave(name)
        gone: list[str] = []
        for app in row.apps.values():
            if down and app.stack:
                result = await self.ground.stacks.down(app.stack, volumes=volumes)
                if not result.ok:
                    self._follow(name)
                    self.run()
                    raise Refused(f"stack {app.stack} cannot be removed: {result.message}")
                gone.append(app.stack)
        if not down and any(app.content for app in row.apps.values()):
            kept = "what its containers mount from the repository stays in place"
        else:
            kept = ""
            await asyncio.to_thread(remove_tree, self.ground.run / name)
            await asyncio.to_thread(release, self.ground.run)
            await asyncio.to_thread(remove_tree, self.ground.root / name)
        await self.store.forget(name)
        return {"name": name, "removed": gone, "kept": [app.stack for app in row.apps.values() if app.stack not in gone], "note": kept}

    async def sync(self, name: str, wish: Wish, *, volumes: bool = False, wait: bool = True) -> dict[str, Any]:
        """Look now, and ``wait`` until what comes of it has ended. ``volumes``: remove the volumes that left the file."""
        row = self._row(name)
        if row.suspension is not None and not self._expired(row.suspension):
            raise Conflict(f"{name} is suspended: {row.suspension.reason or 'no reason given'}", hint=f"composer gitops resume {name}")
        if not wait:
            self._followers[name].wake(wish)
            return self.status(name)
        await self._followers[name].sync(wish)
        if volumes:
            for app in self._row(name).apps.values():
                await self._drop_volumes(name, app)
        return self.status(name)

    async def _drop_volumes(self, name: str, app: App) -> None:
        gone = await self.ground.stacks.remove_volumes(app.left)
        if gone:
            await self.store.keep(self._row(name).with_app(replace(app, left=tuple(one for one in app.left if one not in gone))))
            text = f"volumes removed, as confirmed: {', '.join(gone)}"
            await self._followers[name].tell(Event(self.ground.clock(), "pruned", app.stack, app.applied, text=text, cause="by hand"))

    def _expired(self, suspension: Suspension) -> bool:
        return bool(suspension.until) and self.ground.clock() >= suspension.until

    async def suspend(self, name: str, reason: str, seconds: float) -> dict[str, Any]:
        """Nothing is fetched or brought up until it is resumed, or ``seconds`` have gone by (0: no end). What runs is still healed."""
        row = self._row(name)
        now = self.ground.clock()
        await self.store.keep(replace(row, suspension=Suspension(reason, now, now + seconds if seconds else 0.0)))
        await self._followers[name].tell(Event(now, "suspended", text=reason, cause="by hand"))
        self._followers[name].wake(Wish("by hand"))
        return self.status(name)

    async def resume(self, name: str) -> dict[str, Any]:
        row = self._row(name)
        if row.suspension is None:
            raise Conflict(f"{name} is not suspended")
        await self.store.keep(replace(row, suspension=None))
        await self._followers[name].tell(Event(self.ground.clock(), "resumed", cause="by hand"))
        self._followers[name].wake(Wish("by hand"))
        return self.status(name)

    async def hooked(self, name: str, headers: Mapping[str, str], body: Callable[[int], Awaitable[bytes]]) -> str:
        """A webhook for the source; what its sender is told. ``body``: reads at most so many bytes. HookRefused, HookTooMany, NotFound."""
        row = self.store.get(name)
        if row is None or not row.source.hook_secret_file:
            self._rate.take("")  # whoever guesses names is slowed down, too
            raise NotFound("no webhook is expected here")
        outcome = "too-many"
        try:
            self._rate.take(name)
            outcome = "refused"
            data = await body(BODY_MAX)
            verify(headers, data, await self._hook_secret(row.source), self.ground.clock())
            verdict = about(headers, data, row.source.ref)
            outcome = "accepted" if verdict.looks else "ignored"
        finally:
            self.metrics.hook(name, outcome)
        if verdict.looks:
            self._followers[name].wake(Wish("webhook"))
        return verdict.text

    async def _hook_secret(self, source: Source) -> str:
        try:
            return await asyncio.to_thread(secret, source.hook_secret_file)
        except RemoteLost as error:  # where it lies is no stranger's business
            self.ground.log.error("a webhook cannot be checked", source=source.name, error=error.message)
            raise HookRefused("the webhook cannot be checked now") from error

    def names(self) -> list[str]:
        return self.store.names()

    def status(self, name: str) -> dict[str, Any]:
        row = self._row(name)
        follower = self._followers.get(name)
        return describe(row, self.ground.clock(), follower.next_look if follower else 0.0, follower is not None and follower.busy)

    def history(self, name: str) -> list[dict[str, Any]]:
        """Newest last."""
        self._row(name)
        return [describe_event(event) for event in self.store.history(name)]
