"""Keeping the kernel as the rows say: what no row owns is swept at start; a bridge, an address, a cable, a setting or the table that
somebody removed is put back, at once when the kernel tells of it (see `watch`), else at the next `heal`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from composer.engine.errors import EngineError
from composer.engine.local.layout import Layout
from composer.engine.local.network import links
from composer.engine.local.network.bridges import Bridges
from composer.engine.local.network.firewall import Firewall
from composer.engine.local.network.kernel import Kernel
from composer.engine.local.network.links import Interface, Link
from composer.engine.local.network.sandboxes import Sandboxes
from composer.engine.local.network.watch import Watch
from composer.engine.model import Network

_log = logging.getLogger("composer.network")


@dataclass(frozen=True, slots=True)
class Mended:
    """What was put right, in words. ``network``, ``container``: ids of what it belongs to; both "" : the engine itself."""

    what: str
    network: str = ""
    container: str = ""

    def __str__(self) -> str:
        return self.what


class Healing:
    """One for the engine. ``told``: is given what was mended, found by what, and since when (seconds since 1970)."""

    def __init__(
        self,
        layout: Layout,
        kernel: Kernel,
        bridges: Bridges,
        sandboxes: Sandboxes,
        firewall: Firewall,
        networks: Callable[[], Iterable[Network]],
        told: Callable[[Mended, str, float], None],
    ) -> None:
        self._layout = layout
        self._kernel = kernel
        self._bridges = bridges
        self._sandboxes = sandboxes
        self._firewall = firewall
        self._networks = networks
        self._told = told
        self._since = 0.0
        self._lock = asyncio.Lock()
        self._watch: Watch | None = None
        self._again = asyncio.Event()
        self._links_too = False
        self._task: asyncio.Task[None] | None = None

    # --- at start -----------------------------------------------------------------------------------------------------

    async def sweep(self, live: Collection[str]) -> None:
        """Remove the namespaces, cables and bridges of this engine that nothing owns."""
        directory = self._layout.run / "netns"
        await self._kernel.drop([path for path in directory.iterdir() if path.name not in live])
        owned = {self._bridges.name(network) for network in self._bridged()} | self._sandboxes.owned_links(live)
        found = await self._kernel.links()
        stray = [link.name for link in found.values() if self._bridges.is_own(link) and link.name not in owned]
        await self._kernel.send([links.delete_link(name) for name in stray])

    async def start(self) -> None:
        """Heal at once from now on when the kernel tells of a change."""
        self._watch = Watch(self._kernel.tid, self._is_wanted, self._bridges.has_index, self._notice)
        self._task = asyncio.get_running_loop().create_task(self._follow())

    def _notice(self, rules_only: bool) -> None:
        self._links_too = self._links_too or not rules_only
        self._since = self._since or time.time()
        self._again.set()

    async def close(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            await self._again.wait()
            self._again.clear()
            links_too, self._links_too = self._links_too, False
            since, self._since = self._since, 0.0
            try:
                for mended in await (self._heal() if links_too else self._mend_rules()):
                    _log.warning("put right: %s", mended)
                    self._told(mended, "event of the kernel", since)
            except EngineError as error:
                _log.error("the network is not as it should be, and cannot be put right now: %s", error.message)

    def _is_wanted(self, link: str) -> bool:
        return self._sandboxes.has_cable(link) or any(self._bridges.name(n) == link for n in self._made())

    # --- mending ------------------------------------------------------------------------------------------------------

    def _bridged(self) -> list[Network]:
        return [network for network in self._networks() if network.driver == "bridge"]

    def _made(self) -> list[Network]:
        return [network for network in self._bridged() if self._bridges.is_made(network.id)]

    async def heal(self) -> list[str]:
        """Compare and mend; what was mended, as sentences."""
        return self._tell(await self._heal())

    async def heal_insides(self, pids: Mapping[str, int], left_alone: Collection[str]) -> list[str]:
        """Within the namespaces of these containers: the pin, interfaces, addresses and routes. ``pids``: a process of each;
        ``left_alone``: those that may change their own network."""
        async with self._lock:
            mended = await self._sandboxes.mend_insides(pids, left_alone)
        return self._tell([Mended(what, container=container) for container, what in mended])

    def _tell(self, mended: list[Mended]) -> list[str]:
        for one in mended:
            self._told(one, "resync", 0.0)
        return [one.what for one in mended]

    async def _heal(self) -> list[Mended]:
        async with self._lock:
            made, cables = self._made(), self._sandboxes.cables()
            found, addresses = await self._kernel.picture()
            mended = []
            for network in made:
                mended += await self._mend_bridge(network, found, addresses)
            if mended:
                found, _ = await self._kernel.picture()
            mended += await self._mend_cables(cables, found)
            mended += [Mended(what) for what in await self._bridges.mend_settings(self._made())]
            return mended + await self._mend_rules()

    async def _mend_rules(self) -> list[Mended]:
        return [Mended(f"nft table {self._layout.table}")] if await self._firewall.heal() else []

    async def _mend_bridge(self, network: Network, found: dict[str, Link], addresses: list[tuple[int, Interface]]) -> list[Mended]:
        bridge = found.get(self._bridges.name(network))
        have = {address for index, address in addresses if bridge and index == bridge.index}
        if bridge is not None and bridge.up and all(gateway in have for gateway in self._bridges.gateways(network)):
            return []
        if not self._bridges.is_made(network.id):
            return []  # removed meanwhile
        self._bridges.lost(network.id)
        await self._bridges.ensure(network)
        what = "bridge" if bridge is None else "addresses of the bridge" if bridge.up else "bridge (was down)"
        return [Mended(f"{what} {self._bridges.name(network)} of network {network.name}", network=network.id)]

    async def _mend_cables(self, cables: dict[str, tuple[str, str]], found: dict[str, Link]) -> list[Mended]:
        names = {network.id: self._bridges.name(network) for network in self._made()}
        mended = []
        for name, (network_id, container) in cables.items():
            if not self._sandboxes.has_cable(name) or network_id not in names:
                continue  # gone meanwhile
            link, bridge = found.get(name), found.get(names[network_id])
            if link is None:
                mended.append(Mended(f"cable {await self._sandboxes.rewire(container, name)}", container=container))
            elif bridge is not None and (link.master != bridge.index or not link.up):
                await self._kernel.send([links.set_master(link.index, bridge.index)])
                mended.append(Mended(f"cable {name} into {bridge.name}", container=container))
        return mended
