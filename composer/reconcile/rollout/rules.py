"""From a service to its `Rollout`: `update_config`, `rollback_config`, and whether two of its containers can run at once. Pure.

Two cannot where both would want what only one can have: the container's name, a fixed address, the host's network, a port in mode host, the
last port of a range; or where both would write what was written by one until now: a named volume that is mounted read-write into a service
of one replica. (With several replicas the volume has several writers anyway.)
"""

from __future__ import annotations

from dataclasses import replace

from composer.reconcile.rollout.model import CONTINUE, GRACE, MONITOR, PAUSE, ROLLBACK, Pace, Rollout
from composer.spec.model import Service
from composer.spec.model.deploy import Rollout as Wish
from composer.spec.units import parse_duration

DRAIN = "x-drain"  # in update_config: how long open connections are waited for, where that is not the stop_grace_period


def rollout_of(service: Service) -> Rollout | None:
    """None: the service has no `update_config`, and all of its containers are replaced at once, as docker compose does it."""
    wish = service.deploy.update_config if service.deploy else None
    if service.deploy is None or wish is None:
        return None
    alone = why_alone(service)
    grace = GRACE if service.stop_grace_period is None else service.stop_grace_period / 1e9
    forward = _pace(wish, (PAUSE, CONTINUE, ROLLBACK), beside=not alone)
    said_back = service.deploy.rollback_config
    # without a rollback_config the way back is at the pace and in the order of the update
    back = _pace(said_back, (PAUSE, CONTINUE), beside=not alone) if said_back else replace(forward, action=PAUSE, ratio=0.0, delay=0.0)
    said = wish.extensions.get(DRAIN)
    drain = grace if said is None else parse_duration(str(said)) / 1e9
    return Rollout(forward, back, alone, asked=wish.order == "start-first", drain=drain)


def _pace(wish: Wish, actions: tuple[str, ...], *, beside: bool) -> Pace:
    return Pace(
        parallelism=1 if wish.parallelism is None else wish.parallelism,
        delay=wish.delay / 1e9,
        monitor=wish.monitor / 1e9 or MONITOR,
        ratio=wish.max_failure_ratio,
        action=wish.failure_action if wish.failure_action in actions else PAUSE,
        start_first=wish.order == "start-first" and beside,
    )


def why_alone(service: Service) -> str:
    """Why only one container of a seat can run at a time; "" two can."""
    if service.container_name:
        return "container_name is fixed"
    if service.network_mode == "host":
        return "it is in the host's network"
    if service.mac_address or any(n.ipv4_address or n.ipv6_address or n.mac_address for n in service.networks.values() if n):
        return "its address is fixed"
    return _port_alone(service) or _volume_alone(service)


def _port_alone(service: Service) -> str:
    for port in service.ports:
        low, _, high = port.published.partition("-")
        if port.mode == "host" and port.published:
            return f"port {port.published} is published in mode host"
        if high and int(high) - int(low) < service.replicas:
            return f"the ports {port.published} are all in use"
    return ""


def _volume_alone(service: Service) -> str:
    if service.replicas > 1:
        return ""
    written = next((mount for mount in service.volumes if mount.type == "volume" and mount.source and not mount.read_only), None)
    return f"volume {written.source} is written at {written.target}" if written else ""


def shares_ports(service: Service) -> bool:
    """Whether its replicas may hold a host port together."""
    return not any(port.mode == "host" for port in service.ports)
