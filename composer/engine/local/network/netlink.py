"""Netlink (netlink(7)): messages as bytes, many of them in one send, each acknowledged; dumps; multicast groups.

Words: a *message* is a header, a fixed payload and *attributes* (type-length-value, nested). The socket stays in the network namespace
in which it was opened, whatever its thread does later.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLA_F_NESTED = 0x8000
_SOL_NETLINK, _ADD_MEMBERSHIP, _CAP_ACK, _EXT_ACK, _STRICT = 270, 1, 10, 11, 12
_BATCH = 64  # acknowledgements that surely fit the default receive buffer


def attribute(kind: int, data: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def attributes(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """The (kind, value) pairs from ``offset``; flags are taken off the kind."""
    end = len(data)
    while offset + 4 <= end:
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            return
        yield kind & 0x3FFF, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


@dataclass(frozen=True, slots=True)
class Message:
    """What is asked of the kernel. ``about`` is for the error's words; ``tolerate``: errno values that count as done."""

    kind: int
    payload: bytes
    about: str
    flags: int = 0
    tolerate: tuple[int, ...] = ()

    def encode(self, sequence: int, extra: int) -> bytes:
        length = 16 + len(self.payload)
        flags = NLM_F_REQUEST | self.flags | extra
        return struct.pack("=IHHII", length, self.kind, flags, sequence, 0) + self.payload + b"\0" * (-length % 4)


class NetlinkSocket:
    """A socket of one netlink protocol, for one thread. Waits ten seconds at most; one that hears ``groups`` never does: see `poll`."""

    def __init__(self, protocol: int = NETLINK_ROUTE, groups: Sequence[int] = ()) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        for option in (_CAP_ACK, _EXT_ACK, _STRICT):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._socket.bind((0, 0))
        for group in groups:
            self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        self._socket.settimeout(0 if groups else 10)
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def do(self, messages: Sequence[Message]) -> None:
        """Have all done; raises the OSError of the first that the kernel refused, naming what it was about (the others are done)."""
        for failed in self.exchange(messages):
            if failed is not None:
                raise failed

    def exchange(self, messages: Sequence[Message]) -> list[OSError | None]:
        """Send all in as few sends as fit; what became of each, None = done."""
        outcomes: list[OSError | None] = []
        for start in range(0, len(messages), _BATCH):
            outcomes += self._exchange(messages[start : start + _BATCH])
        return outcomes

    def _exchange(self, messages: Sequence[Message]) -> list[OSError | None]:
        first = self._sequence + 1
        self._sequence += len(messages)
        self._socket.send(b"".join(m.encode(first + i, NLM_F_ACK) for i, m in enumerate(messages)))
        outcomes: list[OSError | None] = [None] * len(messages)
        left = len(messages)
        while left:
            for kind, sequence, body in split(self._socket.recv(1 << 16)):
                if kind != NLMSG_ERROR or not first <= sequence < first + len(messages):
                    continue
                left -= 1
                code = -int(struct.unpack_from("=i", body)[0])
                message = messages[sequence - first]
                if code and code not in message.tolerate:
                    outcomes[sequence - first] = OSError(code, f"{os.strerror(code)}{_extended(body)}", message.about)
        return outcomes

    def poll(self) -> bytes | None:
        """What a multicast group told, without waiting: None = nothing more, b"" = something was lost (netlink(7), ENOBUFS)."""
        try:
            return os.read(self._socket.fileno(), 1 << 16)  # recv() of a socket with a timeout waits, whatever its flags say
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def dump(self, kind: int, payload: bytes) -> list[bytes]:
        """The payloads of all that the kernel lists."""
        self._sequence += 1
        self._socket.send(Message(kind, payload, "dump", NLM_F_DUMP).encode(self._sequence, 0))
        found: list[bytes] = []
        while True:
            for answer, sequence, body in split(self._socket.recv(1 << 17)):
                if sequence != self._sequence:
                    continue
                if answer == NLMSG_DONE:
                    return found
                if answer == NLMSG_ERROR:
                    code = -int(struct.unpack_from("=i", body)[0])
                    raise OSError(code, os.strerror(code), f"netlink dump {kind}")
                found.append(body)

    def get(self, kind: int, payload: bytes) -> bytes | None:
        """The payload of the one object that is asked for, or None when there is none."""
        self._sequence += 1
        self._socket.send(Message(kind, payload, "get").encode(self._sequence, 0))
        while True:
            for answer, sequence, body in split(self._socket.recv(1 << 16)):
                if sequence == self._sequence:
                    return None if answer == NLMSG_ERROR else body


def _extended(body: bytes) -> str:
    """The kernel's own sentence (NLMSGERR_ATTR_MSG), when it gives one."""
    for kind, value in attributes(body, 20):  # the error, and the header of the message it is about
        if kind == 1:
            return f" ({value.rstrip(bytes(1)).decode(errors='replace')})"
    return ""


def split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(type, sequence, payload) of each message in what was received."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind, _flags, sequence, _port = struct.unpack_from("=IHHII", data, offset)
        if length < 16:
            return
        yield kind, sequence, data[offset + 16 : offset + length]
        offset += (length + 3) & ~3
