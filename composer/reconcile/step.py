"""What each verb of a plan does with the engine. Every step may be done twice: what is done already is no error."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from composer.engine.errors import Conflict, NotFound, NotRunning
from composer.engine.interface import Engine, traffic_of
from composer.engine.model import ContainerUpdate, NetworkConfig, VolumeConfig
from composer.reconcile.condition import Watch
from composer.reconcile.hook import run_hook
from composer.reconcile.model import Action, Live, Progress, Ref, Resource
from composer.reconcile.render import instantiate
from composer.reconcile.rollout.model import GRACE

# verb -> the words of progress before and behind it
_WORDS = {
    "create": ("Creating", "Created"),
    "start": ("Starting", "Started"),
    "restart": ("Restarting", "Started"),
    "stop": ("Stopping", "Stopped"),
    "kill": ("Killing", "Killed"),
    "remove": ("Removing", "Removed"),
    "pause": ("Pausing", "Paused"),
    "unpause": ("Unpausing", "Unpaused"),
    "rename": ("Renaming", "Renamed"),
    "connect": ("Connecting", "Connected"),
    "update": ("Updating", "Updated"),
    "admit": ("", "Serving"),
    "retire": ("Draining", "Drained"),
}


class Steps:
    """The verbs, and which container each (service, number) is now."""

    def __init__(
        self,
        engine: Engine,
        want: Mapping[Ref, Resource],
        have: Mapping[Ref, Live],
        watch: Watch,
        report: Callable[[Progress], None],
    ) -> None:
        self._engine, self._want, self._watch, self._report = engine, want, watch, report
        self._have = have
        self._ids: dict[tuple[str, int], str] = {
            (live.service, live.number): live.id for live in have.values() if live.ref.kind == "container" and not live.oneoff
        }

    async def perform(self, action: Action) -> None:
        """Do it. Raises the engine's errors and ConditionFailed."""
        if action.verb == "wait":
            await self._wait(action)
            return
        before, behind = _WORDS[action.verb]
        if action.verb == "create" and action.old:
            before, behind = "Recreate", ""
        if action.verb == "rename" and action.service:
            before, behind = "", "Recreated"
        label = title(action.ref)
        if before:
            self._report(Progress(label, before))
        stays = await getattr(self, f"_{action.verb}_{action.ref.kind}")(action)
        if behind and not stays:
            self._report(Progress(label, behind, done=True))

    # Containers.

    def _id(self, action: Action) -> str:
        ident = action.id or self._ids.get((action.service, action.number), "")
        if not ident:
            raise NotFound(f"No such container: {action.ref.name}")
        return ident

    def _lender(self, service: str) -> str:
        found = sorted((number, ident) for (name, number), ident in self._ids.items() if name == service)
        if not found:
            raise NotFound(
                f'service "{service}" has no container whose namespaces or volumes could be shared', hint=f"start it: up {service}"
            )
        return found[0][1]

    async def _create_container(self, action: Action) -> None:
        service = self._want[Ref("service", action.service)]
        name = action.ref.name
        config = instantiate(service, action.number, name, lender=self._lender, anonymous=action.anonymous, replaces=action.old)
        made = await self._engine.containers.create(config, f"{action.old[:12]}_{name}" if action.old else name)
        self._ids[action.service, action.number] = made.id
        for warning in made.warnings:
            self._report(Progress(title(action.ref), "Warning", detail=warning))

    async def _share(self, service: Resource | None) -> None:
        """With an `update_config`, replicas hold their host ports together; else the second one is refused."""
        traffic = traffic_of(self._engine)
        if service is None or traffic is None or service.replicas.rollout is None:
            return
        replicas = service.replicas
        if not replicas.group or not replicas.host_ports:
            return
        for ident in [ident for (owner, _), ident in self._ids.items() if owner == service.ref.name]:
            try:
                await traffic.share(ident, replicas.group)
            except NotFound:
                continue  # it is being removed

    def made(self, service: str, number: int) -> str:
        """The id of the container that was made last with this number. NotFound."""
        return self._id(Action("create", Ref("container", f"{service} {number}"), "", service=service, number=number))

    def wanting(self, service: Resource) -> Steps:
        """The same verbs, but this service is wanted in another revision."""
        other = Steps(self._engine, {**self._want, service.ref: service}, self._have, self._watch, self._report)
        other._ids = self._ids
        return other

    async def _admit_container(self, action: Action) -> bool:
        """True (nothing is told) where nobody could be led elsewhere."""
        traffic = traffic_of(self._engine)
        if traffic is None:
            return True
        ident = self._id(action)
        was_aside = ident in traffic.aside()
        await traffic.admit(ident)
        return not was_aside

    async def _retire_container(self, action: Action) -> bool:
        """Out of the traffic, then wait for its connections to end. True: it told itself what is left."""
        traffic, service = traffic_of(self._engine), self._want.get(Ref("service", action.service))
        if traffic is None:
            return True
        try:
            await traffic.retire(self._id(action))
            rollout = service.replicas.rollout if service is not None else None
            left = await traffic.drain(self._id(action), rollout.drain if rollout is not None else GRACE)
        except NotFound:
            return False
        if left:
            words = f"{left} connection{'' if left == 1 else 's'} still open"
            self._report(Progress(title(action.ref), "Drained", done=True, detail=words))
        return bool(left)

    async def _start_container(self, action: Action) -> None:
        ident = self._id(action)
        await self._share(self._want.get(Ref("service", action.service)))
        await self._engine.containers.start(ident)
        await self._post_start(action, ident)

    async def _restart_container(self, action: Action) -> None:
        ident = self._id(action)
        await self._pre_stop(action, ident)
        await self._engine.containers.restart(ident, timeout=action.timeout)
        await self._post_start(action, ident)

    async def _post_start(self, action: Action, ident: str) -> None:
        service = self._want.get(Ref("service", action.service))
        for hook in service.replicas.post_start if service is not None else ():
            await run_hook(self._engine, ident, action.ref.name, hook)

    async def _pre_stop(self, action: Action, ident: str) -> None:
        service = self._want.get(Ref("service", action.service))
        hooks = service.replicas.pre_stop if service is not None else ()
        if not hooks:
            return
        try:
            for hook in hooks:
                await run_hook(self._engine, ident, action.ref.name, hook)
        except (NotRunning, NotFound, Conflict):
            return  # nothing to be said to a process that is not there

    async def _stop_container(self, action: Action) -> None:
        ident = self._id(action)
        await self._pre_stop(action, ident)
        try:
            await self._engine.containers.stop(ident, timeout=action.timeout)
        except NotFound:
            return

    async def _kill_container(self, action: Action) -> None:
        try:
            await self._engine.containers.kill(self._id(action), action.signal or "SIGKILL")
        except (NotRunning, NotFound):
            return

    async def _pause_container(self, action: Action) -> None:
        await self._engine.containers.pause(self._id(action))

    async def _unpause_container(self, action: Action) -> None:
        await self._engine.containers.unpause(self._id(action))

    async def _remove_container(self, action: Action) -> None:
        try:
            await self._engine.containers.remove(self._id(action), force=action.force, volumes=action.volumes)
        except NotFound:
            return

    async def _rename_container(self, action: Action) -> None:
        ident = self._id(action)
        self._ids[action.service, action.number] = ident
        await self._engine.containers.rename(ident, action.ref.name)

    async def _connect_container(self, action: Action) -> None:
        service = self._want[Ref("service", action.service)]
        wish = service.replicas.template.networking_config.endpoints_config[action.condition]
        wish = wish.replace(aliases=(action.ref.name, *wish.aliases))
        networks, ident = self._engine.networks, self._id(action)
        try:
            await networks.connect(action.condition, ident, wish)
        except Conflict:  # it did not run while the network of that name was taken away and made again: its place is in the old one
            await networks.disconnect(action.condition, ident, force=True)
            await networks.connect(action.condition, ident, wish)

    async def _update_container(self, action: Action) -> None:
        host = self._want[Ref("service", action.service)].replicas.template.host_config
        change = ContainerUpdate(
            memory=host.memory,
            memory_reservation=host.memory_reservation,
            memory_swap=host.memory_swap,
            nano_cpus=host.nano_cpus,
            cpu_shares=host.cpu_shares,
            cpu_quota=host.cpu_quota,
            cpuset_cpus=host.cpuset_cpus,
            pids_limit=host.pids_limit or 0,
            restart_policy=host.restart_policy,
        )
        await self._engine.containers.update(self._id(action), change)

    async def _wait(self, action: Action) -> None:
        label = f"Container {action.ref.name}"
        word = await self._watch.until(
            self._id(action), action.condition, action.service, begun=lambda: self._report(Progress(label, "Waiting"))
        )
        self._report(Progress(label, word, done=True))

    # Networks and volumes.

    async def _create_network(self, action: Action) -> None:
        config = self._want[action.ref].config
        if isinstance(config, NetworkConfig):
            await self._engine.networks.create(config)

    async def _remove_network(self, action: Action) -> bool:
        """With ``force`` those who are still in it are taken out; without, a network that others use stays."""
        try:
            network = await self._engine.networks.inspect(action.id or action.ref.name)
            for member in network.containers if action.force else ():
                await self._engine.networks.disconnect(network.id, member, force=True)
            await self._engine.networks.remove(network.id)
        except NotFound:
            return False
        except Conflict as error:
            return self._still_used(action, error)
        return False

    async def _create_volume(self, action: Action) -> None:
        config = self._want[action.ref].config
        if isinstance(config, VolumeConfig):
            await self._engine.volumes.create(config)

    async def _remove_volume(self, action: Action) -> bool:
        try:
            await self._engine.volumes.remove(action.ref.name)
        except NotFound:
            return False
        except Conflict as error:
            return self._still_used(action, error)
        return False

    def _still_used(self, action: Action, error: Conflict) -> bool:
        """True: it stays, and that is no failure."""
        if action.force:
            raise error
        self._report(Progress(title(action.ref), "Resource is still in use", done=True, detail=error.message))
        return True


def title(ref: Ref) -> str:
    """How docker compose calls it in its progress: "Container p-web-1"."""
    return f"{ref.kind.capitalize()} {ref.name}"
