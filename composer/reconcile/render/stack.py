"""A whole stack as Resources: services with their replicas, networks, volumes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from composer.engine.model import ContainerConfig, HostConfig, NetworkConfig, NetworkingConfig, VolumeConfig
from composer.errors import ComposerError
from composer.reconcile import labels
from composer.reconcile.model import STARTED, Need, Ref, Replicas, Resource
from composer.reconcile.render import network as networks
from composer.reconcile.render.digest import digest, service_parts, whole
from composer.reconcile.render.host import host_fields, host_ports
from composer.reconcile.render.process import hooks, process_fields
from composer.reconcile.render.storage import api_socket, storage
from composer.reconcile.rollout.rules import rollout_of, shares_ports
from composer.spec.model import Network, Service, Stack, Volume
from composer.spec.normal import service_hash

SCHEDULED = "x-schedule"  # of a service that runs by the clock (`spec.schedule`): `up` makes no container of it


@dataclass(frozen=True, slots=True)
class Site:
    """What the stack does not say: composer's version, the directory for the content of secrets and configs, the engine's socket."""

    version: str = ""
    content: str = "/run/composer/content"
    socket: str = ""


def render(stack: Stack, site: Site, refused: dict[str, ComposerError] | None = None) -> dict[Ref, Resource]:
    """What should exist for the enabled services. Raises Unsupported for what this engine cannot do, ComposerError for missing content.

    ``refused``: takes these errors by service instead, and the service is left out.
    """
    found: dict[Ref, Resource] = {}
    for key, network in sorted(stack.networks.items()):
        resource = _network(stack, site, key, network)
        found[resource.ref] = resource
    for key, volume in sorted(stack.volumes.items()):
        resource = _volume(stack, site, key, volume)
        found[resource.ref] = resource
    for name, service in sorted(stack.services.items()):
        if service.provider is not None:
            continue  # something else runs it
        try:
            found[Ref("service", name)] = _service(stack, site, service)
        except ComposerError as error:
            if refused is None:
                raise
            refused[name] = error
    return found


def image_of(stack: Stack, service: Service) -> str:
    """The image's name: the one that is said, or that of a build without a name."""
    return service.image or f"{stack.name}-{service.name}"


def _network(stack: Stack, site: Site, key: str, network: Network) -> Resource:
    plain = networks.network_config(network)
    hashed = digest(plain.to_wire())
    own = {labels.PROJECT: stack.name, labels.NETWORK: key, labels.VERSION: site.version, labels.CONFIG_HASH: hashed}
    config: NetworkConfig = plain.replace(labels={**plain.labels, **own})
    return Resource(Ref("network", network.name), config, hashed, external=network.external, key=key)


def _volume(stack: Stack, site: Site, key: str, volume: Volume) -> Resource:
    plain = VolumeConfig(
        name=volume.name, driver=volume.driver or "local", driver_opts=dict(volume.driver_opts), labels=dict(volume.labels)
    )
    hashed = digest(plain.to_wire())
    own = {labels.PROJECT: stack.name, labels.VOLUME: key, labels.VERSION: site.version, labels.CONFIG_HASH: hashed}
    return Resource(Ref("volume", volume.name), plain.replace(labels={**plain.labels, **own}), hashed, external=volume.external, key=key)


def _service(stack: Stack, site: Site, service: Service) -> Resource:
    parts = service_parts(
        service,
        networks={key: network.name for key, network in stack.networks.items()},
        volumes={key: volume.name for key, volume in stack.volumes.items()},
        secrets=stack.secrets,
        configs=stack.configs,
    )
    hashed = whole(parts)
    needs = needs_of(service)
    attached = networks.attachments(stack, service)
    stored = storage(stack, service, site.content)
    own = {
        labels.PROJECT: stack.name,
        labels.SERVICE: service.name,
        labels.ONEOFF: "False",
        labels.CONFIG_HASH: service_hash(service),
        labels.CONFIG_FILES: ",".join(stack.files),
        labels.WORKING_DIR: stack.directory,
        labels.VERSION: site.version,
        labels.DEPENDS_ON: labels.write_needs(tuple(need for need in needs if need.service in service.depends_on)),
        labels.HASH: hashed,
        labels.PARTS: labels.write_parts(parts),
    }
    mounts = (*stored.mounts, api_socket(site.socket)) if service.use_api_socket else stored.mounts
    host = HostConfig(
        **host_fields(service),
        network_mode=networks.network_mode(service, attached),
        binds=stored.binds,
        mounts=mounts,
        volumes_from=tuple(service.volumes_from),
    )
    linked = networks.links(stack, service)
    endpoints = {
        name: networks.endpoint(service, wish, first=index == 0, links=linked, aliases=(service.name,))
        for index, (name, wish) in enumerate(attached)
    }
    template = ContainerConfig(
        **process_fields(service, image_of(stack, service)),
        labels={**service.labels, **own},
        host_config=host,
        networking_config=NetworkingConfig(endpoints_config={} if service.network_mode else endpoints),
    )
    replicas = Replicas(
        template,
        scale=0 if SCHEDULED in service.extensions else service.replicas,
        container_name=service.container_name,
        networks=tuple(template.networking_config.endpoints_config),
        volumes=stored.volumes,
        files=stored.files,
        post_start=hooks(service.post_start),
        pre_stop=hooks(service.pre_stop),
        host_ports=host_ports(service),
        rollout=rollout_of(service),
        group=f"{stack.name}/{service.name}" if shares_ports(service) else "",
    )
    return Resource(Ref("service", service.name), replicas, hashed, parts, needs)


def needs_of(service: Service) -> tuple[Need, ...]:
    """`depends_on`, and the services whose namespaces, volumes or names it uses."""
    found: dict[str, Need] = {
        name: Need(name, dependency.condition, dependency.restart, dependency.required)
        for name, dependency in sorted(service.depends_on.items())
    }
    shared, owners = lenders(service)
    for name in (*shared, *owners):
        known = found.get(name, Need(name))
        found[name] = replace(known, hard=True, shares=name in shared)
    for link in service.links:
        name = link.partition(":")[0]
        found.setdefault(name, Need(name, STARTED))
    return tuple(found.values())


def lenders(service: Service) -> tuple[list[str], list[str]]:
    """The services that lend it a namespace, and those that lend it their volumes."""
    modes = [mode.removeprefix("service:") for mode in (service.network_mode, service.ipc, service.pid) if mode.startswith("service:")]
    volumes = [item.partition(":")[0] for item in service.volumes_from if not item.startswith("container:")]
    return list(dict.fromkeys(modes)), list(dict.fromkeys(volumes))
