"""Being told by the kernel that somebody removed a link or an address, or changed nftables: netlink multicast, filtered in the kernel.

What we did ourselves is known by the name of the link (no row has it any more), and by the thread that made the nft transaction.
"""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
import sys
from collections.abc import Callable, Sequence

from composer.engine.local.network import links
from composer.engine.local.network.netlink import NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket, attributes, split

_NFNLGRP_NFTABLES = 7
_NFT_NEWGEN = 10 << 8 | 15
_GEN_PROC_PID = 2  # NFTA_GEN_PROC_PID: the thread that made the transaction
_SCOPE_LINK = 253
_SO_ATTACH_FILTER = 26
_GATHER = 0.02  # seconds in which more of the same event may come


class Watch:
    """Calls ``changed``, once for the events of a moment, until `close`; with True when only nft rules may differ.

    ``is_wanted``: whether a link of that name is ours and should exist. ``is_bridge``: whether the index is that of a bridge of ours.
    """

    def __init__(
        self, own_thread: int, is_wanted: Callable[[str], bool], is_bridge: Callable[[int], bool], changed: Callable[[bool], None]
    ) -> None:
        self._own_thread = own_thread
        self._is_wanted = is_wanted
        self._is_bridge = is_bridge
        self._changed = changed
        self._rules_only = True
        self._loop = asyncio.get_running_loop()
        self._pending: asyncio.TimerHandle | None = None
        groups = (links.RTNLGRP_LINK, links.RTNLGRP_IPV4_IFADDR, links.RTNLGRP_IPV6_IFADDR)
        self._route = NetlinkSocket(NETLINK_ROUTE, groups)
        self._filter = NetlinkSocket(NETLINK_NETFILTER, (_NFNLGRP_NFTABLES,))
        _let_through(self._route.fileno(), (links.RTM_DELLINK, links.RTM_DELADDR))
        _let_through(self._filter.fileno(), (_NFT_NEWGEN,))
        self._loop.add_reader(self._route.fileno(), self._read, self._route, self._is_link_drift)
        self._loop.add_reader(self._filter.fileno(), self._read, self._filter, self._is_rule_drift)

    def close(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
        for one in (self._route, self._filter):
            self._loop.remove_reader(one.fileno())
            one.close()

    def _read(self, one: NetlinkSocket, is_drift: Callable[[int, bytes], bool]) -> None:
        for _ in range(64):
            data = one.poll()
            if data is None:
                return
            if data == b"" or any(is_drift(kind, body) for kind, _, body in split(data)):
                self._notice(rules=one is self._filter)

    def _is_link_drift(self, kind: int, body: bytes) -> bool:
        if kind == links.RTM_DELADDR:
            return body[3] != _SCOPE_LINK and self._is_bridge(int.from_bytes(body[4:8], sys.byteorder))
        return kind == links.RTM_DELLINK and self._is_wanted(links.link_name(body))

    def _is_rule_drift(self, kind: int, body: bytes) -> bool:
        if kind != _NFT_NEWGEN:
            return False
        pid = next((int.from_bytes(value, "big") for key, value in attributes(body, 4) if key == _GEN_PROC_PID), 0)
        return pid != self._own_thread

    def _notice(self, *, rules: bool) -> None:
        self._rules_only = self._rules_only and rules
        if self._pending is None:
            self._pending = self._loop.call_later(_GATHER, self._tell)

    def _tell(self) -> None:
        rules_only, self._rules_only = self._rules_only, True
        self._pending = None
        self._changed(rules_only)


def _let_through(fd: int, kinds: Sequence[int]) -> None:
    """A classic BPF program (packet(7)) that drops messages of other types before they wake us: making a sandbox tells of many links."""
    load = (0x28, 0, 0, 4)  # the type of the first message, as if in network order
    tests = [(0x15, len(kinds) - i, 0, socket.htons(kind)) for i, kind in enumerate(kinds)]
    program = [load, *tests, (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF)]
    code = b"".join(struct.pack("=HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    with socket.socket(fileno=fd) as view:
        view.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer)))
        view.detach()
