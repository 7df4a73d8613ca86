"""The signature of a file: its kind, mode and content in one short word, equal where two trees are equal. Owners and times are no part.

Both ends compute it: who watches a source tree, and the engine that looks at a container's. Only hashlib is imported.
"""

from __future__ import annotations

import hashlib
import os
import stat

_PIECE = 1 << 20
_LENGTH = 32  # hex digits of the SHA-256 that are kept


def of_file(mode: int, digest: str) -> str:
    """A regular file; ``digest``: as `digest_of` or `digest_bytes` gives it."""
    return f"f:{mode & 0o7777:o}:{digest}"


def of_directory(mode: int) -> str:
    return f"d:{mode & 0o7777:o}"


def of_link(target: str) -> str:
    return f"l:{target}"


def of_other(mode: int) -> str:
    """A device, a socket, a pipe: never the same as anything that can be synced."""
    return f"o:{stat.S_IFMT(mode):o}"


def digest_of(fd: int) -> str:
    """The digest of what is left to read of an open file (blocking). OSError."""
    found = hashlib.sha256()
    while piece := os.read(fd, _PIECE):
        found.update(piece)
    return found.hexdigest()[:_LENGTH]


def digest_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_LENGTH]
