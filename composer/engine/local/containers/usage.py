"""What a container uses: its live counters, its size on disk, the files that it changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from composer.engine.local.archive import finish
from composer.engine.local.containers.parts import Parts, now
from composer.engine.local.containers.registry import Held
from composer.engine.model import ZERO_TIME, Change, NetworkStats, Stats

INTERVAL = 1.0  # seconds, as Docker streams them


def sizes(parts: Parts, held: Held) -> tuple[int, int]:
    """(bytes written in its own layer, bytes in all). Blocking."""
    upper = parts.layout.container(held.id) / "upper"
    written = parts.snapshots.usage(upper) if upper.is_dir() else 0
    return written, written + parts.images.resolve(held.record.image).size


async def changes(parts: Parts, held: Held) -> Sequence[Change]:
    upper = parts.layout.container(held.id) / "upper"
    lowers = parts.layers.paths(parts.images.resolve(held.record.image))
    return await finish(lambda: parts.snapshots.changes(upper, lowers) if upper.is_dir() else [])


async def stats(parts: Parts, held: Held, *, stream: bool) -> AsyncIterator[Stats]:
    """One a second, each with the one before it (precpu_stats). Without ``stream`` two are taken, and the second is told.

    A container that does not run has empty ones.
    """
    before: Stats | None = None
    while not held.gone:
        found = await finish(lambda: _measure(parts, held))
        if before is not None:
            found = found.replace(precpu_stats=before.cpu_stats, preread=before.read)
        alive = held.run.phase.alive
        if stream or before is not None or not alive:
            yield found
            if not stream:
                return
        before = found
        await _pause(held, INTERVAL)


async def _pause(held: Held, seconds: float) -> None:
    """Cut short when it is removed."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not held.gone:
        try:
            async with asyncio.timeout_at(deadline):
                await held.changed.wait()
        except TimeoutError:
            return


def _measure(parts: Parts, held: Held) -> Stats:
    if not held.run.phase.alive or held.run.handle is None:
        return Stats(name=f"/{held.name}", id=held.id, read=ZERO_TIME, preread=ZERO_TIME)
    counted: Stats = parts.runtime.stats(parts.bundle(held))
    networks = network_counters(held.run.handle.init.pid) if held.record.network_mode not in ("host",) else {}
    return counted.replace(name=f"/{held.name}", id=held.id, read=now(), preread=ZERO_TIME, networks=networks)


def network_counters(pid: int) -> dict[str, NetworkStats]:
    """Of every interface but lo, as seen inside (proc_pid_net(5), /proc/PID/net/dev)."""
    try:
        lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    except OSError:
        return {}  # it ended in this moment
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        n = [int(word) for word in rest.split()]
        if name.strip() != "lo" and not name.strip().startswith(("tunl", "sit", "ip6tnl", "gre", "erspan", "ip_vti", "ip6_vti", "ip6gre")):
            found[name.strip()] = NetworkStats(
                rx_bytes=n[0],
                rx_packets=n[1],
                rx_errors=n[2],
                rx_dropped=n[3],
                tx_bytes=n[8],
                tx_packets=n[9],
                tx_errors=n[10],
                tx_dropped=n[11],
            )
    return found
