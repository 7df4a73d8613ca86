"""What containers use, as `stats` shows it: CPU, memory, network, disk, processes; once, or anew each second."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from composer.cli.client import ApiError, Client
from composer.cli.http import Reply
from composer.cli.listing import show
from composer.cli.terminal import is_terminal
from composer.cli.units import binary, image
from composer.cli.watch import Loop

COLUMNS = (
    ("CONTAINER ID", "ID"),
    ("NAME", "Name"),
    ("CPU %", "CPUPerc"),
    ("MEM USAGE / LIMIT", "MemUsage"),
    ("MEM %", "MemPerc"),
    ("NET I/O", "NetIO"),
    ("BLOCK I/O", "BlockIO"),
    ("PIDS", "PIDs"),
)


def watch_usage(client: Client, containers: Sequence[tuple[str, str]], form: str, *, stream: bool, no_trunc: bool) -> None:
    """``containers``: (id, name). Ends when all have ended, or at once without ``stream``."""
    loop = Loop()
    rows: dict[str, dict[str, Any]] = {}
    open_: dict[str, _Usage] = {}
    for identity, name in containers:
        try:
            reply = client.stream("GET", f"/containers/{identity}/stats", {"stream": stream})
        except ApiError as error:
            if error.status in (404, 409):
                continue  # it has gone since the list was made
            raise
        usage = open_[identity] = _Usage(reply, identity if no_trunc else identity[:12], name)
        loop.add(usage, lambda usage=usage, key=identity: _take(usage, key, rows, open_, loop))  # type: ignore[misc]
        _take(usage, identity, rows, open_, loop, first=True)
    while open_ and (stream or len(rows) < len(containers)):
        loop.turn(1.0)
        if stream and len(rows) >= len(open_):
            _draw(rows, form, live=is_terminal(1))
    if not stream:
        show([rows[identity] for identity, _ in containers if identity in rows], COLUMNS, form)


class _Usage:
    """One container's stream."""

    def __init__(self, reply: Reply, identity: str, name: str) -> None:
        self.reply = reply
        self.identity = identity
        self.name = name
        self.rest = b""

    def fileno(self) -> int:
        return self.reply.fileno()


def _take(usage: _Usage, key: str, rows: dict[str, dict[str, Any]], open_: dict[str, _Usage], loop: Loop, first: bool = False) -> None:
    descriptor = usage.fileno()
    usage.rest += usage.reply.drain() if first else usage.reply.feed()
    if usage.reply.ended and usage.rest:
        usage.rest += b"\n"
    *whole, usage.rest = usage.rest.split(b"\n")
    for raw in whole:
        if raw.strip():
            rows[key] = row(json.loads(raw), usage.identity, usage.name)
    if usage.reply.ended:
        loop.drop(descriptor)
        usage.reply.connection.close()
        open_.pop(key, None)


def _draw(rows: dict[str, dict[str, Any]], form: str, live: bool) -> None:
    sys.stdout.write("\x1b[H\x1b[J" if live else "")
    show(list(rows.values()), COLUMNS, form)
    sys.stdout.flush()


def row(stats: dict[str, Any], identity: str, name: str) -> dict[str, Any]:
    """A reading as docker's ``stats --format json`` has it."""
    memory = stats.get("memory_stats") or {}
    detail = memory.get("stats") or {}
    cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))  # cgroup v1, v2
    used = max(0, memory.get("usage", 0) - cache)
    limit = memory.get("limit", 0)
    networks = (stats.get("networks") or {}).values()
    io = (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    return {
        "ID": identity,
        "Container": identity,
        "Name": name,
        "CPUPerc": f"{_cpu(stats):.2f}%",
        "MemUsage": f"{binary(used)} / {binary(limit)}",
        "MemPerc": f"{100 * used / limit if limit else 0:.2f}%",
        "NetIO": f"{image(sum(n['rx_bytes'] for n in networks))} / {image(sum(n['tx_bytes'] for n in networks))}",
        "BlockIO": f"{image(_io(io, 'read'))} / {image(_io(io, 'write'))}",
        "PIDs": str((stats.get("pids_stats") or {}).get("current", 0)),
    }


def _io(entries: Sequence[dict[str, Any]], kind: str) -> int:
    return sum(int(entry.get("value", 0)) for entry in entries if str(entry.get("op", "")).lower() == kind)


def _cpu(stats: dict[str, Any]) -> float:
    """Percent of one CPU, since the reading before."""
    now, before = stats.get("cpu_stats") or {}, stats.get("precpu_stats") or {}
    used = now.get("cpu_usage", {}).get("total_usage", 0) - before.get("cpu_usage", {}).get("total_usage", 0)
    system = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    cpus = now.get("online_cpus") or 1
    return 100 * used / system * cpus if used > 0 and system > 0 else 0.0
