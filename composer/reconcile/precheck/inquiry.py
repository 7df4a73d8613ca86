"""What an engine is asked about a scene: only what the plan touches. Pure."""

from __future__ import annotations

from composer.engine.model import ContainerConfig, NetworkConfig
from composer.engine.model.facts import Inquiry
from composer.reconcile.model import Ref
from composer.reconcile.precheck import paths, ports
from composer.reconcile.precheck.scene import Scene
from composer.reconcile.render import instantiate


def inquiry(scene: Scene) -> Inquiry:
    """Empty when nothing is made or started."""
    made = [scene.stack.networks[key] for key in scene.networks]
    versions = [
        version
        for network in made
        if network.driver in ("", "bridge", "default")
        for version, on in ((4, network.enable_ipv4 is not False), (6, bool(network.enable_ipv6)))
        if on and not any(pool.subnet and (":" in pool.subnet) == (version == 6) for pool in network.ipam.config)
    ]
    published = ports.wishes(scene)
    return Inquiry(
        ports=frozenset((wish.protocol, number) for wish in published for number in range(wish.low, wish.high + 1)),
        hosts=frozenset(wish.host_ip for wish in published) - {"", *ports.ANYWHERE},
        paths=frozenset((*paths.sources(scene), *paths.devices(scene))),
        images=tuple(dict.fromkeys((item.image, item.service.platform) for item in scene.work if item.verb == "pull" and item.needed)),
        subnets=tuple(pool.subnet for network in made for pool in network.ipam.config if pool.subnet),
        pools=tuple(versions),
        leaving=scene.gone,
        containers=_containers(scene),
        networks=_networks(scene),
    )


def _containers(scene: Scene) -> dict[str, ContainerConfig]:
    """One for each service of which a container is made."""
    services = {service.name: scene.want.get(Ref("service", service.name)) for service in scene.made}
    return {
        str(resource.ref): instantiate(resource, 1, name, lender=lambda service: service, anonymous={})
        for name, resource in services.items()
        if resource is not None
    }


def _networks(scene: Scene) -> dict[str, NetworkConfig]:
    found = {key: scene.want.get(Ref("network", scene.stack.networks[key].name)) for key in scene.networks}
    return {f"network {key}": one.config for key, one in found.items() if one is not None and isinstance(one.config, NetworkConfig)}
