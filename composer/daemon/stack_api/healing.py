"""Healing one stack: the same observe, plan and apply as `up`, for the services that are meant to run, without anyone at the keyboard.

What is found is judged by `judging`, kept in the `journal`, and told in one line of the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from composer.daemon.stack_api.applying import write_files
from composer.daemon.stack_api.judging import CURED, Look, Verdict, differences, healed, restarted, unhealed, verdict
from composer.daemon.stack_api.reconciled import reconciled
from composer.daemon.stack_api.rollouts import Ledger, Pinned, pinned
from composer.daemon.stack_api.stacks import Stacks
from composer.daemon.stack_api.store import StackRow
from composer.daemon.stack_api.up import with_images
from composer.errors import ComposerError
from composer.reconcile.ailment import ailments
from composer.reconcile.check import check_externals
from composer.reconcile.controller import Hint
from composer.reconcile.execute import Cancelled, Execution
from composer.reconcile.images import ImagePolicy, image_work, local_images, provide
from composer.reconcile.model import Live, Outcome, Plan, Policy, Progress, Ref, Resource
from composer.reconcile.observe import observe
from composer.reconcile.operate import replicas
from composer.reconcile.order import selected, services_of
from composer.reconcile.plan import plan
from composer.spec.care import Care, care_of
from composer.spec.model import Stack

_PATIENCE = 600.0  # seconds for a condition of `depends_on`, after which it is tried again
_NO_HINTS: Mapping[str, Hint] = {}


@dataclass
class _Scene:
    """All that a healing is made from. ``absent``: of services whose image is not here, its name."""

    row: StackRow
    stack: Stack
    want: dict[Ref, Resource]
    have: dict[Ref, Live]
    policy: Policy
    cares: Mapping[str, Care]
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def services(self) -> dict[str, Resource]:
        chosen = self.policy.services or frozenset()
        return {name: resource for name, resource in services_of(self.want).items() if name in chosen}

    def todo(self, found: Plan) -> Plan:
        """Without what belongs to services that are only reported."""
        healing = frozenset(name for name, care in self.cares.items() if care.drift == "heal")
        if healing == self.policy.services:
            return found
        return plan(self.row.name, self.want, self.have, replace(self.policy, services=healing))


def _held(row: StackRow, want: Mapping[Ref, Resource], have: Mapping[Ref, Live]) -> dict[Ref, Resource]:
    """What is wanted; of services that the last command left as they were, as they are."""
    found = dict(want)
    for service, hashed in row.held.items():
        lives = replicas(row.name, have, [service])
        if Ref("service", service) in found and lives and all(live.hash == hashed for live in lives):
            found[Ref("service", service)] = replace(found[Ref("service", service)], hash=hashed)
    return found


class Healing:
    """``heal`` is what the controller calls for a stack that may have drifted. ``clock``: seconds since 1970."""

    def __init__(self, stacks: Stacks, *, clock: Callable[[], float] = time.time) -> None:
        self._stacks = stacks
        self._clock = clock
        self.lost_mounts: dict[str, str] = {}  # container's id -> what is not mounted in it any more

    def names(self) -> list[str]:
        """The stacks that are looked after."""
        return [row.name for row in self._stacks.store if row.active]

    async def heal(self, name: str, hints: Mapping[str, Hint] = _NO_HINTS) -> frozenset[str] | None:
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
                return await self._heal(Look(name, self._clock(), hints), running, lambda: gone)
        except ComposerError as error:
            self._stacks.log.error("a stack cannot be put right", stack=name, error=error.message)
            return self._stacks.store.row(name).active
        except Exception as error:  # the loop must go on for the other stacks
            self._stacks.log.error("healing a stack failed", stack=name, exc_info=error)
            return self._stacks.store.row(name).active

    async def _heal(self, look: Look, running: list[Execution], gone: Callable[[], bool]) -> frozenset[str]:
        scene = await self._scene(look.stack)
        if scene is None:
            return frozenset()
        found = plan(look.stack, scene.want, scene.have, scene.policy)
        grouped = differences(look, found)
        todo = scene.todo(found)
        verdicts = self._verdicts(look, scene)
        drifts = [*unhealed(grouped, todo, scene.cares), *(one.drift for one in verdicts if one.cure is None)]
        touched = {str(action.ref) for action in todo.actions}
        cures = [one for one in verdicts if one.cure is not None and one.drift.subject not in touched]
        grouped.update({f"{one.drift.subject} {one.drift.kind}": (one.drift, [one.cure]) for one in cures if one.cure is not None})
        failed: frozenset[str] = frozenset()
        work = Plan((*todo.actions, *(one.cure for one in cures if one.cure is not None)), todo.notes)
        if work and not gone():
            outcomes = await self._apply(look, scene, work, running)
            drifts += healed(grouped, outcomes, self._clock())
            failed = self._told(look.stack, outcomes)
        ill = {one.drift.subject for one in verdicts}
        lasting = self._stacks.journal.open(look.stack)
        drifts += [one for one in restarted(look, replicas(look.stack, scene.have), lasting) if one.subject not in ill]
        await self._stacks.journal.see(look.stack, drifts, self._clock())
        waits = [one.wait for one in verdicts if one.wait]
        if waits:
            self._stacks.later(look.stack, min(waits))
        if not failed and not gone():
            await self._note(scene.row, await observe(self._stacks.engine, look.stack) if work else scene.have)
        return failed

    async def _scene(self, name: str) -> _Scene | None:
        stacks = self._stacks
        row = stacks.store.row(name)
        if not row.active:
            return None
        have = await observe(stacks.engine, name)
        if row.boot not in ("", stacks.place.boot):
            have = {ref: replace(live, lost=_went_down(live, row)) for ref, live in have.items()}
        stored = stacks.store.request(name)
        if stored is None:
            raise ComposerError(f"the files of stack {name} are not stored", hint="run `up` with its file again")
        loaded = await stacks.loader.load(stored)
        stack, rendered = loaded.with_services(sorted(row.active))
        services = row.active & frozenset(stack.services)
        images = await local_images(stacks.engine, stack, services)
        known = frozenset({*stack.services, *stack.disabled_services})
        policy = Policy(services=services, no_deps=True, scale=row.scale, healing=True, known=known)
        want = (await pinned(stacks, name, with_images(rendered, images), healing=True)).want
        want = _held(row, want, have)
        check_externals(want, have, selected(services_of(want), policy))
        names = {service: rendered[Ref("service", service)].replicas.template.image for service in services}
        absent = {service: image for service, image in names.items() if images.get(image) is None}
        return _Scene(row, stack, want, have, policy, {service: care_of(stack.services[service]) for service in services}, absent)

    def _verdicts(self, look: Look, scene: _Scene) -> list[Verdict]:
        """What is done about each ailment."""
        journal = self._stacks.journal
        lives = replicas(look.stack, scene.have)
        here = {live.id for live in lives}
        self.lost_mounts = {ident: what for ident, what in self.lost_mounts.items() if ident in here}
        found = ailments(lives, scene.services, steady=look.steady, lost_mounts=self.lost_mounts, images=scene.absent)
        return [verdict(look, one, scene.cares[one.service], lambda s: journal.healed(look.stack, s, CURED)) for one in found]

    async def _apply(self, look: Look, scene: _Scene, work: Plan, running: list[Execution]) -> list[Outcome]:
        began = self._clock()
        want = await self._images(scene.stack, scene.want, work)
        await asyncio.to_thread(write_files, want)
        ledger = Ledger(self._stacks, scene.stack, want, Pinned(want))
        execution = Execution(self._stacks.engine, look.stack, want, scene.have, _unheard, journal=ledger)
        running.append(execution)
        outcomes = await execution.run(work, patience=_PATIENCE)
        for outcome in outcomes:
            if outcome.action.verb == "restart" and outcome.result == "done":
                self.lost_mounts.pop(outcome.action.id, None)
        await ledger.ended(outcomes, {outcome.action.service for outcome in outcomes if outcome.action.verb == "roll"})
        await reconciled(self._stacks, look.stack, "healing", began, outcomes)
        return outcomes

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

    def _told(self, name: str, outcomes: Collection[Outcome]) -> frozenset[str]:
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
