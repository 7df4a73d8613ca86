"""What becomes of each container of a service: keep, create, replace or remove it, and why. Pure.

Numbers stay with their containers; the highest go first when there are too many; new ones take the lowest free numbers.
A replacement that was cut off leaves two containers with one number, the new one naming the old in ``replaces``: it is carried on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from composer.engine.model import HostConfig
from composer.reconcile.labels import read_parts
from composer.reconcile.model import Live, Policy, Ref, Resource

KEEP, CREATE, REPLACE, REMOVE = "keep", "create", "replace", "remove"


@dataclass(frozen=True, slots=True)
class Fate:
    """``live``: the container as it is; ``heir``: the one that was already made to replace it."""

    verb: str
    ref: Ref
    number: int
    cause: str = ""
    live: Live | None = None
    heir: Live | None = None
    first_remove: bool = False  # the old one must go before the new one can be made


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the judgement of a container needs to know beside it.

    ``networks``: name -> id of those that stay; ``replaced``: names of networks that are made anew; ``lenders``: service -> ids of its
    containers that stay.
    """

    networks: Mapping[str, str]
    replaced: frozenset[str]
    lenders: Mapping[str, frozenset[str]]


def name_of(service: Resource, project: str, number: int) -> str:
    """The container's name: its fixed one, or project-service-number."""
    return service.replicas.container_name or f"{project}-{service.ref.name}-{number}"


def fates(service: Resource, project: str, lives: Sequence[Live], policy: Policy, around: Surroundings, *, named: bool) -> list[Fate]:
    """One for each container that is or should be, by number; surplus ones last, the highest number first."""
    pairs, leftovers = _pair(lives)
    scale = policy.scale.get(service.ref.name, service.replicas.scale)
    if not policy.create:
        scale = len(pairs) if service.ref.name not in policy.scale else scale
    kept, surplus = pairs[:scale], pairs[scale:]
    found = [_judge(service, project, old, heir, policy, around, named=named) for old, heir in kept]
    taken = {fate.number for fate in found}
    free = (number for number in range(1, scale + len(taken) + 1) if number not in taken)
    if policy.create:
        for _ in range(scale - len(found)):
            number = next(free)
            found.append(Fate(CREATE, Ref("container", name_of(service, project, number)), number, "it does not exist"))
    found.sort(key=lambda fate: fate.number)
    for old, heir in reversed(surplus):
        cause = f"the service has {scale} container{'' if scale == 1 else 's'}"
        found.extend(Fate(REMOVE, live.ref, live.number, cause, live) for live in (old, heir) if live is not None)
    found.extend(Fate(REMOVE, live.ref, live.number, "its replacement was not finished", live) for live in leftovers)
    return found


def _pair(lives: Sequence[Live]) -> tuple[list[tuple[Live, Live | None]], list[Live]]:
    """(container, its heir) by number, and what is left over when a number is held more than twice."""
    pairs: list[tuple[Live, Live | None]] = []
    leftovers: list[Live] = []
    by_number: dict[int, list[Live]] = {}
    for live in lives:
        by_number.setdefault(live.number, []).append(live)
    for _, same in sorted(by_number.items()):
        ids = {live.id for live in same}
        same.sort(key=lambda live: (live.replaces in ids, live.id))
        old, *others = same
        heirs = [other for other in others if other.replaces == old.id]
        pairs.append((old, heirs[0] if heirs else None))
        leftovers.extend(other for other in others if other not in heirs[:1])
    return pairs, leftovers


def _judge(service: Resource, project: str, old: Live, heir: Live | None, policy: Policy, around: Surroundings, *, named: bool) -> Fate:
    ref = Ref("container", name_of(service, project, old.number))
    cause, first_remove = _why_replace(service, old, policy, around, named=named)
    if heir is None:
        return Fate(REPLACE if cause else KEEP, ref, old.number, cause, old, None, first_remove)
    heir_cause, _ = _why_replace(service, heir, Policy(), around, named=False)
    if heir_cause or first_remove:  # the heir is out of date too: begin again
        return Fate(REPLACE, ref, old.number, cause or heir_cause, old, heir, first_remove=True)
    return Fate(REPLACE, ref, old.number, "its replacement was not finished", old, heir)


def _why_replace(service: Resource, live: Live, policy: Policy, around: Surroundings, *, named: bool) -> tuple[str, bool]:
    """The cause for replacing it ("" to keep it), and whether it must go before its successor can come."""
    if not policy.create:
        return "", False
    gone = [name for name in service.replicas.networks if name in around.replaced and name in live.networks]
    if gone:
        return f"its network {gone[0]} is made anew", True
    if live.state in ("dead", "removing"):
        return f"it is {live.state}", True
    for need in service.needs:
        if need.hard and _lender_lost(need.service, live, around):
            return f"it shares with a container of {need.service}, which is another one now", False
    if policy.no_recreate:
        return "", False
    if policy.force_recreate and (named or policy.always_recreate_deps):
        return "a new container is asked for", False
    if policy.always_recreate_deps and not named:
        return "new dependencies are asked for", False
    return difference(service, live, healing=policy.healing), False


def _lender_lost(name: str, live: Live, around: Surroundings) -> bool:
    return name in around.lenders and not around.lenders[name].intersection(live.joined)


def difference(service: Resource, live: Live, *, healing: bool) -> str:
    """In what the container differs from what it should be made from; "" in nothing.

    The controller replaces nothing because a new version of composer computes the hash in another way, or because an image's name
    has moved: that is what `up` is for.
    """
    if healing and live.hash.partition("-")[0] != service.hash.partition("-")[0]:
        return ""
    if (live.hash, live.image_id) in service.replicas.accepts:
        return ""
    if live.hash != service.hash:
        found = read_parts(live.parts)
        parts = sorted(name for name in {*service.parts, *found} if service.parts.get(name) != found.get(name))
        return f"{', '.join(parts)} changed" if parts and found else "its configuration changed"
    altered = [name for name, value in service.replicas.template.labels.items() if not _is_own(name) and live.labels.get(name) != value]
    if altered and live.labels:
        return f"label {', '.join(sorted(altered))} changed by hand"
    wanted = service.replicas.image_id
    if wanted and live.image_id and wanted != live.image_id and not healing:
        return f"the image {service.replicas.template.image} is another one"
    return ""


def _is_own(label: str) -> bool:
    """Whether a label is written by us, not by the file; ours change with versions and files that a container does not depend on."""
    return label.startswith(("com.docker.compose.", "composer."))


def limits(host: HostConfig) -> dict[str, int | str]:
    """What `update` can change of a container, in one form whether asked for or found."""
    policy = host.restart_policy
    return {
        "memory": host.memory,
        "memory_reservation": host.memory_reservation,
        "nano_cpus": host.nano_cpus,
        "cpu_shares": host.cpu_shares,
        "cpu_quota": host.cpu_quota,
        "cpuset_cpus": host.cpuset_cpus,
        "pids_limit": max(host.pids_limit or 0, 0),
        "restart": f"{policy.name or 'no'}:{policy.maximum_retry_count}",
    }
