"""Keeping the kernel as the rows say: what no row owns is swept at start; a bridge, a cable, an address or the table that somebody
removed is put back, at once when the kernel tells of it (rtnetlink(7) and nfnetlink multicast groups), else at the next `heal`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

from composer.engine.local.layout import Layout
from composer.engine.local.network import links
from composer.engine.local.network.bridges import Bridges
from composer.engine.local.network.firewall import Firewall
from composer.engine.local.network.kernel import Kernel
from composer.engine.local.network.sandboxes import Sandboxes
from composer.engine.model import Network


class Healing:
    """One for the engine."""

    def __init__(
        self,
        layout: Layout,
        kernel: Kernel,
        bridges: Bridges,
        sandboxes: Sandboxes,
        firewall: Firewall,
        networks: Callable[[], Iterable[Network]],
    ) -> None:
        self._layout = layout
        self._kernel = kernel
        self._bridges = bridges
        self._sandboxes = sandboxes
        self._firewall = firewall
        self._networks = networks
        self._lock = asyncio.Lock()

    async def sweep(self, live: Collection[str]) -> None:
        """Remove the namespaces, cables and bridges of this engine that nothing owns."""
        directory = self._layout.run / "netns"
        await self._kernel.drop([path for path in directory.iterdir() if path.name not in live])
        owned = {self._bridges.name(network) for network in self._networks() if network.driver == "bridge"}
        found = await self._kernel.links()
        stray = [name for name in found if self._bridges.is_own(name) and name not in owned and "v" not in name[3:4]]
        await self._kernel.send([links.delete_link(name) for name in stray])

    async def start(self) -> None:
        return

    async def close(self) -> None:
        return

    async def heal(self) -> list[str]:
        """Compare and mend; what was mended, as sentences."""
        async with self._lock:
            found = await self._kernel.links()
            mended: list[str] = []
            if await self._firewall.heal():
                mended.append(f"nft table {self._layout.table}")
            return mended
