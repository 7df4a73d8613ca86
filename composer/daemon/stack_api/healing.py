"""Healing one stack: the same observe, plan and apply as `up`, for the services that are meant to run, without anyone at the keyboard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from composer.daemon.stack_api.applying import write_files
from composer.daemon.stack_api.stacks import Stacks
from composer.daemon.stack_api.store import StackRow
from composer.daemon.stack_api.up import with_images
from composer.errors import ComposerError
from composer.reconcile.check import check_externals
from composer.reconcile.execute import Cancelled, Execution
from composer.reconcile.images import ImagePolicy, image_work, local_images, provide
from composer.reconcile.model import Live, Outcome, Plan, Policy, Progress, Ref, Resource
from composer.reconcile.observe import observe
from composer.reconcile.operate import replicas
from composer.reconcile.order import selected, services_of
from composer.reconcile.plan import plan
from composer.spec.model import Stack

_PATIENCE = 600.0  # seconds for a condition of `depends_on`, after which it is tried again


class Healing:
    """``heal`` is what the controller calls for a stack that may have drifted."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks

    def names(self) -> list[str]:
        """The stacks that are looked after."""
        return [row.name for row in self._stacks.store if row.active]

    async def heal(self, name: str) -> frozenset[str] | None:
        """Look, and put right. Returns the services that could not be, None when a command is at work; nothing is raised."""
        if not self._stacks.store.row(name).active:
            return frozenset()
        if self._stacks.turns.busy(name):
            return None
        running: list[Execution] = []
        gone = False

        def give_way() -> None:
            nonlocal gone
            gone = True
            for execution in running:
                execution.cancel()

        try:
            async with self._stacks.turns.take(name, "healing", give_way=give_way):
                return await self._heal(name, running, lambda: gone)
        except ComposerError as error:
            self._stacks.log.error("a stack cannot be put right", stack=name, error=error.message)
            return self._stacks.store.row(name).active
        except Exception as error:  # the loop must go on for the other stacks
            self._stacks.log.error("healing a stack failed", stack=name, exc_info=error)
            return self._stacks.store.row(name).active

    async def _heal(self, name: str, running: list[Execution], gone: Callable[[], bool]) -> frozenset[str]:
        stacks = self._stacks
        row = stacks.store.row(name)
        if not row.active:
            return frozenset()
        have = await observe(stacks.engine, name)
        if row.boot not in ("", stacks.place.boot):
            have = {ref: replace(live, lost=_went_down(live, row)) for ref, live in have.items()}
        stack, want, policy = await self._wanted(row)
        check_externals(want, have, selected(services_of(want), policy))
        found = plan(name, want, have, policy)
        if found and not gone():
            want = await self._images(stack, want, found)
            await asyncio.to_thread(write_files, want)
            for action in found.actions:
                stacks.log.info("healing", stack=name, action=action.key, cause=action.cause)
            execution = Execution(stacks.engine, name, want, have, _unheard)
            running.append(execution)
            outcomes = await execution.run(found, patience=_PATIENCE)
            have = await observe(stacks.engine, name)
            failed = self._told(name, outcomes)
            if failed:
                return failed
        if not gone():
            await self._note(row, have)
        return frozenset()

    async def _wanted(self, row: StackRow) -> tuple[Stack, Mapping[Ref, Resource], Policy]:
        stored = self._stacks.store.request(row.name)
        if stored is None:
            raise ComposerError(f"the files of stack {row.name} are not stored", hint="run `up` with its file again")
        loaded = await self._stacks.loader.load(stored)
        stack, rendered = loaded.with_services(sorted(row.active))
        services = row.active & frozenset(stack.services)
        images = await local_images(self._stacks.engine, stack, services)
        policy = Policy(services=services, no_deps=True, scale=row.scale, healing=True, known=frozenset(stack.disabled_services))
        return stack, with_images(rendered, images), policy

    async def _images(self, stack: Stack, want: Mapping[Ref, Resource], found: Plan) -> dict[Ref, Resource]:
        """Pull or build what a container is to be made from and is not here."""
        names = {action.service for action in found.actions if action.verb == "create" and action.service}
        here = await local_images(self._stacks.engine, stack, names)
        missing = ImagePolicy(pull="missing")
        work = [item for item in image_work(stack, names, here, missing, datetime.now(UTC)) if here.get(item.image) is None]
        if not work:
            return dict(want)
        await provide(self._stacks.engine, stack, work, _unheard, missing)
        return with_images(want, await local_images(self._stacks.engine, stack, names))

    def _told(self, name: str, outcomes: list[Outcome]) -> frozenset[str]:
        failed = set()
        for outcome in outcomes:
            if outcome.result != "done" and not isinstance(outcome.error, Cancelled):
                failed.add(outcome.action.service)
                if outcome.error is not None:
                    self._stacks.log.error("healing failed", stack=name, action=outcome.action.key, error=str(outcome.error))
        return frozenset(failed)

    async def _note(self, row: StackRow, have: Mapping[Ref, Live]) -> None:
        """Which containers run: after the machine's next start these are to run again."""
        ran = tuple(sorted(live.id for live in replicas(row.name, have) if live.running))
        if self._stacks.store.known(row.name):
            current = self._stacks.store.row(row.name)
            await self._stacks.store.keep(replace(current, ran=ran, boot=self._stacks.place.boot), durable=False)


def _went_down(live: Live, row: StackRow) -> bool:
    """Whether the machine's end took it: it ran when last looked at, or its policy would have it running."""
    policy = str(live.limits.get("restart", "")).partition(":")[0]
    return live.id in row.ran or policy == "always" or (policy == "unless-stopped" and not live.by_request)


def _unheard(_: Progress) -> None:
    return
