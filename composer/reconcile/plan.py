"""What to do so that what is becomes what should be: ``plan(want, have, policy) -> Plan``. Pure; same input, same Plan, byte for byte.

Rules: a network or volume is made before the containers that use it; what goes (orphans) goes before what comes is made. A replacement
is made under a name of its own, then the old container is stopped and removed, then the new one takes its name and starts, so a failure
or a crash loses neither the old container nor its anonymous volumes. `depends_on` orders starts by wait actions; it is in no hash.
What the project does not own is never touched. Source: DESIGN "Planner rules"; convergence.go of docker compose 2.40 for what users expect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from composer.reconcile.draft import Draft, key
from composer.reconcile.fate import CREATE, KEEP, REMOVE, REPLACE, Fate, Surroundings, fates, limits
from composer.reconcile.model import COMPLETED, HEALTHY, READY, Action, Live, Need, Plan, Policy, Ref, Resource
from composer.reconcile.order import selected, services_of


def plan(project: str, want: Mapping[Ref, Resource], have: Mapping[Ref, Live], policy: Policy) -> Plan:
    """The actions that make the project as ``want`` says, under ``policy``; empty when it is."""
    return _Planner(project, want, have, policy).plan()


class _Planner:
    """One planning: the inputs, the draft, and what has been decided so far."""

    def __init__(self, project: str, want: Mapping[Ref, Resource], have: Mapping[Ref, Live], policy: Policy) -> None:
        self.project, self.want, self.have, self.policy = project, want, have, policy
        self.services = services_of(want)
        self.chosen = selected(self.services, policy)
        self.draft = Draft()
        self.fates: dict[str, list[Fate]] = {}
        # what others wait for to be done is not waited for to run, as docker compose's `up --wait` has it
        needs = [need for service in self.services.values() for need in service.needs]
        self.one_shots = {need.service for need in needs if need.condition == COMPLETED}
        self.orphans: list[str] = []  # removals that every creation waits for
        self.replaced_networks: set[str] = set()
        self.rolled: dict[str, str] = {}  # service -> key of the action that brings its containers up to date
        self.lives: dict[str, list[Live]] = {}
        for live in have.values():
            if live.ref.kind == "container" and live.project == project and not live.oneoff:
                self.lives.setdefault(live.service, []).append(live)

    def plan(self) -> Plan:
        if self.policy.create:
            self._orphans()
            self._networks()
            self._volumes()
        self._decide()
        for service in self.chosen:
            if self._is_rolled(service):
                self.rolled[service.ref.name] = self._roll(service)
            for fate in self.fates[service.ref.name]:
                self._containers(service, fate)
        if self.policy.start:
            for service in self.chosen:
                self._starts(service)
            for service in self.chosen:
                self._restart_sharers(service)
                self._restart_dependents(service)
            self._free_ports()
        return self.draft.finish()

    # What goes.

    def _orphans(self) -> None:
        known = {*self.services, *self.policy.known}
        orphans = [
            live
            for live in sorted(self.have.values(), key=lambda live: live.ref)
            if live.ref.kind == "container" and live.project == self.project and _orphaned(live, known)
        ]
        if self.policy.healing or not orphans:
            return
        if not self.policy.remove_orphans:
            names = " ".join(live.ref.name for live in orphans)
            self.draft.notes.append(
                f"Found orphan containers ([{names}]) for this project. If you removed or renamed this service in your compose file, "
                "you can run this command with the --remove-orphans flag to clean it up."
            )
            return
        for live in orphans:
            self.orphans.append(self._remove(live, "its service is not in the stack"))

    def _remove(self, live: Live, cause: str, after: Sequence[str] = ()) -> str:
        first = list(after)
        if live.state in ("running", "paused", "restarting"):
            first.append(self._stop(live, cause, after))
        action = Action("remove", live.ref, cause, tuple(first), id=live.id, service=live.service, number=live.number)
        return self.draft.add(action)

    def _stop(self, live: Live, cause: str, after: Sequence[str] = ()) -> str:
        action = Action(
            "stop", live.ref, cause, tuple(after), id=live.id, service=live.service, number=live.number, timeout=self.policy.timeout
        )
        return self.draft.add(action)

    # What containers are made of.

    def _networks(self) -> None:
        used = {name for service in self.chosen for name in service.replicas.networks}
        foreign = (
            "a network with name {name} exists but was not created for project {project!r}; set `external: true` to use an existing network"
        )
        for ref, live in self._altered("network", used, foreign):
            self.replaced_networks.add(ref.name)
            removed = self.draft.add(Action("remove", ref, "its configuration changed", id=live.id, force=True))
            self.draft.add(Action("create", ref, "its configuration changed", (removed,)))

    def _volumes(self) -> None:
        used = {name for service in self.chosen for name in service.replicas.volumes}
        foreign = "volume {name!r} already exists but was not created by this project; use `external: true` to use an existing volume"
        for ref, _ in self._altered("volume", used, foreign):
            self.draft.notes.append(
                f"Volume {ref.name!r} exists but doesn't match configuration in compose file; it keeps its data. "
                "`down -v` removes it, the next `up` makes it as the file says."
            )

    def _altered(self, kind: str, used: set[str], foreign: str) -> list[tuple[Ref, Live]]:
        """What is ours, and not as it should be. What is not there is made, what is another's is told by ``foreign`` and used."""
        altered: list[tuple[Ref, Live]] = []
        for ref, resource in sorted(self.want.items()):
            if ref.kind != kind or ref.name not in used or resource.external:
                continue
            live = self.have.get(ref)
            if live is None:
                self.draft.add(Action("create", ref, "it does not exist"))
            elif live.project != self.project:
                self.draft.notes.append(foreign.format(name=ref.name, project=self.project))
            elif live.hash and live.hash != resource.hash:
                altered.append((ref, live))
        return altered

    # What becomes of the containers.

    def _decide(self) -> None:
        networks = {ref.name: live.id for ref, live in self.have.items() if ref.kind == "network"}
        lenders = {name: frozenset(live.id for live in lives) for name, lives in self.lives.items()}
        for service in self.chosen:
            name = service.ref.name
            around = Surroundings(networks, frozenset(self.replaced_networks), lenders)
            named = self.policy.services is None or name in self.policy.services
            decided = fates(service, self.project, self.lives.get(name, ()), self.policy, around, named=named)
            self.fates[name] = decided
            lenders[name] = frozenset(fate.live.id for fate in decided if fate.verb == KEEP and fate.live is not None)

    def _containers(self, service: Resource, fate: Fate) -> None:
        rolled = self.draft.actions.get(self.rolled.get(service.ref.name, ""))
        if rolled is not None and fate.number in rolled.numbers:
            return
        if fate.verb == REMOVE and fate.live is not None:
            self._remove(fate.live, fate.cause, self._retirement(service, fate.live, fate.cause))
        elif fate.verb == CREATE:
            self.draft.add(self._creation(service, fate))
        elif fate.verb == REPLACE and fate.live is not None:
            self._replace(service, fate, fate.live)
        elif fate.live is not None:
            self._amend(service, fate, fate.live)

    def _retirement(self, service: Resource, live: Live, cause: str) -> list[str]:
        """A replica that goes for good lets its connections end first, where the service cares for that and others carry on."""
        stays = any(fate.verb != REMOVE for fate in self.fates[service.ref.name])
        if service.replicas.rollout is None or not live.running or not stays:
            return []
        return [self.draft.add(Action("retire", live.ref, cause, id=live.id, service=live.service, number=live.number))]

    def _is_rolled(self, service: Resource) -> bool:
        """Whether its replacement goes by its `update_config`: not where namespaces or volumes are shared, nor where its network goes."""
        if service.replicas.rollout is None or not self.policy.start or not self.policy.create:
            return False
        anew = [fate for fate in self.fates[service.ref.name] if fate.verb == REPLACE]
        forced = any(fate.first_remove and fate.heir is None for fate in anew)
        shares = any(need.hard for need in service.needs) or self._lends(service)
        return bool(anew) and not forced and not shares

    def _lends(self, service: Resource) -> bool:
        return any(need.hard and need.service == service.ref.name for other in self.services.values() for need in other.needs)

    def _roll(self, service: Resource) -> str:
        """One action for all of its containers that are not up to date: what comes next is decided while it is done (see `rollout`)."""
        fates_ = [fate for fate in self.fates[service.ref.name] if fate.verb in (CREATE, REPLACE)]
        stale = {fate.live.id: fate.live for fate in fates_ if fate.live is not None}
        carried = not self.policy.renew_anon_volumes and any(live.anonymous for live in stale.values())
        edges, softly = self._needed(service)
        cause = next(fate.cause for fate in fates_ if fate.verb == REPLACE)
        action = Action(
            "roll",
            service.ref,
            f"{cause}; {self._manner(service, len(fates_), carried=carried)}",
            (*self._before(service), *edges),
            tuple(softly),
            service=service.ref.name,
            timeout=self.policy.timeout,
            volumes=carried,
            numbers=tuple(fate.number for fate in fates_),
            stale=tuple(sorted(stale)),
        )
        return self.draft.add(action)

    def _manner(self, service: Resource, count: int, *, carried: bool) -> str:
        """ "3 containers, 1 at a time, start-first", with a note when it is another order than the one that was asked for."""
        rollout = service.replicas.rollout
        assert rollout is not None
        alone = rollout.alone or ("an anonymous volume goes on to the new container" if carried else "")
        if rollout.asked and alone:
            self.draft.notes.append(f'service "{service.ref.name}": start-first is not possible ({alone}); it is updated stop-first')
        at_once = min(rollout.forward.parallelism or count, count)
        order = "start-first" if rollout.forward.start_first and not alone else "stop-first"
        return f"{count} container{'' if count == 1 else 's'}, {at_once} at a time, {order}"

    def _before(self, service: Resource) -> list[str]:
        """What goes before a container of the service: orphans removed, its networks and volumes made. Not those of others: the edges
        of a thousand services with a volume each would be a million."""
        networks = [key("create", Ref("network", name)) for name in service.replicas.networks]
        return [*self.orphans, *networks, *(key("create", Ref("volume", name)) for name in service.replicas.volumes)]

    def _creation(self, service: Resource, fate: Fate, after: Sequence[str] = ()) -> Action:
        lent = [
            key("create", other.ref)
            for need in service.needs
            if need.hard
            for other in self.fates.get(need.service, ())
            if other.verb in (CREATE, REPLACE)
        ]
        old = fate.live
        carried = old.anonymous if old is not None and not self.policy.renew_anon_volumes else {}
        return Action(
            "create",
            fate.ref,
            fate.cause,
            (*self._before(service), *lent, *after),
            service=service.ref.name,
            number=fate.number,
            old=old.id if old is not None and not fate.first_remove else "",
            anonymous=carried,
        )

    def _replace(self, service: Resource, fate: Fate, old: Live) -> None:
        if fate.first_remove:
            gone = [self._remove(live, fate.cause) for live in (old, fate.heir) if live is not None]
            for name in service.replicas.networks:
                self.draft.link(key("remove", Ref("network", name)), gone)
            self.draft.add(self._creation(service, fate, gone))
            return
        made = fate.heir.id if fate.heir is not None else ""
        first = [] if made else [self.draft.add(self._creation(service, fate))]
        removed = self._remove(old, fate.cause, first)
        self.draft.add(Action("rename", fate.ref, fate.cause, (*first, removed), id=made, service=service.ref.name, number=fate.number))

    def _amend(self, service: Resource, fate: Fate, live: Live) -> None:
        """What can be put right without a new container."""
        base = Action("keep", fate.ref, "", id=live.id, service=service.ref.name, number=fate.number)
        if live.ref.name != fate.ref.name:
            self.draft.add(replace(base, verb="rename", cause=f"it is called {live.ref.name}"))
        for name in service.replicas.networks:
            here = self.have.get(Ref("network", name))
            if here is None or live.networks.get(name) not in ("", here.id):
                cause = f"it is not connected to network {name}"
                edges = (key("create", Ref("network", name)),)
                self.draft.add(replace(base, verb="connect", cause=cause, after=edges, condition=name))
        wished = limits(service.replicas.template.host_config)
        if live.aside:
            self.draft.add(replace(base, verb="admit", cause="it was left out of the traffic"))
        changed = sorted(name for name, value in live.limits.items() if wished.get(name) != value)
        if changed:
            self.draft.add(replace(base, verb="update", cause=f"{', '.join(changed)} changed by hand"))

    # What runs.

    def _starts(self, service: Resource) -> None:
        for fate in self.fates[service.ref.name]:
            if fate.verb == REMOVE or (fate.verb != KEEP and service.ref.name in self.rolled):
                continue
            verb, cause = self._start_verb(fate)
            if verb:
                self.draft.add(self._start(service, fate, verb, cause))
            if self.policy.wait and not _ready(fate, verb):
                self._wait(service, fate, COMPLETED if service.ref.name in self.one_shots else READY)

    def _start_verb(self, fate: Fate) -> tuple[str, str]:
        """start, unpause or nothing, and why."""
        live = fate.live
        if live is None or fate.verb == REPLACE:
            return "start", fate.cause
        if live.state == "paused":
            return "unpause", "it is paused"
        if live.running:
            return "", ""
        if live.state == "created":
            if self.policy.healing and live.started:
                return "", ""  # the engine is about to start it again
            return "start", "it was never started"
        if self.policy.healing and not live.by_request and not live.lost:
            return "", ""  # its process ended by itself: the engine has judged that by the restart policy
        return "start", "it was stopped" if live.by_request else f"it has exited ({live.exit_code})"

    def _start(self, service: Resource, fate: Fate, verb: str, cause: str) -> Action:
        edges = [key("create", fate.ref), key("rename", fate.ref), *self._before(service)]
        edges += [key("connect", fate.ref, name) for name in service.replicas.networks]
        needed, softly = self._needed(service)
        edges += needed
        live = fate.live
        ident = live.id if live is not None and fate.verb == KEEP else ""
        return Action(verb, fate.ref, cause, tuple(edges), tuple(softly), id=ident, service=service.ref.name, number=fate.number)

    def _needed(self, service: Resource) -> tuple[list[str], list[str]]:
        """The keys of what must be done, and of what must have ended, before a container of the service may start."""
        edges: list[str] = []
        softly: list[str] = []
        for need in service.needs:
            if need.service in self.rolled:
                softly.append(self.rolled[need.service])  # where it failed, the revision before serves on
            for other in self.fates.get(need.service, ()):
                if other.verb == REMOVE or (other.verb != KEEP and need.service in self.rolled):
                    continue
                (edges if need.required else softly).extend(self._conditions(need, other))
        return edges, softly

    def _conditions(self, need: Need, other: Fate) -> list[str]:
        """The keys of what must be done before a dependant of this container may start."""
        condition, name = need.condition, need.service
        begun = key("start", other.ref)
        fresh = begun in self.draft
        live = other.live
        if condition == HEALTHY and (fresh or live is None or live.health != "healthy" or not live.running):
            return [begun, self._wait(self.services[name], other, HEALTHY, optional=not need.required)]
        if condition == COMPLETED and (fresh or live is None or live.state != "exited" or live.exit_code != 0):
            return [begun, self._wait(self.services[name], other, COMPLETED, optional=not need.required)]
        return [begun, key("unpause", other.ref)]

    def _wait(self, service: Resource, fate: Fate, condition: str, *, optional: bool = False) -> str:
        live = fate.live
        ident = live.id if live is not None and fate.verb == KEEP else ""
        edges = (key("start", fate.ref), key("unpause", fate.ref))
        cause = "it is waited for" if condition == READY else f"others depend on it: {condition}"
        action = Action("wait", fate.ref, cause, edges, id=ident, service=service.ref.name, number=fate.number, condition=condition)
        return self.draft.add(replace(action, optional=optional))

    def _restart_sharers(self, service: Resource) -> None:
        """Who runs in a namespace of a container that has started anew since is in one that nobody else is in any more."""
        for need in service.needs:
            lender = next((fate for fate in self.fates.get(need.service, ()) if fate.verb == KEEP), None) if need.shares else None
            if lender is None or lender.live is None:
                continue
            begins = key("start", lender.ref) in self.draft
            for fate in self.fates[service.ref.name]:
                if fate.live is not None and (begins or "" < fate.live.started < lender.live.started):
                    self._again(service, fate, f"it shares with {lender.ref.name}, which is started anew", before=())

    def _restart_dependents(self, service: Resource) -> None:
        """`restart: true`: those who depend on what is replaced are stopped before it and started behind it."""
        anew = [fate for fate in self.fates[service.ref.name] if fate.verb == REPLACE]
        if not anew:
            return
        olds = [key("stop", fate.live.ref) for fate in anew if fate.live is not None]
        done = [self.rolled[service.ref.name]] if service.ref.name in self.rolled else []
        for other in self.chosen:
            if any(need.service == service.ref.name and need.restart for need in other.needs):
                cause = f"{service.ref.name} is replaced, on which it depends with restart: true"
                for fate in self.fates[other.ref.name]:
                    self._again(other, fate, cause, before=olds, behind=done)

    def _again(self, service: Resource, fate: Fate, cause: str, *, before: Sequence[str], behind: Sequence[str] = ()) -> None:
        """Stop and start what runs and is kept; the stop comes before these actions, or behind those."""
        if fate.verb != KEEP or fate.live is None or not fate.live.running:
            return
        stopped = self._stop(fate.live, cause, behind)
        for action in before:
            self.draft.link(action, [stopped])
        self.draft.link(self.draft.add(self._start(service, fate, "start", cause)), [stopped])

    def _free_ports(self) -> None:
        """A host port that moves: who gets it starts behind who gives it up."""
        givers: dict[str, list[str]] = {}
        for live in self.have.values():
            stop = key("stop", live.ref)
            if stop in self.draft:
                for port in live.host_ports:
                    givers.setdefault(port, []).append(stop)
            elif live.project == self.project and live.service in self.rolled:
                for port in live.host_ports:
                    givers.setdefault(port, []).append(self.rolled[live.service])
        for service in self.chosen:
            edges = sorted({stop for port in service.replicas.host_ports for stop in givers.get(port, ())})
            rolled = self.rolled.get(service.ref.name)
            if rolled:
                self.draft.link(rolled, [edge for edge in edges if edge != rolled])
            for fate in self.fates[service.ref.name] if edges else ():
                own = {key("stop", fate.ref)}
                self.draft.link(key("start", fate.ref), [edge for edge in edges if edge not in own])


def _orphaned(live: Live, known: set[str]) -> bool:
    if live.oneoff:
        return live.state in ("exited", "dead")
    return live.service not in known


def _ready(fate: Fate, verb: str) -> bool:
    """Whether `--wait` is content with it as it is."""
    live = fate.live
    return live is not None and fate.verb == KEEP and not verb and live.state == "running" and live.health in ("", "healthy")
