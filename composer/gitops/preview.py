"""What a pull request would do: the plan from the stacks of one commit to those of another, without an engine, touching nothing.

The stacks of the base are made in memory (`composer.engine.memory`), looked at as if they ran well, and planned against the head by the
same planner that `up` uses. What containers mount from the repository counts by its content, as when a daemon follows the repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from composer.engine.memory import MemoryEngine
from composer.errors import ComposerError, SpecError
from composer.gitops.checkout import Checkout
from composer.gitops.desired import Desired, Places, desired, problems
from composer.gitops.errors import Refused
from composer.gitops.git.tree import Tree
from composer.gitops.model import Source
from composer.gitops.opened import Open, Opened
from composer.gitops.secrets import age, sops
from composer.gitops.stacks import VANISHED, Spot, spots
from composer.reconcile.execute import Execution
from composer.reconcile.model import Live, Plan, Policy, Progress, Ref
from composer.reconcile.observe import observe
from composer.reconcile.plan import plan
from composer.reconcile.render import Site, image_of, render


@dataclass(frozen=True)
class Change:
    """What becomes of one stack. ``before``, ``after``: None when it is not there. ``wrong``: why the head cannot be brought up."""

    name: str
    plan: Plan
    before: Desired | None = None
    after: Desired | None = None
    wrong: tuple[str, ...] = ()
    built: tuple[str, ...] = ()  # services whose build context changed
    left: tuple[str, ...] = ()  # volumes that leave the file

    def __bool__(self) -> bool:
        return bool(self.plan or self.wrong or self.built or self.left)


@dataclass(frozen=True)
class Preview:
    base: str
    head: str
    changes: tuple[Change, ...]


async def preview(checkout: Checkout, span: str, path: str, files: tuple[str, ...], source: Source, opened: Open) -> Preview:
    """``span``: BASE..HEAD. ``path``: a stack file or directory in the repository; ``files``: several files of one stack, instead."""
    base, head = await checkout.range(span)
    old, new = await checkout.tree(base), await checkout.tree(head)
    before, after = _spots(old, path, files), _spots(new, path, files)
    if not before and not after:
        raise Refused(
            f"neither commit has a stack in {path or 'the repository'}", hint="name the stack file: composer -f FILE plan --git ..."
        )
    changes = []
    for folder in sorted({*before, *after}):
        changes.append(await _change(checkout, source, opened, (old, before.get(folder)), (new, after.get(folder))))
    return Preview(base, head, tuple(changes))


def _spots(tree: Tree, path: str, files: tuple[str, ...]) -> dict[str, Spot]:
    if files:
        there = tuple(file for file in files if tree.find(file).entry is not None)
        return {"": Spot("", there)} if there else {}
    try:
        return {spot.folder: spot for spot in spots(tree, path)}
    except Refused as error:
        if error.code == VANISHED:
            return {}
        raise


async def _change(checkout: Checkout, source: Source, opened: Open, old: tuple[Tree, Spot | None], new: tuple[Tree, Spot | None]) -> Change:
    places = Places(checkout.top, Path("/content"), Path("/secrets"))
    before: Desired | None = None
    after: Desired | None = None
    if old[1] is not None:
        with suppress(SpecError, Refused):  # a base that was wrong had nothing that ran
            before = await desired(source, old[1], old[0], places, opened, _unsealed)
    if new[1] is not None:
        try:
            after = await desired(source, new[1], new[0], places, opened, _unsealed)
        except SpecError as error:
            return Change(_name(before, new[1]), Plan(), before, None, problems(error))
        except Refused as error:
            return Change(_name(before, new[1]), Plan(), before, None, (error.message,))
    try:
        found = await _plan(before, after)
    except ComposerError as error:
        return Change(_name(after or before, new[1] or old[1]), Plan(), before, after, (error.message,))
    return Change(
        _name(after or before, None), found, before, after, (), _built(before, after, old[0], new[0], checkout), _left(before, after)
    )


def _name(one: Desired | None, spot: Spot | None) -> str:
    return one.stack.name if one is not None else (spot.name or spot.files[0]) if spot is not None else ""


def _unsealed(data: bytes) -> str:
    """Nothing is sent anywhere."""
    return ""


async def _plan(before: Desired | None, after: Desired | None) -> Plan:
    name = after.stack.name if after is not None else before.stack.name if before is not None else ""
    site = Site()
    have = await _as_running(before, name, site) if before is not None and before.stack.name == name else {}
    want = render(after.stack, site) if after is not None else {}
    known = frozenset(after.stack.disabled_services) if after is not None else frozenset()
    return plan(name, want, have, Policy(remove_orphans=True, known=known))


async def _as_running(one: Desired, name: str, site: Site) -> Mapping[Ref, Live]:
    """What there is when the stack runs well."""
    engine = MemoryEngine()
    try:
        for service in one.stack.services.values():
            engine.add_image(image_of(one.stack, service))
        want = render(one.stack, site)
        made = plan(name, want, await observe(engine, name), Policy(start=False))
        await Execution(engine, name, want, {}, _unheard).run(made)
        have = await observe(engine, name)
    finally:
        await engine.close()
    return {
        ref: replace(live, state="running", started="2000-01-01T00:00:00Z", image_id="") if ref.kind == "container" else live
        for ref, live in have.items()
    }


def _unheard(_: Progress) -> None:
    return


def _built(before: Desired | None, after: Desired | None, old: Tree, new: Tree, checkout: Checkout) -> tuple[str, ...]:
    """Services of both whose build context is another one."""
    if before is None or after is None or before.written is None or after.written is None:
        return ()
    found = []
    for name, service in after.written.services.items():
        earlier = before.written.services.get(name)
        if service.build is None or earlier is None or earlier.build is None:
            continue
        paths = [Path(one.build.context) for one in (earlier, service) if one.build is not None]
        if not all(path.is_relative_to(checkout.top) for path in paths):
            continue
        first, second = (str(path.relative_to(checkout.top)).removeprefix(".") for path in paths)
        if old.find(first).entry != new.find(second).entry:
            found.append(name)
    return tuple(found)


def _left(before: Desired | None, after: Desired | None) -> tuple[str, ...]:
    kept = {one.name for one in after.stack.declared.volumes.values()} if after is not None else set()
    had = [one for one in before.stack.declared.volumes.values() if not one.external] if before is not None else []
    return tuple(sorted(one.name for one in had if one.name not in kept))


def looking(keys: tuple[str, ...], opener: Open) -> Open:
    """What opens files for a preview: without keys a SOPS file stays as it is (it shows which values changed), an age file is empty."""

    def opened(path: str, data: bytes) -> Opened:
        if keys:
            return opener(path, data)
        if age.is_encrypted(data) and not sops.kind_of(path, data):
            return Opened(b"")
        return Opened(data)

    return opened
