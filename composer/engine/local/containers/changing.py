"""Changing what was asked for: rename, update, and the networks that a container is in."""

from __future__ import annotations

from composer.engine.errors import Conflict, InvalidArgument, NotFound
from composer.engine.local.containers import names, resolve
from composer.engine.local.containers.parts import Parts
from composer.engine.local.containers.registry import Held
from composer.engine.local.events import event
from composer.engine.local.lifecycle import Attempts, Phase
from composer.engine.local.runtime import resources
from composer.engine.model import ContainerUpdate, EndpointSettings, Network


async def rename(parts: Parts, held: Held, name: str) -> None:
    """Conflict: the name is taken. InvalidArgument."""
    if not name:
        raise InvalidArgument("Neither old nor new names may be empty")
    plain = names.check(name)
    async with held.lock:
        old = held.name
        if plain == old:
            raise InvalidArgument("Renaming a container with the same name as its current name")
        await parts.registry.record(held, held.record.replace(name=plain))
        if held.run.networks and held.run.phase.alive:
            networks = {**held.run.networks, **await parts.networks.rename(held.id, plain)}
            await parts.registry.run(held, held.run.replace(networks=networks), durable=False)
    parts.publish(held, "rename", {"oldName": f"/{old}"})


async def update(parts: Parts, held: Held, change: ContainerUpdate) -> tuple[str, ...]:
    """Change limits and the restart policy, of a running container at once. Warnings. InvalidArgument, Conflict."""
    changes = {name: getattr(change, name) for name in change.model_fields_set}
    async with held.lock:
        if held.run.phase in (Phase.REMOVING, Phase.DEAD):
            raise Conflict(f"container {held.id} is marked for removal and cannot be updated")
        record = held.record
        policy = changes.get("restart_policy")
        if policy is not None:
            resolve.check_restart(policy.name, policy.maximum_retry_count)
            if record.config.host_config.auto_remove and policy.name not in ("", "no"):
                raise InvalidArgument("Restart policy cannot be updated because AutoRemove is enabled for the container")
        changes = {name: value for name, value in changes.items() if name == "restart_policy" or value not in (0, "", None)}
        host = record.config.host_config.replace(**changes)
        resources.check(host, cpus=parts.cpus)
        if held.run.phase.alive and set(changes) - {"restart_policy"}:
            await parts.runtime.update(parts.bundle(held), host)
        await parts.registry.record(held, record.replace(config=record.config.replace(host_config=host)))
        if policy is not None:
            await parts.registry.run(held, held.run.replace(attempts=Attempts()), durable=False)
    parts.publish(held, "update")
    return ()


class Members:
    """The containers' side of `network connect` and `disconnect` (`LocalNetworks.members`)."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def attach(self, container: str, network: Network, endpoint: EndpointSettings) -> None:
        """NotFound, Conflict (it is in it already, or has no networks of its own)."""
        parts = self._parts
        held = parts.registry.find(container)
        async with held.lock:
            _check_mode(held)
            if network.name in held.record.endpoints:
                raise Conflict(f"endpoint with name {held.name} already exists in network {network.name}")
            wish = endpoint.replace(network_id=network.id)
            if held.run.phase.alive:
                given = await parts.networks.plug(held.id, network.id, wish)
                await parts.registry.run(held, held.run.replace(networks={**held.run.networks, network.name: given}), durable=False)
            else:
                self._tell("connect", network, held)
            await parts.registry.record(held, held.record.replace(endpoints={**held.record.endpoints, network.name: wish}))

    async def detach(self, container: str, network: Network, force: bool) -> None:
        """NotFound (without ``force``): it is not in the network."""
        parts = self._parts
        try:
            held = parts.registry.find(container)
        except NotFound:
            if force:
                return
            raise
        async with held.lock:
            if network.name not in held.record.endpoints:
                if force:
                    return
                raise NotFound(f"container {held.id} is not connected to network {network.name}")
            _check_mode(held)
            if held.run.phase.alive:
                await parts.networks.unplug(held.id, network.id)
                left = {name: given for name, given in held.run.networks.items() if name != network.name}
                await parts.registry.run(held, held.run.replace(networks=left), durable=False)
            else:
                self._tell("disconnect", network, held)
            kept = {name: wish for name, wish in held.record.endpoints.items() if name != network.name}
            await parts.registry.record(held, held.record.replace(endpoints=kept))

    def _tell(self, action: str, network: Network, held: Held) -> None:
        told = {"container": held.id, "name": network.name, "type": network.driver}
        self._parts.events.publish(event("network", action, network.id, told))


def _check_mode(held: Held) -> None:
    mode = held.record.network_mode
    if mode == "host":
        raise InvalidArgument(
            "container cannot be connected to host network" if not held.record.endpoints else "container sharing the host network"
        )
    if mode.startswith("container:"):
        raise InvalidArgument("container sharing network namespace with another container or host cannot be connected to any other network")
    if mode == "none":
        raise InvalidArgument("container cannot be connected to multiple networks with one of the networks in private (none) mode")
