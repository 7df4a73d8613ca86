"""A container as `GET /containers/json` lists it, in Docker's words ("Up 5 minutes (healthy)"). Pure.

Source: moby container/state.go (String), daemon/list.go; docker/go-units duration.go (HumanDuration).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from composer.daemon.query import moment
from composer.engine.model import ZERO_TIME, Container, PortBinding


def summary(one: Container, now: float) -> dict[str, Any]:
    """``now``: seconds since 1970."""
    found: dict[str, Any] = {
        "Id": one.id,
        "Names": [one.name],
        "Image": one.config.image or one.image,
        "ImageID": one.image,
        "Command": command(one),
        "Created": int(moment(one.created, now)),
        "Ports": ports(one.network_settings.ports),
        "Labels": one.config.labels,
        "State": one.state.status,
        "Status": status(one, now),
        "HostConfig": {"NetworkMode": one.host_config.network_mode or "default"},
        "NetworkSettings": {"Networks": {name: end.to_wire() for name, end in one.network_settings.networks.items()}},
        "Mounts": [mount.to_wire() for mount in one.mounts],
    }
    if one.size_rw is not None:
        found["SizeRw"] = one.size_rw
        found["SizeRootFs"] = one.size_root_fs or 0
    return found


def command(one: Container) -> str:
    return " ".join([one.path, *(f"'{arg}'" if " " in arg else arg for arg in one.args)])


def ports(bindings: Mapping[str, tuple[PortBinding, ...] | None]) -> list[dict[str, Any]]:
    """One row a binding; an exposed port without binding is a row without a public port."""
    rows: list[dict[str, Any]] = []
    for port, chosen in bindings.items():
        number, _, protocol = port.partition("/")
        private = {"PrivatePort": int(number), "Type": protocol or "tcp"}
        if not chosen:
            rows.append(private)
        rows += [{"IP": one.host_ip, **private, "PublicPort": int(one.host_port or 0)} for one in chosen or ()]
    return rows


def status(one: Container, now: float) -> str:
    """The state as a sentence."""
    state = one.state
    if state.restarting:
        return f"Restarting ({state.exit_code}) {human(now - moment(state.finished_at, now))} ago"
    if state.running:
        up = f"Up {human(now - moment(state.started_at, now))}"
        if state.paused:
            return f"{up} (Paused)"
        if state.health is None or state.health.status == "none":
            return up
        return f"{up} ({'health: starting' if state.health.status == 'starting' else state.health.status})"
    if state.status == "removing":
        return "Removal In Progress"
    if state.dead:
        return "Dead"
    if state.started_at == ZERO_TIME:
        return "Created"
    return f"Exited ({state.exit_code}) {human(now - moment(state.finished_at, now))} ago" if state.finished_at != ZERO_TIME else ""


def human(seconds: float) -> str:
    """A duration as go-units says it: "About a minute", "3 weeks"."""
    whole, minutes, hours = int(seconds), int(seconds / 60), int(seconds / 3600 + 0.5)
    if whole < 60:
        return "Less than a second" if whole < 1 else "1 second" if whole == 1 else f"{whole} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for limit, unit, size in ((24 * 14, "days", 24), (24 * 60, "weeks", 24 * 7), (24 * 365 * 2, "months", 24 * 30)):
        if hours < limit:
            return f"{hours // size} {unit}"
    return f"{int(seconds / 3600) // 24 // 365} years"
