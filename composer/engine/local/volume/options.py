"""The local driver's options ``type``, ``o`` and ``device`` as what mount(2) takes. Pure.

Docker's local driver and mount(8): words that are flags become flags, ``addr=`` of a network file system is resolved at use, the rest is
data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from composer.engine.errors import InvalidArgument

_KNOWN = frozenset({"type", "o", "device", "size"})
_FLAGS: dict[str, tuple[bool, int]] = {  # word -> (set or clear, MS_ flag), as mount(8)
    "defaults": (False, 0),
    "ro": (True, 1),
    "rw": (False, 1),
    "nosuid": (True, 2),
    "suid": (False, 2),
    "nodev": (True, 4),
    "dev": (False, 4),
    "noexec": (True, 8),
    "exec": (False, 8),
    "sync": (True, 16),
    "async": (False, 16),
    "mand": (True, 64),
    "nomand": (False, 64),
    "dirsync": (True, 128),
    "noatime": (True, 1024),
    "atime": (False, 1024),
    "nodiratime": (True, 2048),
    "diratime": (False, 2048),
    "bind": (True, 4096),
    "rbind": (True, 4096 | 16384),
    "private": (True, 1 << 18),
    "rprivate": (True, (1 << 18) | 16384),
    "slave": (True, 1 << 19),
    "rslave": (True, (1 << 19) | 16384),
    "shared": (True, 1 << 20),
    "rshared": (True, (1 << 20) | 16384),
    "relatime": (True, 1 << 21),
    "norelatime": (False, 1 << 21),
    "strictatime": (True, 1 << 24),
    "nostrictatime": (False, 1 << 24),
}
BIND, REMOUNT, READ_ONLY = 4096, 32, 1
_PROPAGATION = (1 << 18) | (1 << 19) | (1 << 20)


@dataclass(frozen=True, slots=True)
class MountOptions:
    """``propagation``: flags that mount(2) takes only in a call of their own."""

    kind: str
    device: str
    flags: int
    data: str
    propagation: int = 0
    address: str = ""  # the host name of ``addr=`` that is still to be resolved


def parse(options: Mapping[str, str]) -> MountOptions | None:
    """None: a plain directory. InvalidArgument, in Docker's words: an option that the driver does not know, or a needed one is absent."""
    unknown = [key for key in options if key.lower() not in _KNOWN]
    if unknown:
        raise InvalidArgument(f'invalid option: "{unknown[0]}"')
    options = {key.lower(): value for key, value in options.items()}
    if "size" in options:
        raise InvalidArgument("quota size requested but no quota support")
    if not options:
        return None
    if not options.get("device"):
        raise InvalidArgument("missing device in volume options")
    if not options.get("type") and not _binds(options.get("o", "")):
        raise InvalidArgument("missing required option: 'type'")
    flags, data, address = 0, [], ""
    for word in filter(None, options.get("o", "").split(",")):
        if word in _FLAGS:
            set_, flag = _FLAGS[word]
            flags = flags | flag if set_ else flags & ~flag
        else:
            data.append(word)
            if word.startswith("addr="):
                address = word.removeprefix("addr=")
    propagation = flags & _PROPAGATION
    return MountOptions(options.get("type", ""), options["device"], flags & ~_PROPAGATION, ",".join(data), propagation, address)


def _binds(o: str) -> bool:
    return bool({"bind", "rbind"} & set(o.split(",")))
