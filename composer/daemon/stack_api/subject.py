"""What a verb that acts on existing containers is about: the project's name, its snapshot, and which services are meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.loader import Loaded
from composer.daemon.stack_api.stacks import Stacks, name_of
from composer.errors import ComposerError
from composer.reconcile.model import Live, Ref, Resource
from composer.reconcile.observe import observe
from composer.reconcile.operate import replicas


@dataclass
class Subject:
    """``loaded``: None when only labels are known; ``services``: those that are meant (named, or all that are switched on)."""

    name: str
    loaded: Loaded | None
    want: Mapping[Ref, Resource]
    services: frozenset[str] | None
    named: bool

    async def look(self, stacks: Stacks) -> dict[Ref, Live]:
        return await observe(stacks.engine, self.name)

    def replicas(self, have: Mapping[Ref, Live]) -> list[Live]:
        """The containers that are meant."""
        return replicas(self.name, have, self.services)


async def subject(stacks: Stacks, call: Call) -> Subject:
    """From the call's files, or its name alone. Raises ComposerError for a service that is in neither."""
    names = call.options.names("services")
    loaded = await stacks.find(call)
    if loaded is None:
        name = name_of(call)
        there = {live.service for live in replicas(name, await observe(stacks.engine, name))}
        _check(names, there)
        return Subject(name, None, {}, frozenset(names) if names else None, bool(names))
    known = {*loaded.stack.services, *loaded.stack.disabled_services}
    if any(name not in known for name in names):  # an orphan can still be named
        known |= {live.service for live in replicas(loaded.stack.name, await observe(stacks.engine, loaded.stack.name))}
    _check(names, known)
    want: Mapping[Ref, Resource] = {}
    if any(service.pre_stop or service.post_start for service in loaded.stack.services.values()):
        _, want = loaded.with_services(names)
    return Subject(loaded.stack.name, loaded, want, frozenset(names or loaded.stack.services), bool(names))


def _check(names: tuple[str, ...], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise ComposerError(f"no such service: {name}", code="no-such-service")
