"""A file of the tree as it is used: its bytes, and whether they were encrypted (then they are secret from here on)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Opened:
    """``values``: the secrets in it one by one, for masking and for finding where they went."""

    data: bytes
    secret: bool = False
    values: tuple[str, ...] = ()


Open = Callable[[str, bytes], Opened]  # path, content -> opened. Undecryptable.
