"""Which services a plan is about, and in which order they come. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from composer.reconcile.model import Need, Policy, Ref, Resource


def selected(services: Mapping[str, Resource], policy: Policy) -> list[Resource]:
    """The services of the policy, what they need included (unless ``no_deps``), each behind those that it needs."""
    names = list(services) if policy.services is None else [name for name in services if name in policy.services]
    if policy.services is not None and not policy.no_deps:
        names = closure(names, services)
    needs = {name: [need.service for need in services[name].needs] for name in names}
    return [services[name] for name in sorted_by_need(needs)]


def closure(names: Iterable[str], services: Mapping[str, Resource]) -> list[str]:
    """These and all that they need, without what is not there."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in services and name not in found:
            found[name] = None
            waiting.extend(need.service for need in services[name].needs)
    return sorted(found)


def sorted_by_need(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """Names so that each comes behind what it needs; by name where that leaves a choice. A cycle is cut at its first name."""
    done: dict[str, None] = {}
    left = sorted(needs)
    while left:
        ready = [name for name in left if all(need in done or need not in needs or need == name for need in needs[name])] or left[:1]
        done.update(dict.fromkeys(ready))
        left = [name for name in left if name not in done]
    return list(done)


def dependents(needs: Mapping[str, Sequence[Need]], names: Collection[str], *, restart_only: bool = False) -> list[str]:
    """The services that need one of these directly."""
    return sorted(
        name
        for name, wanted in needs.items()
        if name not in names and any(need.service in names and (need.restart or not restart_only) for need in wanted)
    )


def services_of(want: Mapping[Ref, Resource]) -> dict[str, Resource]:
    """The services among the resources, by name."""
    return {ref.name: resource for ref, resource in want.items() if ref.kind == "service"}
