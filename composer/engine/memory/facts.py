"""What the engine in memory can tell before a plan is carried out: its own ports, what its registry has, its drivers. It has no host."""

from __future__ import annotations

from composer.engine.memory.world import World
from composer.engine.model.facts import DENIED, FOUND, Facts, ImageFact, Inquiry, PortHolder

_WORDS = (
    "pull access denied for {}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
)


def facts_of(world: World, about: Inquiry) -> Facts:
    holders = tuple(
        PortHolder(protocol, binding.host_ip, int(binding.host_port), container=ident)
        for (protocol, binding), owners in world.host_ports.items()
        for ident in sorted(owners)
    )
    return Facts(
        holders=tuple(holder for holder in holders if (holder.protocol, holder.port) in about.ports),
        busy=frozenset((holder.protocol, holder.port) for holder in holders),
        images={name: _image(world, name) for name, _ in about.images},
        network_drivers=frozenset({"bridge"}),
        volume_drivers=frozenset({"local"}),
        shared_ports=True,
    )


def _image(world: World, name: str) -> ImageFact:
    whole = name if ":" in name or "@" in name else f"{name}:latest"
    return ImageFact(FOUND) if whole in world.registry else ImageFact(DENIED, _WORDS.format(whole.rpartition(":")[0]))
