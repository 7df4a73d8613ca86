"""What can be said before anything is touched: external networks and volumes that are missing, names that do not exist. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from composer.engine.errors import InvalidArgument, NotFound
from composer.errors import ComposerError
from composer.reconcile.model import Live, Ref, Resource
from composer.spec.model import Stack


def check_externals(want: Mapping[Ref, Resource], have: Mapping[Ref, Live], services: Iterable[Resource]) -> None:
    """Raises NotFound that names the first external network or volume that these services use and that is not there."""
    used = list(services)
    networks = {name for service in used for name in service.replicas.networks}
    volumes = {name for service in used for name in service.replicas.volumes}
    for ref, resource in sorted(want.items()):
        if not resource.external or ref in have:
            continue
        if ref.kind == "network" and ref.name in networks:
            raise NotFound(
                f"network {ref.name} declared as external, but could not be found", hint=f"make it: composer network create {ref.name}"
            )
        if ref.kind == "volume" and ref.name in volumes:
            raise NotFound(f'external volume "{ref.name}" not found', hint=f"make it: composer volume create {ref.name}")


def check_scale(stack: Stack, scale: Mapping[str, int]) -> None:
    """Raises InvalidArgument for a service with a `container_name` of which there shall be several."""
    for name, count in scale.items():
        if count > 1 and (given := stack.services[name].container_name):
            raise InvalidArgument(
                f'service "{name}" uses the custom container name "{given}", and each container needs a name of its own',
                hint=f"take container_name out of service {name} to scale it",
            )


def check_names(names: Iterable[str], known: Collection[str]) -> None:
    """Raises ComposerError for a service that the stack does not have."""
    for name in names:
        if name not in known:
            raise ComposerError(f"no such service: {name}", code="no-such-service")
