"""Who is to be reached: what `traffic` says of a sandbox, carried out in its ports, names and rules; and who is connected to it."""

from __future__ import annotations

from composer.engine.local.layout import Layout
from composer.engine.local.network import endpoints
from composer.engine.local.network.kernel import Kernel
from composer.engine.local.network.ports import parse_port
from composer.engine.local.network.ruleset import PortRule
from composer.engine.local.network.sandboxes import Sandboxes


class Reach:
    """One for the engine, over its sandboxes."""

    def __init__(self, layout: Layout, kernel: Kernel, sandboxes: Sandboxes) -> None:
        self._layout = layout
        self._kernel = kernel
        self._sandboxes = sandboxes
        self.traffic = sandboxes.traffic

    async def share(self, container_id: str, group: str, *, aside: bool | None = None) -> None:
        """It holds its host ports together with others of the group, from now on and at each start."""
        if await self.traffic.put(container_id, group=group, aside=aside) and self._sandboxes.row(container_id) is not None:
            self._sandboxes.host_ports.regroup(container_id, group)
            await self._turn(container_id)

    async def set_aside(self, container_id: str, aside: bool) -> None:
        """Nothing new is led to it, or it is again. Connections that are open stay."""
        if await self.traffic.put(container_id, aside=aside):
            await self._turn(container_id)

    async def _turn(self, container_id: str) -> None:
        row = self._sandboxes.row(container_id)
        if row is None:
            return  # it does not run: its next start finds what was said
        self._sandboxes.naming.announce(row)
        await self._sandboxes.firewall.apply()
        if self.traffic.is_aside(container_id) and row.published:
            self._sandboxes.host_ports.turn_away(container_id)
            await self._sandboxes.forget_flows(row)

    async def weigh(self, container_id: str) -> None:
        """It has started, or its health has changed: its group's ports may lead elsewhere now."""
        if container_id in self.traffic and self._sandboxes.row(container_id) is not None:
            await self._sandboxes.firewall.apply()

    def port_rules(self) -> list[PortRule]:
        """All published ports that lead somewhere now, for the firewall."""
        rows = self._sandboxes.rows()
        self.traffic.now = self.traffic.carrying(row.container for row in rows)
        rules = []
        for row in rows:
            target = endpoints.target(row.endpoints) if row.published else None
            if target is None or row.container not in self.traffic.now:
                continue
            v4, v6 = target.settings.ip_address, target.settings.global_ipv6_address
            for one in row.published:
                address = v6 if ":" in one.host_ip and v6 else v4 or v6
                rules.append(PortRule(one.protocol, one.host_ip, one.host_port, address, one.port))
        return rules

    async def inbound(self, container_id: str) -> int:
        """TCP connections that others have open to it."""
        known = self._sandboxes.row(container_id) is not None
        return await self._kernel.inbound(self._layout.netns(container_id)) if known else 0

    async def listens(self, container_id: str) -> bool:
        """Whether its processes listen on all TCP ports that it publishes, else on one of those that it exposes."""
        row = self._sandboxes.row(container_id)
        if row is None:
            return False
        published = {one.port for one in row.published if one.protocol == "tcp"}
        exposed = {number for number, protocol in map(parse_port, row.exposed) if protocol == "tcp"}
        if not published and not exposed:
            return True
        found = await self._kernel.listening(self._layout.netns(container_id))
        return published <= found if published else bool(exposed & found)
