"""Forgetting tracked UDP flows (ctnetlink, <linux/netfilter/nfnetlink_conntrack.h>): when a container goes, what clients still send to its
published UDP ports would follow the old flow to the old address for minutes, past the container that took its place.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection
from ipaddress import ip_address

from composer.engine.local.network.netlink import Message, NetlinkSocket, attribute, attributes

_GET, _DELETE = 1 << 8 | 1, 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK: IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE
_ORIGINAL, _REPLY = 1, 2  # CTA_TUPLE_ORIG, CTA_TUPLE_REPLY
_IP, _PROTO = 1, 2  # in a tuple: CTA_TUPLE_IP, CTA_TUPLE_PROTO
_V4_SOURCE, _V6_SOURCE = 1, 3
_UDP = 17


def forget_udp(filters: NetlinkSocket, addresses: Collection[str]) -> int:
    """Delete the UDP flows that lead to these addresses; how many there were."""
    wanted = {ip_address(address).packed for address in addresses}
    messages: list[Message] = []
    for family in {socket.AF_INET if len(packed) == 4 else socket.AF_INET6 for packed in wanted}:
        head = bytes([family, 0, 0, 0])  # nfgenmsg
        for body in filters.dump(_GET, head):
            found = dict(attributes(body, 4))
            reply = dict(attributes(found.get(_REPLY, b"")))
            source = dict(attributes(reply.get(_IP, b"")))
            protocol = dict(attributes(reply.get(_PROTO, b""))).get(1, b"\0")
            if protocol[0] == _UDP and (source.get(_V4_SOURCE) or source.get(_V6_SOURCE)) in wanted and _ORIGINAL in found:
                tuple_ = attribute(_ORIGINAL | 0x8000, found[_ORIGINAL])
                messages.append(Message(_DELETE, head + tuple_, "a tracked flow", 0, (errno.ENOENT,)))
    filters.do(messages)
    return len(messages)
