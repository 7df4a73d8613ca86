"""What is said of a batch, in one line: ``3 files -> web (2 replicas) in 41 ms, restarted``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def done(count: int, name: str, replicas: Sequence[Any], seconds: float, after: str = "") -> str:
    """``name``: the service, or the one replica; ``count`` 0: no file was the cause."""
    where = f"{name} ({len(replicas)} replicas)" if len(replicas) > 1 else name
    what = f"{files(count)} -> {where}" if count else where
    return f"{what} in {span(seconds)}" + (f", {after}" if after else "")


def files(count: int) -> str:
    return f"{count} file" + ("s" if count != 1 else "")


def span(seconds: float) -> str:
    """41 ms; 1.2 s; 2 min 5 s."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def problems(found: Mapping[str, str]) -> list[str]:
    """A line for each different problem, with the replicas that have it."""
    by: dict[str, list[str]] = {}
    for name, said in found.items():
        by.setdefault(said, []).append(name)
    return [f"{', '.join(sorted(names))}: {said}" for said, names in sorted(by.items())]
