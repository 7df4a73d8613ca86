"""What an engine can tell of its machine before anything is made on it: who holds a port, what is at a path, which image a registry has.

An **Inquiry** says what is of interest, so that an engine looks at nothing else; **Facts** are the answer. A fact that an engine cannot
know is None (or not among the keys of its mapping), and whoever judges says nothing about it then. These are no part of Docker's API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from composer.engine.model.container import ContainerConfig
from composer.engine.model.network import NetworkConfig

# What is at a path. BENEATH_FILE: a part of the path is a file, so it cannot even be made. DANGLING: a link that leads to nothing.
MISSING, FILE, DIRECTORY, DEVICE, OTHER = "missing", "file", "directory", "device", "other"
BENEATH_FILE, DANGLING, UNREADABLE = "beneath-file", "dangling", "unreadable"

# What a registry says of an image. SLOW: no answer in time, which means nothing yet.
FOUND, ABSENT, DENIED, UNREACHABLE, SLOW = "found", "absent", "denied", "unreachable", "slow"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked. ``ports``: ("tcp", 8080); ``hosts``: the host's addresses that they name. ``paths``: absolute. ``images``: (reference,
    platform), asked of their registries.

    ``containers``, ``networks``: what is to be made, by a name that the answer has, too.
    ``subnets``: what networks that are to be made ask for; ``pools``: the IP versions (4, 6) of those that leave it to the engine, one
    entry each. ``leaving``: ids of networks that will be gone before.
    """

    ports: frozenset[tuple[str, int]] = frozenset()
    hosts: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    images: tuple[tuple[str, str], ...] = ()
    subnets: tuple[str, ...] = ()
    pools: tuple[int, ...] = ()
    leaving: frozenset[str] = frozenset()
    containers: Mapping[str, ContainerConfig] = field(default_factory=dict)
    networks: Mapping[str, NetworkConfig] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PortHolder:
    """Who has a port of the host. ``address``: "0.0.0.0" and "::" are all addresses; ``dual``: it is "::" and takes IPv4, too.

    ``container``: the id of the engine's container that holds it, "" for others; then ``pid`` (0: not known), ``process`` and ``user``.
    """

    protocol: str
    address: str
    port: int
    dual: bool = False
    container: str = ""
    pid: int = 0
    process: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class HostRoute:
    """A route, or the net of an address, of the host; those of the engine's own networks are left out. ``direct``: without a gateway."""

    subnet: str
    interface: str
    direct: bool = True


@dataclass(frozen=True, slots=True)
class PathFact:
    """``kind``: one of the words above. ``detail``: the file in the way, the link's target, or why it cannot be read."""

    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ImageFact:
    """``kind``: one of the words above. ``reason``: the engine's words when it is not there."""

    kind: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the engine would not make something, in its words."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """The answer. ``busy``: all ports in use, to find a free one near one that is taken. ``lowest_port``: the engine may have no lower one.

    ``rooms``: how many of the inquiry's ``pools`` the default pools can serve, by IP version; ``default_pools``: what they are.
    ``memory``: bytes; 0 is not known, as for ``cpus``. ``device_drivers``: what `gpus` can be asked of. ``shared_ports``: containers of one
    service may hold a host port together. ``refused``: what the engine has against the inquiry's containers and networks.
    """

    holders: tuple[PortHolder, ...] | None = None
    busy: frozenset[tuple[str, int]] = frozenset()
    lowest_port: int = 0
    addresses: frozenset[str] | None = None
    routes: tuple[HostRoute, ...] | None = None
    default_pools: Mapping[int, str] = field(default_factory=dict)
    rooms: Mapping[int, int] | None = None
    paths: Mapping[str, PathFact] = field(default_factory=dict)
    images: Mapping[str, ImageFact] = field(default_factory=dict)
    cpus: int = 0
    memory: int = 0
    runtimes: frozenset[str] | None = None
    log_drivers: frozenset[str] | None = None
    network_drivers: frozenset[str] | None = None
    volume_drivers: frozenset[str] | None = None
    device_drivers: frozenset[str] | None = None
    shared_ports: bool = False
    refused: Mapping[str, tuple[Refusal, ...]] = field(default_factory=dict)
