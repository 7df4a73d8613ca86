"""Networks and volumes that are to be there already, and are not. Words of refusal are docker compose's. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from composer.reconcile.model import Ref
from composer.reconcile.precheck.finding import Finding
from composer.reconcile.precheck.scene import Scene
from composer.spec.problems import did_you_mean


def check_externals(scene: Scene) -> Iterator[Finding]:
    """Of the chosen services, whether something of them is to be done or not."""
    services = [scene.stack.services[name] for name in scene.chosen]
    networks = {key for service in services for key in service.networks}
    volumes = {mount.source for service in services for mount in service.volumes if mount.type == "volume"}
    for key, network in scene.stack.networks.items():
        if network.external and key in networks and Ref("network", network.name) not in scene.have:
            message = f"network {network.name} declared as external, but could not be found"
            yield Finding("plan.external", message, ("networks", key, "external"), _hint(scene, "network", network.name))
    for key, volume in scene.stack.volumes.items():
        if volume.external and key in volumes and Ref("volume", volume.name) not in scene.have:
            message = f'external volume "{volume.name}" not found'
            yield Finding("plan.external", message, ("volumes", key, "external"), _hint(scene, "volume", volume.name))


def _hint(scene: Scene, kind: str, name: str) -> str:
    similar = did_you_mean(name, [ref.name for ref in scene.have if ref.kind == kind])
    command = f"make it: composer {kind} create {name}"
    return f"{similar} or {command}" if similar else command
