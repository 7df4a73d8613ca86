"""What is: one snapshot of a project's containers, and of all networks and volumes (external ones are looked up by name)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from composer.engine.interface import Engine, traffic_of
from composer.engine.model import ZERO_TIME, Container, Network, Volume
from composer.reconcile import labels
from composer.reconcile.fate import limits
from composer.reconcile.model import Live, Ref

_ANONYMOUS = re.compile(r"[0-9a-f]{64}")


async def observe(engine: Engine, project: str) -> dict[Ref, Live]:
    """Three listings, no inspection."""
    containers, networks, volumes = await asyncio.gather(
        engine.containers.list(all=True, filters={"label": [f"{labels.PROJECT}={project}"]}),
        engine.networks.list(),
        engine.volumes.list(),
    )
    traffic = traffic_of(engine)
    aside = traffic.aside() if traffic is not None else ()
    found: dict[Ref, Live] = {}
    for container in containers:
        live = container_live(container, aside=container.id in aside)
        if live.hash:  # an image can carry our project's label; what a stack made has its hash, too
            found[live.ref] = live
    for network in networks:
        live = network_live(network)
        found[live.ref] = live
    for volume in volumes:
        live = volume_live(volume)
        found[live.ref] = live
    return found


def container_live(container: Container, *, aside: bool = False) -> Live:
    """A container, read by its labels. ``aside``: nothing new is led to it."""
    tags = container.config.labels
    state = container.state
    number = tags.get(labels.NUMBER, "")
    return Live(
        ref=Ref("container", container.name.removeprefix("/")),
        id=container.id,
        hash=tags.get(labels.HASH) or tags.get(labels.CONFIG_HASH, ""),
        project=tags.get(labels.PROJECT, ""),
        service=tags.get(labels.SERVICE, ""),
        number=int(number) if number.isdigit() else 1,
        oneoff=tags.get(labels.ONEOFF) == "True",
        state=state.status,
        exit_code=state.exit_code,
        started=state.started_at if state.started_at != ZERO_TIME else "",
        health=state.health.status if state.health is not None and state.health.status != "none" else "",
        by_request=container.stopped_by_request,
        image_id=tags.get(labels.IMAGE) or container.image,
        replaces=tags.get(labels.REPLACES, ""),
        joined=tuple(item for item in tags.get(labels.JOINED, "").split(",") if item),
        networks={name: settings.network_id for name, settings in container.network_settings.networks.items()},
        anonymous=_anonymous(container),
        parts=tags.get(labels.PARTS, ""),
        needs=labels.read_needs(tags.get(labels.DEPENDS_ON, "")),
        host_ports=_host_ports(container),
        limits=limits(container.host_config) if container.path else {},  # a remote engine's listing does not tell
        config_files=tags.get(labels.CONFIG_FILES, ""),
        working_dir=tags.get(labels.WORKING_DIR, ""),
        aside=aside,
        labels=tags,
        restarts=container.restart_count,
        oom=state.oom_killed,
        finished=state.finished_at if state.finished_at != ZERO_TIME else "",
        next_start=container.next_start,
        probe=_probe(container),
    )


def _probe(container: Container) -> str:
    health = container.state.health
    last = health.log[-1] if health is not None and health.log else None
    return " ".join(last.output.split())[:200] if last is not None and last.exit_code else ""


def _anonymous(container: Container) -> Mapping[str, str]:
    return {mount.destination: mount.name for mount in container.mounts if mount.type == "volume" and _ANONYMOUS.fullmatch(mount.name)}


def _host_ports(container: Container) -> frozenset[str]:
    return frozenset(
        f"{binding.host_port}/{port.partition('/')[2] or 'tcp'}"
        for port, bindings in container.host_config.port_bindings.items()
        for binding in bindings or ()
        if binding.host_port and "-" not in binding.host_port
    )


def network_live(network: Network) -> Live:
    """A network, read by its labels."""
    tags = network.labels
    return Live(Ref("network", network.name), network.id, hash=tags.get(labels.CONFIG_HASH, ""), project=tags.get(labels.PROJECT, ""))


def volume_live(volume: Volume) -> Live:
    """A volume, read by its labels."""
    tags = volume.labels
    return Live(Ref("volume", volume.name), volume.name, hash=tags.get(labels.CONFIG_HASH, ""), project=tags.get(labels.PROJECT, ""))
