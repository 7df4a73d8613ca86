"""Host ports: taken by a process, by another container, by another service of the stack; not to be had on this machine. Pure.

dockerd publishes a port without a host address on 0.0.0.0 and on [::]; of a range each container takes the first free port.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from composer.engine.model.facts import PortHolder
from composer.reconcile import labels
from composer.reconcile.precheck.finding import Finding
from composer.reconcile.precheck.scene import Scene
from composer.reconcile.rollout.rules import rollout_of, shares_ports
from composer.spec.model import Service

ANYWHERE = ("0.0.0.0", "::")
_HOST_IP = "com.docker.network.bridge.host_binding_ipv4"
_NEAR = 100  # how far away a free port is looked for


@dataclass(frozen=True, slots=True)
class PortWish:
    """A port that a service publishes on ports that it names. ``count``: how many of its containers start. ``host_ip`` "": all.

    ``together``: its containers may hold a fixed port all at once.
    """

    service: str
    index: int
    protocol: str
    host_ip: str
    low: int
    high: int
    count: int
    together: bool

    def place(self, key: str) -> tuple[str | int, ...]:
        """Where it is written; nowhere for one of the command line (``index`` -1)."""
        return ("services", self.service, "ports", self.index, key) if self.index >= 0 else ()

    @property
    def fixed(self) -> bool:
        return self.low == self.high

    def shown(self, port: int) -> str:
        """As dockerd writes an address."""
        host = self.host_ip or ANYWHERE[0]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def wishes(scene: Scene) -> list[PortWish]:
    """Of the services of which something starts."""
    found: list[PortWish] = []
    for name in scene.chosen:
        count = scene.started.get(name, 0)
        if count and (name != scene.oneoff or scene.oneoff_ports):
            service = scene.stack.services[name]
            found.extend(_of(scene, service, count))
    for protocol, host_ip, low, high in scene.oneoff_publish:
        found.append(PortWish(scene.oneoff, -1, protocol, host_ip, low, high, 1, together=False))
    return found


def _of(scene: Scene, service: Service, count: int) -> Iterator[PortWish]:
    networks = [scene.stack.networks[key] for key in service.networks if key in scene.stack.networks]
    if service.network_mode not in ("", "bridge", "default") or (networks and all(network.internal for network in networks)):
        return  # nothing is published then
    together = scene.facts.shared_ports and rollout_of(service) is not None and shares_ports(service) and service.name != scene.oneoff
    usual = next((network.driver_opts[_HOST_IP] for network in networks if network.driver_opts.get(_HOST_IP)), "")
    for index, port in enumerate(service.ports):
        span = port.published_range
        if span is not None and 0 < span[0] <= span[1] < 65536:
            yield PortWish(service.name, index, port.protocol or "tcp", (port.host_ip or usual).strip("[]"), *span, count, together)


def check_ports(scene: Scene) -> Iterator[Finding]:
    """All findings about published ports."""
    wanted = wishes(scene)
    numbers = frozenset((wish.protocol, number) for wish in wanted if wish.fixed for number in (wish.low,))
    if scene.facts.holders is not None:
        held = _Held(scene)
        for wish in wanted:
            yield from _possible(scene, wish)
            yield from _taken(scene, wish, held, numbers)
    yield from _shared(wanted)


def _possible(scene: Scene, wish: PortWish) -> Iterator[Finding]:
    facts = scene.facts
    if wish.protocol not in ("tcp", "udp"):
        message = f"publishing {wish.protocol.upper()} ports is not supported"
        yield Finding("plan.port-protocol", message, wish.place("protocol"), "publish tcp or udp")
    if wish.low < facts.lowest_port:
        message = f"port {wish.low} is not to be had: permission denied below {facts.lowest_port} (net.ipv4.ip_unprivileged_port_start)"
        yield Finding("plan.port-low", message, wish.place("published"), "run the engine as root, or publish a higher port")
    if facts.addresses is not None and wish.host_ip not in ("", *ANYWHERE, *facts.addresses) and not _loopback(wish.host_ip):
        message = f"failed to bind host port for {wish.shown(wish.low)}: cannot assign requested address: this machine has no such address"
        some = ", ".join(sorted(address for address in facts.addresses if not _loopback(address) and "." in address)[:4])
        yield Finding("plan.port-address", message, wish.place("host_ip"), f"it has 127.0.0.1, {some}" if some else "such as 127.0.0.1")


def _loopback(text: str) -> bool:
    try:
        return ip_address(text).is_loopback and "." in text
    except ValueError:
        return False


class _Held:
    """The ports that stay taken while the plan is carried out."""

    def __init__(self, scene: Scene) -> None:
        self._by_port: dict[tuple[str, int], list[PortHolder]] = {}
        for holder in scene.facts.holders or ():
            if holder.container not in scene.leaving or not holder.container:
                self._by_port.setdefault((holder.protocol, holder.port), []).append(holder)

    def by(self, wish: PortWish, port: int) -> PortHolder | None:
        return next((holder for holder in self._by_port.get((wish.protocol, port), ()) if _meets(wish.host_ip, holder)), None)


def _meets(wanted: str, holder: PortHolder) -> bool:
    """Whether a socket on ``wanted`` cannot be beside the holder's."""
    if not wanted:
        return True
    if ":" in wanted:
        return ":" in holder.address and (wanted == "::" or holder.address in ("::", wanted))
    if ":" in holder.address:
        return holder.address == "::" and holder.dual
    return ANYWHERE[0] in (wanted, holder.address) or wanted == holder.address


def _taken(scene: Scene, wish: PortWish, held: _Held, numbers: Collection[tuple[str, int]]) -> Iterator[Finding]:
    in_the_way = {port: holder for port in range(wish.low, wish.high + 1) if (holder := held.by(wish, port)) is not None}
    if wish.together:
        in_the_way = {port: holder for port, holder in in_the_way.items() if not _is_own(scene, wish, holder)}
    free = wish.high - wish.low + 1 - len(in_the_way)
    if not in_the_way or free >= wish.count:
        return
    port, holder = next(iter(in_the_way.items()))
    own = _is_own(scene, wish, holder) and wish.service != scene.oneoff
    what = f"{wish.shown(port)}/{wish.protocol}" if wish.fixed else f"each port of {wish.low}-{wish.high}/{wish.protocol}"
    if not wish.fixed and free:
        what = f"all but {free} of {wish.low}-{wish.high}/{wish.protocol}, where {wish.count} are needed,"
    words = "port is already allocated" if holder.container else "address already in use"
    message = f"Bind for {wish.shown(port)} failed: {words}: {what} is held by {who(scene, holder)}"
    late = own or (not wish.fixed and free > 0)
    yield Finding("plan.port-taken", message, wish.place("published"), _advice(scene, wish, port, holder, numbers), late=late)


def _is_own(scene: Scene, wish: PortWish, holder: PortHolder) -> bool:
    """Another container of the same service, which stays: one of them can have it, as docker compose finds when it starts the second."""
    container = scene.by_id.get(holder.container)
    tags = container.config.labels if container is not None else {}
    return tags.get(labels.PROJECT) == scene.stack.name and tags.get(labels.SERVICE) == wish.service


def who(scene: Scene, holder: PortHolder) -> str:
    """ "process nginx (pid 812, user root)", "container shop-web-1 of stack shop"."""
    process = f"process {holder.process or '?'} (pid {holder.pid}, user {holder.user or '?'})" if holder.pid else ""
    if not holder.container:
        return process or "a process that cannot be seen from here"
    return f"{process} in {container_words(scene, holder.container)}" if process else container_words(scene, holder.container)


def container_words(scene: Scene, ident: str) -> str:
    """A container, and whose it is."""
    container = scene.by_id.get(ident)
    if container is None:
        return f"container {ident[:12]}"
    project = container.config.labels.get(labels.PROJECT, "")
    whose = f" of this stack (service {container.config.labels.get(labels.SERVICE, '')})" if project == scene.stack.name else ""
    return f"container {container.name.removeprefix('/')}{whose or (f' of stack {project}' if project else '')}"


def _advice(scene: Scene, wish: PortWish, port: int, holder: PortHolder, numbers: Collection[tuple[str, int]]) -> str:
    near = _near(scene, wish, numbers)
    other = f"publish another port: {near} is free" if near else "publish another port"
    container = scene.by_id.get(holder.container)
    if container is None:
        return f"stop it, or {other}"
    project, service = (container.config.labels.get(key, "") for key in (labels.PROJECT, labels.SERVICE))
    if project == scene.stack.name and service not in scene.stack.services:
        return f"--remove-orphans removes it; or {other}"
    if project == scene.stack.name and service == wish.service and service != scene.oneoff:
        top = wish.high + max(wish.count, 1) * 10
        return f'one container can have it: publish a range, such as "{wish.low}-{min(top, 65535)}:...", or no fixed port'
    if project == scene.stack.name and service != scene.oneoff:
        return f"only one of the services can have it; {other}"
    name = container.name.removeprefix("/")
    return f"`composer container stop {name}`, or {other}"


def _near(scene: Scene, wish: PortWish, numbers: Collection[tuple[str, int]]) -> int:
    """A free port close by; 0: none."""
    lowest = max(scene.facts.lowest_port, 1)
    above, below = range(wish.high + 1, min(wish.high + _NEAR, 65536)), range(wish.low - 1, max(wish.low - _NEAR, lowest), -1)
    port: int
    for port in [*above, *below]:
        if (wish.protocol, port) not in scene.facts.busy and (wish.protocol, port) not in numbers:
            return port
    return 0


def _shared(wanted: list[PortWish]) -> Iterator[Finding]:
    """A fixed port that several containers of this stack are to have."""
    before: dict[tuple[str, int], list[PortWish]] = {}
    for wish in wanted:
        if not wish.fixed:
            if wish.high - wish.low + 1 < wish.count:
                message = (
                    f"{wish.count} containers cannot share the {wish.high - wish.low + 1} ports of {wish.low}-{wish.high}/{wish.protocol}"
                )
                yield Finding("plan.port-clash", message, wish.place("published"), "publish a wider range", late=True)
            continue
        same = before.setdefault((wish.protocol, wish.low), [])
        other = next((one for one in same if one.service != wish.service and _overlap(one.host_ip, wish.host_ip)), None)
        if other is not None:
            message = f"port {wish.low}/{wish.protocol} is published by the services '{other.service}' and '{wish.service}'"
            yield Finding("plan.port-clash", message, wish.place("published"), "only one of them can have it", late=True)
        elif wish.count > 1 and not wish.together:
            message = (
                f"{wish.count} containers of '{wish.service}' cannot all have port {wish.low}/{wish.protocol}: port is already allocated"
            )
            hint = f'publish a range, such as "{wish.low}-{wish.low + wish.count - 1}:...", or no fixed port'
            yield Finding("plan.port-clash", message, wish.place("published"), hint, late=True)
        same.append(wish)


def _overlap(one: str, other: str) -> bool:
    if not one or not other or one == other:
        return True
    return (":" in one) == (":" in other) and bool({one, other} & {*ANYWHERE})
