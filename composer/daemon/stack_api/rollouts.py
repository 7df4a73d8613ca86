"""Rollouts between a stack's revisions: what is remembered of each, what failed and is not tried again, and where back leads to.

`pinned` is what `up` and the controller make of the resources before they plan: a service that failed as it is wanted now stays at the
revision to which it went back, until something of it changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from composer.daemon.stack_api.loader import Loaded
from composer.daemon.stack_api.revisions import (
    CURRENT,
    FAILED,
    SUPERSEDED,
    Deployed,
    Revision,
    difference,
    now,
)
from composer.daemon.stack_api.stacks import Stacks
from composer.engine.errors import EngineError, NotFound
from composer.errors import ComposerError
from composer.reconcile.model import Outcome, Ref, Resource
from composer.reconcile.rollout.model import PAUSE, ROLLBACK
from composer.spec.model import Stack


@dataclass
class Pinned:
    """``want`` with the services that stay where they are, ``wanted`` as the file says; ``stays``: by service the number of the revision
    that failed, and how."""

    want: dict[Ref, Resource]
    wanted: Mapping[Ref, Resource] = field(default_factory=dict)
    stays: dict[str, tuple[int, Deployed]] = field(default_factory=dict)

    def error(self) -> ComposerError | None:
        """What an `up` says at its end that could not bring some services to where the file says."""
        if not self.stays:
            return None
        words = "; ".join(
            f'service "{name}" stays at revision {one.runs}: revision {number} failed ({one.failed})'
            if one.action == ROLLBACK
            else f'service "{name}" stays as it is: revision {number} was paused ({one.failed})'
            for name, (number, one) in sorted(self.stays.items())
        )
        names = " ".join(sorted(self.stays))
        return ComposerError(words, hint=f"change something, or force it: composer up -d --force-recreate {names}", code="rollout-failed")


async def pinned(
    stacks: Stacks,
    stack: str,
    want: Mapping[Ref, Resource],
    *,
    forced: Collection[str] = (),
    healing: bool = False,
) -> Pinned:
    """``forced``: services that are tried whatever happened before. ``healing``: an image's name that moved is no change; meant is what the
    revision that is wanted was brought up with."""
    found = Pinned(dict(want), want)
    revisions = stacks.revisions.of(stack)
    if not revisions:
        return found
    wanted = stacks.revisions.head(stack, stacks.store.row(stack).number)
    for ref, resource in want.items():
        if ref.kind != "service":
            continue
        name = ref.name
        if resource.replicas.rollout is None:
            if healing:
                found.want[ref] = await _as_deployed(stacks, wanted, resource)
            continue
        verdict = _verdict(revisions, name, resource, healing=healing)
        good = await _previous(stacks, revisions, name, resource)
        if verdict is not None and name not in forced:
            number, deployed = verdict
            now_wanted = wanted.services.get(name) if wanted is not None else None
            if wanted is not None and now_wanted is not None and now_wanted.good and not now_wanted.failed:
                deployed = replace(deployed, runs=wanted.number, action=ROLLBACK)  # somebody has gone elsewhere since
            stay = await _stay(stacks, stack, name, resource, deployed, found)
            if stay is not None:
                found.want[ref] = stay
                found.stays[name] = number, deployed
                continue
        if healing:
            resource = await _as_deployed(stacks, wanted, resource)
        found.want[ref] = replace(resource, config=replace(resource.replicas, previous=good))
    return found


async def _as_deployed(stacks: Stacks, head: Revision | None, resource: Resource) -> Resource:
    """The service from the image that it was brought up with, wherever that image's name has moved since."""
    one = head.services.get(resource.ref.name) if head is not None else None
    if one is None or one.hash != resource.hash or not one.image_id or one.image_id == resource.replicas.image_id:
        return resource
    return await with_image_of(stacks, resource, one)


def _verdict(revisions: list[Revision], name: str, resource: Resource, *, healing: bool) -> tuple[int, Deployed] | None:
    """What became of the service as it is wanted now, when it was tried last: the revision and what failed; None: nothing did."""
    for revision in reversed(revisions):
        one = revision.services.get(name)
        if one is None or one.hash != resource.hash:
            continue
        if not healing and one.image_id != resource.replicas.image_id:
            continue
        return (revision.number, one) if one.failed else None
    return None


async def _previous(stacks: Stacks, revisions: list[Revision], name: str, resource: Resource) -> Resource | None:
    """The service of the newest revision in which it was good and another one; None: there is none, or its image or files are gone."""
    wanted = (resource.hash, resource.replicas.image_id)
    for revision in reversed(revisions):
        one = revision.services.get(name)
        if one is not None and one.good and not one.failed and one.identity != wanted:
            found = await service_of(stacks, revision, name)
            if found is not None:
                return found
    return None


async def _stay(stacks: Stacks, stack: str, name: str, resource: Resource, one: Deployed, found: Pinned) -> Resource | None:
    """The service as it is to stay. None: there is nothing to stay at."""
    try:
        revision = stacks.revisions.find(stack, one.runs)
    except NotFound:
        return None
    there = await rendered(stacks, revision)
    former = there.get(Ref("service", name))
    if former is None:
        return None
    former = await with_image_of(stacks, former, revision.services[name])
    for ref, other in there.items():  # what it is made of, where the file does not have it any more
        if ref.kind != "service" and ref.name in (*former.replicas.networks, *former.replicas.volumes):
            found.want.setdefault(ref, other)
    replicas = former.replicas
    if one.action == PAUSE:
        replicas = replace(replicas, accepts=frozenset({one.identity}))
    elif replicas.rollout is not None:  # a way back that was cut off goes on at its own pace
        replicas = replace(replicas, rollout=replace(replicas.rollout, forward=replicas.rollout.back))
    return replace(former, config=replace(replicas, scale=resource.replicas.scale), needs=resource.needs)


async def rendered(stacks: Stacks, revision: Revision) -> dict[Ref, Resource]:
    """The resources of a revision; none when its files are gone."""
    try:
        loaded = await stacks.loader.load(stacks.revisions.request(revision))
        _, found = loaded.with_services(sorted(revision.services))
    except ComposerError as error:
        stacks.log.error("a revision cannot be loaded", stack=revision.stack, revision=revision.number, error=error.message)
        return {}
    return found


async def service_of(stacks: Stacks, revision: Revision, name: str) -> Resource | None:
    """A service of a revision, made from the image that it had then. None: its files or that image are gone."""
    found = (await rendered(stacks, revision)).get(Ref("service", name))
    if found is None:
        return None
    deployed = revision.services[name]
    made = await with_image_of(stacks, found, deployed)
    return made if made.replicas.image_id == deployed.image_id or not deployed.image_id else None


async def with_image_of(stacks: Stacks, resource: Resource, deployed: Deployed) -> Resource:
    """The service from that image, named by its id where its name means another one now; as it is when the image is gone."""
    template = resource.replicas.template
    try:
        image = await stacks.engine.images.inspect(deployed.image_id or template.image)
    except EngineError:
        return resource
    try:
        same = (await stacks.engine.images.inspect(template.image)).id == image.id
    except EngineError:
        same = False
    kept = template if same else template.replace(image=image.id)
    return replace(resource, config=replace(resource.replicas, template=kept, image_id=image.id))


class Ledger:
    """The revision that a command is about: begun before anything is made, told what became of it. It is the rollouts' journal."""

    def __init__(self, stacks: Stacks, stack: Stack, want: Mapping[Ref, Resource], pins: Pinned) -> None:
        self._stacks = stacks
        self._stack = stack
        self._wanted = want  # as the file says, without pins
        self._pins = pins
        self.number = stacks.store.row(stack.name).number

    async def begin(self, loaded: Loaded, request: str, services: Collection[str], forced: Collection[str] = ()) -> int:
        """The number of the revision: the one before when nothing has changed, else a new one. Unavailable."""
        revisions = self._stacks.revisions
        name = self._stack.name
        head = revisions.head(name, self.number)
        fresh = self._revision(head, request, services, forced)
        if head is not None and head.same(fresh):
            await revisions.keep_files(name, request, loaded.project)
            kept = replace(head, request=request, services=fresh.services, status=fresh.status)
            if kept != head:
                await revisions.keep(kept)
            return self.number
        rows = revisions.of(name)
        fresh = replace(fresh, number=rows[-1].number + 1 if rows else 1, changed=difference(head, fresh))
        await revisions.add(fresh, loaded.project)
        for row in rows:
            if row.status == CURRENT:
                await revisions.keep(replace(row, status=SUPERSEDED))
        self.number = fresh.number
        return fresh.number

    def _revision(self, head: Revision | None, request: str, services: Collection[str], forced: Collection[str]) -> Revision:
        stack = self._stack
        found: dict[str, Deployed] = {}
        for ref, resource in sorted(self._wanted.items()):
            if ref.kind != "service":
                continue
            before = head.services.get(ref.name) if head is not None else None
            if ref.name not in services:
                if before is not None:
                    found[ref.name] = before  # not touched by this command
                continue
            found[ref.name] = self._deployed(ref.name, resource, before, forced)
        status = FAILED if any(one.failed for one in found.values()) else CURRENT
        others = {str(ref): resource.hash for ref, resource in sorted(self._wanted.items()) if ref.kind != "service"}
        return Revision(stack.name, self.number, request, now(), status, "", found, contents_of(stack), others)

    def _deployed(self, name: str, resource: Resource, before: Deployed | None, forced: Collection[str]) -> Deployed:
        replicas = resource.replicas
        fresh = Deployed(resource.hash, replicas.template.image, replicas.image_id, dict(resource.parts))
        if name in self._pins.stays:
            failed = self._pins.stays[name][1]
            return replace(fresh, failed=failed.failed, action=failed.action, runs=failed.runs)
        same = before is not None and before.identity == fresh.identity and name not in forced
        return replace(fresh, good=before.good) if same and before is not None else fresh

    async def failed(self, service: Resource, action: str, reason: str) -> None:
        """The rollout of a service failed: kept at once, before anything goes back."""
        head = self._stacks.revisions.head(self._stack.name, self.number)
        name = service.ref.name
        if head is None or name not in head.services:
            return
        previous = service.replicas.previous
        runs = self._number_of(name, previous) if previous is not None else 0
        failed = replace(head.services[name], good=False, failed=reason, action=action, runs=runs)
        await self._stacks.revisions.keep(replace(head.with_service(name, failed), status=FAILED))
        if runs and action == ROLLBACK:  # it is what runs
            await self._stacks.revisions.keep(replace(self._stacks.revisions.find(self._stack.name, runs), status=CURRENT))
        self._stacks.log.error("a rollout failed", stack=self._stack.name, service=name, action=action, reason=reason)

    def _number_of(self, name: str, previous: Resource) -> int:
        wanted = (previous.hash, previous.replicas.image_id)
        for revision in reversed(self._stacks.revisions.of(self._stack.name)):
            one = revision.services.get(name)
            if one is not None and one.good and one.identity == wanted:
                return revision.number
        return 0

    async def ended(self, outcomes: Collection[Outcome], services: Collection[str]) -> None:
        """What was done without a failure has proved good."""
        head = self._stacks.revisions.head(self._stack.name, self.number)
        if head is None:
            return
        bad = {outcome.action.service for outcome in outcomes if outcome.result != "done"}
        found = dict(head.services)
        for name in services:
            if name in found and name not in bad and not found[name].failed:
                found[name] = replace(found[name], good=True)
        if found != dict(head.services):
            await self._stacks.revisions.keep(replace(head, services=found))


def contents_of(stack: Stack) -> dict[str, str]:
    """ "secret NAME", "config NAME" -> digest of its content, of those whose content is known."""
    found = {}
    for kind, objects in (("secret", stack.secrets), ("config", stack.configs)):
        for name, one in sorted(objects.items()):
            if one.data is not None:
                found[f"{kind} {name}"] = hashlib.sha256(one.data).hexdigest()
    return found
