"""Plans of the verbs that act on what exists, whatever the file says: down, stop, kill, restart, pause, unpause, rm. Pure.

The order comes from the labels of the containers, so these work without a stack file. Who depends goes first when things stop, last when
they start. Source: down.go, stop.go, kill.go, restart.go, pause.go, remove.go of docker compose 2.40.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from composer.reconcile.draft import Draft, key
from composer.reconcile.model import Action, Live, Need, Plan, Ref
from composer.reconcile.order import dependents

_UP = ("running", "paused", "restarting")


@dataclass(frozen=True, slots=True)
class Going:
    """What `down` takes away. ``services``: None: all; ``orphans``: what is no service of the file, too."""

    services: frozenset[str] | None = None
    known: frozenset[str] | None = None  # services of the file, those switched off included; None: there is no file
    enabled: frozenset[str] | None = None
    orphans: bool = False
    volumes: bool = False
    timeout: int | None = None


def of_project(project: str, have: Mapping[Ref, Live], kind: str) -> list[Live]:
    """What the project owns of a kind, by name."""
    return sorted((live for live in have.values() if live.ref.kind == kind and live.project == project), key=lambda live: live.ref)


def replicas(project: str, have: Mapping[Ref, Live], services: Collection[str] | None = None) -> list[Live]:
    """The containers of these services (None: all), without one-off ones, by service and number."""
    found = [live for live in of_project(project, have, "container") if not live.oneoff and (services is None or live.service in services)]
    return sorted(found, key=lambda live: (live.service, live.number))


def plan_down(project: str, have: Mapping[Ref, Live], going: Going) -> Plan:
    """Containers in reverse order of need, then networks, then (with ``volumes``) volumes; what is external is never ours."""
    draft = Draft()
    chosen = [live for live in of_project(project, have, "container") if _goes(live, going)]
    cause = "the stack goes down"
    _stops(draft, chosen, cause, going.timeout)
    removed = [
        draft.add(
            Action(
                "remove",
                live.ref,
                cause,
                (key("stop", live.ref),),
                id=live.id,
                service=live.service,
                number=live.number,
                volumes=going.volumes,
            )
        )
        for live in chosen
    ]
    if going.services is None:
        for live in of_project(project, have, "network"):
            draft.add(Action("remove", live.ref, cause, tuple(removed), id=live.id))
        for live in of_project(project, have, "volume") if going.volumes else ():
            draft.add(Action("remove", live.ref, cause, tuple(removed), id=live.id))
    return draft.finish()


def _goes(live: Live, going: Going) -> bool:
    if going.services is not None:
        return live.service in going.services and not live.oneoff
    if going.known is None:
        return going.orphans or not live.oneoff
    if live.service not in going.known or live.oneoff:
        return going.orphans
    return going.enabled is None or live.service in going.enabled


def plan_stop(lives: Sequence[Live], timeout: int | None) -> Plan:
    """Stop what runs, those who depend first."""
    draft = Draft()
    _stops(draft, lives, "stop was asked for", timeout)
    return draft.finish()


def _stops(draft: Draft, lives: Sequence[Live], cause: str, timeout: int | None) -> None:
    users: dict[str, list[str]] = {}  # service -> keys of the stops of those who need it
    running = [live for live in lives if live.state in _UP]
    for live in running:
        for need in live.needs:
            users.setdefault(need.service, []).append(key("stop", live.ref))
    for live in running:
        after = tuple(edge for edge in users.get(live.service, ()) if edge != key("stop", live.ref))
        draft.add(Action("stop", live.ref, cause, softly=after, id=live.id, service=live.service, number=live.number, timeout=timeout))


def plan_kill(lives: Sequence[Live], signal: str) -> Plan:
    """A signal to all that runs, at once."""
    return _each("kill", [live for live in lives if live.state in _UP], "kill was asked for", signal=signal)


def plan_pause(lives: Sequence[Live], verb: str) -> Plan:
    """``verb``: pause or unpause; a container that is so already is an error of the engine's, as with docker compose."""
    return _each(verb, [live for live in lives if live.state in _UP], f"{verb} was asked for")


def plan_remove(lives: Sequence[Live], *, stop: bool, volumes: bool, timeout: int | None = None) -> Plan:
    """`rm`: what is stopped; with ``stop`` all."""
    draft = Draft()
    cause = "rm was asked for"
    if stop:
        _stops(draft, lives, cause, timeout)
    for live in lives:
        if stop or live.state not in _UP:
            draft.add(
                Action(
                    "remove",
                    live.ref,
                    cause,
                    (key("stop", live.ref),),
                    id=live.id,
                    service=live.service,
                    number=live.number,
                    volumes=volumes,
                )
            )
    return draft.finish()


def plan_restart(project: str, have: Mapping[Ref, Live], services: Collection[str], timeout: int | None, *, no_deps: bool) -> Plan:
    """Restart them in order of need, and with them those that say `restart: true` (unless ``no_deps``)."""
    everyone = replicas(project, have)
    needs: dict[str, tuple[Need, ...]] = {live.service: live.needs for live in everyone}
    names = set(services)
    if not no_deps:
        names |= set(dependents(needs, names, restart_only=True))
    draft = Draft()
    for live in everyone:
        if live.service not in names:
            continue
        cause = "restart was asked for" if live.service in services else "it depends with restart: true on what is restarted"
        softly = tuple(key("restart", other.ref) for need in live.needs for other in everyone if other.service == need.service)
        draft.add(Action("restart", live.ref, cause, softly=softly, id=live.id, service=live.service, number=live.number, timeout=timeout))
    return draft.finish()


def _each(verb: str, lives: Sequence[Live], cause: str, *, signal: str = "") -> Plan:
    return Plan(tuple(Action(verb, live.ref, cause, id=live.id, service=live.service, number=live.number, signal=signal) for live in lives))
