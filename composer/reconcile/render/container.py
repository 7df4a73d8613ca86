"""One container of a service: its template with number, name and the ids of the containers that it shares with. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from composer.engine.model import ContainerConfig, HostConfig, Mount
from composer.reconcile import labels
from composer.reconcile.model import Resource

Lookup = Callable[[str], str]  # service -> id of its first container


def instantiate(
    service: Resource, number: int, name: str, *, lender: Lookup, anonymous: Mapping[str, str], replaces: str = ""
) -> ContainerConfig:
    """``lender`` may raise NotFound. ``anonymous``: target -> the anonymous volume that is carried over; ``replaces``: a container's id."""
    replicas = service.replicas
    template = replicas.template
    joined: list[str] = []

    def borrow(mode: str) -> str:
        if not mode.startswith("service:"):
            return mode
        joined.append(lender(mode.removeprefix("service:")))
        return f"container:{joined[-1]}"

    host = template.host_config
    host = host.replace(
        network_mode=borrow(host.network_mode),
        ipc_mode=borrow(host.ipc_mode),
        pid_mode=borrow(host.pid_mode),
        volumes_from=tuple(_volumes_from(item, lender, joined) for item in host.volumes_from),
        mounts=_carried(host, anonymous),
    )
    own = {labels.NUMBER: str(number), labels.IMAGE: replicas.image_id}
    if joined:
        own[labels.JOINED] = ",".join(dict.fromkeys(joined))
    if replaces:
        own[labels.REPLACES] = replaces
    endpoints = {
        network: wish.replace(aliases=tuple(dict.fromkeys((name, *wish.aliases))))
        for network, wish in template.networking_config.endpoints_config.items()
    }
    networking = template.networking_config.replace(endpoints_config=endpoints)
    return template.replace(labels={**template.labels, **own}, host_config=host, networking_config=networking)


def _volumes_from(item: str, lender: Lookup, joined: list[str]) -> str:
    if item.startswith("container:"):
        return item.removeprefix("container:")
    service, _, mode = item.partition(":")
    joined.append(lender(service))
    return f"{joined[-1]}:{mode}" if mode else joined[-1]


def _carried(host: HostConfig, anonymous: Mapping[str, str]) -> tuple[Mount, ...]:
    """The mounts, anonymous volumes at their targets again."""
    if not anonymous:
        return host.mounts
    taken = {bind.split(":")[1] for bind in host.binds if ":" in bind} | set(host.tmpfs)
    taken |= {mount.target for mount in host.mounts if not _is_anonymous(mount)}
    kept = tuple(mount for mount in host.mounts if not (_is_anonymous(mount) and mount.target in anonymous))
    more = (Mount(type="volume", source=volume, target=target) for target, volume in sorted(anonymous.items()) if target not in taken)
    return (*kept, *more)


def _is_anonymous(mount: Mount) -> bool:
    return mount.type == "volume" and not mount.source
