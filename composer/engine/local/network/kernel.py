"""The one thread that speaks to the kernel about the network, so that its namespace changes and its netlink socket meet nobody else's.

Sandboxes that are asked for in one moment are wired in one batch; the firewall's swaps are coalesced by `firewall`.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from composer.engine.errors import EngineError, Unavailable
from composer.engine.local.network import conntrack, flows, links, namespace
from composer.engine.local.network.inside import Inside, mend_inside
from composer.engine.local.network.links import Interface, Link, Route
from composer.engine.local.network.netlink import NETLINK_NETFILTER, Message, NetlinkSocket, attributes
from composer.engine.local.network.nft import Nft
from composer.engine.local.network.wiring import Wired, Wish, wire

T = TypeVar("T")
_NFT_GETGEN = 10 << 8 | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN (<linux/netfilter/nf_tables.h>)


class Kernel:
    """Asynchronous calls, done in order by one thread. Foreign errors come out as EngineError."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._waiting: list[tuple[Wish, asyncio.Future[Wired]]] = []
        self._wiring: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.run(self._enter)

    def _enter(self) -> None:
        try:
            self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            self.route = NetlinkSocket()
        except OSError as error:
            raise Unavailable(f"no access to the network of the kernel: {error}", hint="run the engine as root") from error
        self._nft = Nft()
        self.tid = threading.get_native_id()
        self._filter = NetlinkSocket(NETLINK_NETFILTER)

    async def close(self) -> None:
        if self._wiring is not None:
            await self._wiring
        await self.run(self._leave)
        self._thread.shutdown()

    def _leave(self) -> None:
        self._nft.close()
        self._filter.close()
        self.route.close()
        os.close(self._home)

    async def run(self, work: Callable[[], T]) -> T:
        """Run ``work`` on the thread."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except OSError as error:
            raise EngineError(f"network: {error.strerror}: {error.filename}") from error

    async def wire(self, wish: Wish) -> Wired:
        """Wire one namespace, together with all others of this moment. Raises EngineError (nothing of it is left then)."""
        done: asyncio.Future[Wired] = asyncio.get_running_loop().create_future()
        self._waiting.append((wish, done))
        if self._wiring is None or self._wiring.done():
            self._wiring = asyncio.get_running_loop().create_task(self._wire_waiting())
        try:
            wired = await asyncio.shield(done)
        except asyncio.CancelledError:
            _close(await done)  # milliseconds; then the caller may undo what was made
            raise
        if wired.error is not None:
            error = wired.error
            words = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error)
            raise EngineError(f"cannot set up the network of the container: {words}") from error
        return wired

    async def _wire_waiting(self) -> None:
        await asyncio.sleep(0)  # let others of this moment join
        while self._waiting:
            batch, self._waiting = self._waiting[:64], self._waiting[64:]
            wishes = [wish for wish, _ in batch]
            try:
                results = await self.run(lambda w=wishes: wire(self.route, self._home, w))  # type: ignore[misc]
            except EngineError as error:
                results = [Wired(error=error) for _ in batch]
            for (_, done), wired in zip(batch, results, strict=True):
                done.set_result(wired)

    async def nft(self, text: str) -> str:
        """Run one nftables transaction; what it prints."""
        return await self.run(lambda: self._nft.run(text))

    async def swap(self, text: str) -> int:
        """Run one nftables transaction; the ruleset's generation after it, -1 when somebody else's came in between."""

        def work() -> int:
            before = self._generation()
            self._nft.run(text)
            after = self._generation()
            return after if after == before + 1 else -1

        return await self.run(work)

    async def generation(self) -> int:
        """A number that grows with each nftables transaction of anybody."""
        return await self.run(self._generation)

    def _generation(self) -> int:
        answer = self._filter.get(_NFT_GETGEN, bytes(4))
        return next((int.from_bytes(value, "big") for kind, value in attributes(answer or b"", 4) if kind == 1), 0)

    async def forget_udp(self, addresses: Sequence[str]) -> None:
        """Forget the tracked UDP flows to these addresses."""
        await self.run(lambda: conntrack.forget_udp(self._filter, addresses))

    async def inbound(self, netns: Path) -> int:
        """TCP connections that are open to what listens in the namespace."""
        return await self.run(lambda: flows.inbound(netns, self._home))

    async def listening(self, netns: Path) -> frozenset[int]:
        """The TCP ports that are listened on in the namespace, for others to reach."""
        return await self.run(lambda: flows.listening(netns, self._home))

    async def send(self, messages: Sequence[Message]) -> None:
        await self.run(lambda: self.route.do(messages))

    async def links(self) -> dict[str, Link]:
        return await self.run(lambda: links.links(self.route))

    async def picture(self) -> tuple[dict[str, Link], list[tuple[int, Interface]]]:
        """(links, addresses) of the host at one moment."""
        return await self.run(lambda: (links.links(self.route), links.addresses(self.route)))

    async def routes(self) -> tuple[list[Route], dict[str, Link], list[tuple[int, Interface]]]:
        """(routes, links, addresses) of the host, one picture."""
        return await self.run(lambda: (links.routes(self.route), links.links(self.route), links.addresses(self.route)))

    async def repin(self, path: Path, pid: int) -> None:
        """Pin the namespace of a process at ``path`` again."""
        await self.run(lambda: namespace.pin(path, pid))

    async def mend_inside(self, path: Path, wish: Inside) -> list[str]:
        """Compare the inside of a namespace with what it should be, and put it right; what was wrong."""
        return await self.run(lambda: mend_inside(path, self._home, wish))

    async def drop(self, paths: Sequence[Path]) -> None:
        """Unpin namespaces."""

        def work() -> None:
            for path in paths:
                namespace.drop(path)

        await self.run(work)


def _close(wired: Wired) -> None:
    for one in (wired.udp, wired.tcp):
        if one is not None:
            one.close()
