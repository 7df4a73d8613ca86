"""Creating a container: resolve the wish, record it, make its volumes. Nothing in the kernel is touched, its directory is made at need.

The row is the one durable write; the rest can be made again from it at any later start, so a crash leaves nothing half-made.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from composer.engine.errors import InvalidArgument, NotFound
from composer.engine.local.containers import mounts, names, networking, resolve
from composer.engine.local.containers.parts import Parts, now
from composer.engine.local.containers.record import MountRow, Record, Run
from composer.engine.local.containers.registry import Held
from composer.engine.local.runtime.support import supported
from composer.engine.model import ContainerConfig, ContainerCreated, EndpointSettings, VolumeConfig


async def create(parts: Parts, asked: ContainerConfig, name: str = "") -> ContainerCreated:
    """NotFound (image, volumes_from, network of a container), Conflict (name), InvalidArgument."""
    ident = os.urandom(32).hex()
    image = parts.images.resolve(asked.image)
    merged = resolve.merge(asked, image.process)
    resolve.check(merged, cpus=parts.cpus, runtimes=parts.runtime.available())
    parts.cgroup_parent(merged.host_config.cgroup_parent)
    host, discarded = supported(merged.host_config, parts.runtime.hierarchies)
    merged = merged.replace(host_config=host)
    config = _settle(parts, merged, ident)
    rows = [_source(parts, row) for row in mounts.plan(config, _others(parts, config))]
    if any(row.kind == "bind" and not row.create for row in rows):
        await asyncio.to_thread(_check_sources, rows)
    record = Record(
        id=ident,
        name=names.check(name) if name else names.generate(random.randrange, lambda n: parts.registry.named(n) is not None),
        created=now(),
        image=image.id,
        config=config,
        mounts=tuple(rows),
        endpoints=await _endpoints(parts, config),
    )
    if not record.network_mode.startswith("container:"):
        parts.networks.check(networking.request(record))
    held = await _make(parts, record)
    parts.publish(held, "create")
    return ContainerCreated(id=ident, warnings=(*discarded, *_warnings(config)))


async def _make(parts: Parts, record: Record) -> Held:
    async with AsyncExitStack() as undo:
        held = await parts.registry.add(record, Run())
        undo.push_async_callback(parts.registry.drop, held)
        await asyncio.gather(*(_volume(parts, record, row, undo) for row in record.mounts))
        undo.pop_all()
    return held


async def _volume(parts: Parts, record: Record, row: MountRow, undo: AsyncExitStack) -> None:
    if row.kind != "volume":
        return
    if row.anonymous:
        undo.push_async_callback(_forget, parts, record, row.source)
    await ensure_volume(parts, record, row)


async def ensure_volume(parts: Parts, record: Record, row: MountRow) -> None:
    """Make the volume that a mount names, unless it exists. Done at create; and at a start, when a crash came in between."""
    wishes = [m.volume_options for m in record.config.host_config.mounts if m.source == row.source and m.volume_options]
    labels = wishes[0].labels if wishes and row.from_mount else {}
    options = next((wish.driver_config for wish in wishes if wish.driver_config), None)
    driver = (options.name if options else "") or record.config.host_config.volume_driver or "local"
    wish = VolumeConfig(name=row.source, driver=driver, driver_opts=options.options if options else {}, labels=labels)
    await parts.volumes.create(wish, anonymous=row.anonymous)


async def _forget(parts: Parts, record: Record, volume: str) -> None:
    """Undo an anonymous volume: first its user goes."""
    held = parts.registry.get(record.id)
    if held is not None:
        await parts.registry.drop(held)
    await parts.volumes.remove(volume, force=True)


def make_directory(directory: Path) -> None:
    """Where a container keeps what is its own. Again and again, if need be."""
    directory.mkdir(mode=0o710, exist_ok=True)


def _settle(parts: Parts, config: ContainerConfig, ident: str) -> ContainerConfig:
    """Fill in what depends on the machine and on other containers."""
    host = config.host_config
    mode = host.network_mode
    if mode.startswith("container:"):
        target = parts.registry.find(mode.removeprefix("container:"))
        mode = f"container:{target.id}"
    elif config.network_disabled:
        mode = "none"
    elif mode in ("", "default"):
        mode = "bridge"
    changes: dict[str, object] = {"network_mode": mode}
    for field in ("pid_mode", "ipc_mode"):
        value: str = getattr(host, field)
        if value.startswith("container:"):
            changes[field] = f"container:{parts.registry.find(value.removeprefix('container:')).id}"
    hostname = config.hostname
    if mode.startswith("container:"):  # one network, one name
        hostname = parts.registry.find(mode.removeprefix("container:")).record.config.hostname
    elif not hostname:
        hostname = socket.gethostname() if mode == "host" or host.uts_mode == "host" else ident[:12]
    return config.replace(hostname=hostname, host_config=host.replace(**changes))


def _others(parts: Parts, config: ContainerConfig) -> dict[str, tuple[MountRow, ...]]:
    wanted = [mounts.split_volumes_from(wish)[0] for wish in config.host_config.volumes_from]
    return {name: parts.registry.find(name).record.mounts for name in wanted}


def _source(parts: Parts, row: MountRow) -> MountRow:
    """Name what has no name yet: an anonymous volume; the image of an image mount."""
    if row.kind == "volume" and not row.source:
        return replace(row, source=os.urandom(32).hex(), anonymous=True)
    if row.kind == "image":
        return replace(row, source=parts.images.resolve(row.source).id)
    return row


def _check_sources(rows: list[MountRow]) -> None:
    for row in rows:
        if row.kind == "bind" and not row.create and not os.path.lexists(row.source):
            raise InvalidArgument(
                f'invalid mount config for type "bind": bind source path does not exist: {row.source}',
                hint="make the path, or ask for it to be made (create_host_path: true; -v)",
            )


async def _endpoints(parts: Parts, config: ContainerConfig) -> dict[str, EndpointSettings]:
    """The networks it will be in, by name; the one that network_mode names comes first."""
    mode = config.host_config.network_mode
    if mode in ("host", "none") or mode.startswith("container:"):
        return {}
    wishes = dict(config.networking_config.endpoints_config)
    first = wishes.pop(mode, None)
    if first is None and mode == "bridge" and wishes and "default" in wishes:
        first = wishes.pop("default")
    endpoints: dict[str, EndpointSettings] = {}
    for ref, wish in ((mode, first or EndpointSettings()), *wishes.items()):
        try:
            network = await parts.networks.inspect(ref)
        except NotFound:  # told when it starts, as Docker does
            endpoints[ref] = wish
            continue
        if config.mac_address and not endpoints and not wish.mac_address:
            wish = wish.replace(mac_address=config.mac_address)
        endpoints.setdefault(network.name, wish.replace(network_id=network.id))
    return endpoints


def _warnings(config: ContainerConfig) -> tuple[str, ...]:
    if config.host_config.network_mode in ("host",) and (config.host_config.port_bindings or config.host_config.publish_all_ports):
        return ("Published ports are discarded when using host network mode",)
    return ()
