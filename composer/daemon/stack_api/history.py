"""`history`, `rollback` and `diff`: the revisions of a stack, going back to one, and in what one differs from what is wanted now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from composer.daemon.stack_api.applying import failed_services, raise_first, write_files
from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.compare import compare
from composer.daemon.stack_api.hidden import without_secrets
from composer.daemon.stack_api.loader import Loaded
from composer.daemon.stack_api.revisions import CURRENT, ROLLED_BACK, SUPERSEDED, Revision
from composer.daemon.stack_api.rollouts import Ledger, Pinned, with_image_of
from composer.daemon.stack_api.stacks import Stacks, name_of
from composer.daemon.stack_api.store import RUNNING
from composer.daemon.stack_api.up import Situation, converge
from composer.engine.errors import NotFound
from composer.errors import SpecError
from composer.reconcile.model import Policy, Ref, Resource
from composer.reconcile.observe import observe
from composer.reconcile.plan import plan

Line = dict[str, Any]


async def stack_name(stacks: Stacks, call: Call) -> str:
    """The stack that is meant, also when its file is broken now: then by the file's path. NotFound: nobody remembers it."""
    try:
        loaded = await stacks.find(call)
        name = loaded.stack.name if loaded is not None else name_of(call)
    except SpecError:
        files = ",".join(call.project.get("files") or ())
        name = name_of(call) or next((row.name for row in stacks.store if files and row.config_files == files), "")
        if not name:
            raise
    if not stacks.revisions.of(name):
        raise NotFound(f"stack {name} has no revisions", hint="`composer up -d` makes the first one")
    return name


async def history(stacks: Stacks, call: Call) -> Line:
    """``revisions``: the newest first."""
    name = await stack_name(stacks, call)
    number = stacks.store.row(name).number
    rows = [_told(revision, number) for revision in reversed(stacks.revisions.of(name))]
    return {"project": name, "revisions": rows}


def _told(revision: Revision, head: int) -> Line:
    failures = revision.failures
    notes = [f"{name}: {one.failed}" + (f"; runs revision {one.runs}" if one.runs else "") for name, one in sorted(failures.items())]
    return {
        "number": revision.number,
        "created": revision.created,
        "status": revision.status,
        "wanted": revision.number == head,
        "healthy": revision.healthy,
        "changed": revision.changed,
        "failed": notes,
        "images": {name: one.image for name, one in sorted(revision.services.items())},
        "image_ids": {name: one.image_id for name, one in sorted(revision.services.items())},
    }


def _target(stacks: Stacks, name: str, number: int | None, head: int) -> Revision:
    """The revision of that number, or the last healthy one before the one that is wanted. NotFound."""
    if number is not None:
        return stacks.revisions.find(name, number)
    for revision in reversed(stacks.revisions.of(name)):
        if revision.number < head and revision.healthy:
            return revision
    raise NotFound(f"stack {name} has no healthy revision before {head}", hint="composer history lists them; name one: composer rollback 3")


async def rollback(stacks: Stacks, call: Call) -> Line:
    """To revision ``revision``, or to the last healthy one before; its images as they were then. NotFound: a revision or image is gone."""
    name = await stack_name(stacks, call)
    async with stacks.turns.take(name, "rollback", blocked=call.blocked):
        head = stacks.store.row(name).number
        target = _target(stacks, name, call.options.number("revision"), head)
        loaded = await stacks.loader.load(stacks.revisions.request(target))
        situation = await _situation(stacks, call, loaded, target, head)
        if call.options.flag("dry_run"):
            return {"project": name, "revision": target.number, "plan": str(situation.plan), "changed": bool(situation.plan)}
        await _remember(stacks, loaded, situation, target)
        outcomes = await converge(stacks, call, situation)
        stacks.changed(name, failed_services(outcomes))
        raise_first(outcomes)
    return {"project": name, "revision": target.number, "changed": bool(outcomes)}


async def _situation(stacks: Stacks, call: Call, loaded: Loaded, target: Revision, head: int) -> Situation:
    stack, rendered = loaded.with_services(sorted(target.services))
    want: dict[Ref, Resource] = {}
    for ref, resource in rendered.items():
        want[ref] = await _as_then(stacks, target, resource) if ref.kind == "service" else resource
    have = await observe(stacks.engine, stack.name)
    before = stacks.revisions.head(stack.name, head)
    added = set(before.services) - set(target.services) if before is not None else set()
    policy = Policy(
        services=frozenset(name for name in target.services if name in stack.services),
        no_deps=True,
        remove_orphans=bool(added) or call.options.flag("remove_orphans"),
        scale=stacks.store.row(stack.name).scale,
        timeout=call.options.number("timeout"),
        known=frozenset(stack.disabled_services) - added,
    )
    return Situation(stack, want, have, policy, {}, [], plan(stack.name, want, have, policy))


async def _as_then(stacks: Stacks, target: Revision, resource: Resource) -> Resource:
    """The service from its image of then, at the pace of the way back."""
    deployed = target.services.get(resource.ref.name)
    if deployed is None:
        return resource
    found = await with_image_of(stacks, resource, deployed)
    if deployed.image_id and found.replicas.image_id != deployed.image_id:
        raise NotFound(
            f'service "{resource.ref.name}": the image {deployed.image} of revision {target.number} ({deployed.image_id[:19]}) is gone',
            hint="pull or build it again and run `up`, or go back to another revision: composer history",
        )
    rollout = found.replicas.rollout
    paced = replace(rollout, forward=rollout.back) if rollout is not None else None
    return replace(found, config=replace(found.replicas, rollout=paced))


async def _remember(stacks: Stacks, loaded: Loaded, situation: Situation, target: Revision) -> None:
    """The target is wanted from now on, whatever is said of its failures; on disk before anything is made."""
    name = situation.stack.name
    for other in stacks.revisions.of(name):
        if other.status == CURRENT and other.number != target.number:
            await stacks.revisions.keep(replace(other, status=ROLLED_BACK if other.number > target.number else SUPERSEDED))
    services = {key: replace(one, failed="", action="", runs=0) for key, one in target.services.items()}
    await stacks.revisions.keep(replace(target, status=CURRENT, services=services))
    request = await stacks.store.keep_request(name, loaded.project)
    row = stacks.store.row(name)
    gone = set(row.intent) - set(target.services)
    intent = {key: wish for key, wish in row.intent.items() if key not in gone} | dict.fromkeys(situation.policy.services or (), RUNNING)
    files = ",".join(situation.stack.files)
    await stacks.store.keep(replace(row, revision=request, number=target.number, intent=intent, config_files=files))
    await asyncio.to_thread(write_files, situation.want)
    situation.ledger = Ledger(stacks, situation.stack, situation.want, Pinned(situation.want, situation.want))


async def diff(stacks: Stacks, call: Call) -> Line:
    """What differs between revision ``revision`` (default: the last healthy one before) and the one that is wanted now."""
    name = await stack_name(stacks, call)
    head = stacks.revisions.find(name, stacks.store.row(name).number)
    target = _target(stacks, name, call.options.number("revision"), head.number)
    one, other = await _normal(stacks, target), await _normal(stacks, head)
    requests = [stacks.revisions.request(target), stacks.revisions.request(head)]
    lines = without_secrets(compare(one, other, _digests(target), _digests(head)), requests, stacks.seal.open)
    return {"project": name, "from": target.number, "to": head.number, "status": [target.status, head.status], "lines": lines}


async def _normal(stacks: Stacks, revision: Revision) -> Mapping[str, Any]:
    from composer.spec.normal import to_normal

    loaded = await stacks.loader.load(stacks.revisions.request(revision))
    stack, _ = loaded.with_services(sorted(revision.services))
    return to_normal(stack, "yaml")


def _digests(revision: Revision) -> dict[str, str]:
    """What the files do not say: the images' ids, and the content of secrets and configs."""
    images = {
        f"service {name} image id": one.image_id.removeprefix("sha256:")[:12] for name, one in revision.services.items() if one.image_id
    }
    return images | {f"{name} content": digest[:12] for name, digest in revision.contents.items()}
