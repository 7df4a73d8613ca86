"""A DNS query in bytes -> its answer in bytes, when it is about a name of our networks (RFC 1035, RFC 3596, RFC 6891). Pure.

Only what a resolver in a container asks is decoded: one question. All else is forwarded as it is, by `upstream`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from composer.engine.local.network import zone
from composer.engine.local.network.zone import Zone

A, PTR, AAAA, ANY = 1, 12, 28, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN = 0, 1, 2, 3
TTL = 5  # seconds; short, as containers come and go
_IN = 1
_MAX_TCP = 65535


@dataclass(frozen=True, slots=True)
class Question:
    """``name``: lower case, no final dot. ``end``: where the question ends in the query.

    ``size``: the longest answer that the client takes by UDP, in bytes.
    """

    name: str
    kind: int
    end: int
    size: int


def parse(query: bytes) -> Question | None:
    """The question, or None when it is not one plain standard question."""
    if len(query) < 17 or len(query) > 4096:
        return None
    _id, flags, questions, answers, authorities, additional = struct.unpack_from(">6H", query)
    if flags & 0xF800 or questions != 1 or answers or authorities:
        return None
    labels: list[bytes] = []
    offset = 12
    while True:
        if offset >= len(query) or len(labels) > 127:
            return None
        length = query[offset]
        offset += 1
        if length == 0:
            break
        if length > 63 or offset + length > len(query):
            return None
        labels.append(query[offset : offset + length])
        offset += length
    if offset + 4 > len(query):
        return None
    kind, group = struct.unpack_from(">2H", query, offset)
    if group != _IN:
        return None
    end = offset + 4
    return Question(b".".join(labels).decode("ascii", "replace").lower(), kind, end, _size(query, end) if additional else 512)


def _size(query: bytes, offset: int) -> int:
    """The UDP size of the OPT record (RFC 6891), when the first additional record is one."""
    if len(query) < offset + 11 or query[offset] != 0 or struct.unpack_from(">H", query, offset + 1)[0] != 41:
        return 512
    size: int = struct.unpack_from(">H", query, offset + 3)[0]
    return max(512, min(size, 4096))


def answer(query: bytes, question: Question, zones: Sequence[Zone], links: Mapping[str, str], *, tcp: bool = False) -> bytes | None:
    """The answer when the name is one of ours, else None. ``links``: names that only this container knows -> names in the zones."""
    if question.kind == PTR:
        owner = zone.owner(zones, question.name)
        return None if owner is None else _reply(query, question, [(PTR, _encode(owner))], tcp)
    name = links.get(question.name, question.name)
    records: list[tuple[int, bytes]] = []
    known = False
    for kind, version in ((A, 4), (AAAA, 6)):
        found = zone.find(zones, name, version) if question.kind in (kind, ANY) or not known else None
        known = known or found is not None
        if question.kind in (kind, ANY):
            records += [(kind, ip_address(address).packed) for address in found or ()]
    return _reply(query, question, records, tcp) if known else None


def refuse(query: bytes, question: Question | None, code: int) -> bytes:
    """An answer without records: an error code (or NOERROR: there is no such record)."""
    if question is None:
        return query[:2] + struct.pack(">5H", 0x8080 | code, 0, 0, 0, 0)
    return _head(query, code, 0, False) + query[12 : question.end]


def _head(query: bytes, code: int, count: int, cut: bool) -> bytes:
    asked = struct.unpack_from(">H", query, 2)[0] & 0x0100  # recursion desired: given back
    return query[:2] + struct.pack(">5H", 0x8080 | asked | code | (0x0200 if cut else 0), 1, count, 0, 0)


def _reply(query: bytes, question: Question, records: Sequence[tuple[int, bytes]], tcp: bool) -> bytes:
    room = (_MAX_TCP if tcp else question.size) - question.end
    parts: list[bytes] = []
    for kind, data in records:
        part = struct.pack(">3HIH", 0xC00C, kind, _IN, TTL, len(data)) + data
        room -= len(part)
        if room < 0:
            break
        parts.append(part)
    cut = len(parts) < len(records)
    return _head(query, NOERROR, len(parts), cut) + query[12 : question.end] + b"".join(parts)


def _encode(name: str) -> bytes:
    labels = [label.encode("ascii", "replace")[:63] for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
