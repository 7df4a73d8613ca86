"""What is garbage, and what the disk is used for. Marking is pure; sweeping is not.

Whatever carries our name and no row owns is garbage: bundles, runtime records, cgroups, container directories (invariant 2). It is
looked for at start only, when nothing else is going on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from composer.engine.local.archive import finish
from composer.engine.local.containers import usage
from composer.engine.local.containers.parts import Parts
from composer.engine.local.files import remove_tree
from composer.engine.local.layout import Layout
from composer.engine.local.runtime import Bundle
from composer.engine.local.runtime.cgroup import Hierarchies
from composer.engine.model import DiskUsage

log = logging.getLogger(__name__)
_ID = re.compile(r"[0-9a-f]{12,64}")


@dataclass(frozen=True)
class Found:
    """What exists on disk and in the kernel, by id. ``kept``: directories that hold a container's own files."""

    bundles: frozenset[str] = frozenset()
    records: frozenset[str] = frozenset()
    cgroups: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Garbage:
    """``running``: ids whose kernel objects go. ``kept``: ids whose directories go."""

    running: frozenset[str]
    kept: frozenset[str]


def mark(found: Found, *, live: Collection[str], rows: Collection[str]) -> Garbage:
    """``live``: the ids that run; ``rows``: the ids that exist. Pure."""
    return Garbage((found.bundles | found.records | found.cgroups) - frozenset(live), found.kept - frozenset(rows))


def look(layout: Layout, hierarchies: Hierarchies) -> Found:
    """Blocking."""
    groups: set[str] = set()
    for parent in {layout.cgroups, layout.default_cgroups}:
        for directory in hierarchies.directories(parent):
            groups.update(_names(directory))
    return Found(
        bundles=frozenset(_names(layout.run / "containers")),
        records=frozenset(_names(layout.runtime_root)),
        cgroups=frozenset(name for name in groups if _ID.fullmatch(name)),
        kept=frozenset(_names(layout.root / "containers")),
    )


def _names(directory: Path) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


async def sweep(parts: Parts, live: Collection[str]) -> None:
    """Remove the garbage, and end every conmon of ours that holds no live container."""
    layout, hierarchies = parts.layout, parts.runtime.hierarchies
    rows = {held.id for held in parts.registry}
    garbage = mark(await finish(lambda: look(layout, hierarchies)), live=live, rows=rows)
    await finish(lambda: _end_conmons(layout, hierarchies, live))
    await asyncio.gather(*(_remove(parts, ident) for ident in garbage.running))
    for ident in garbage.kept:
        log.info("removing the files of container %s, which no row owns", ident[:12])
        await asyncio.to_thread(remove_tree, layout.container(ident))


async def _remove(parts: Parts, ident: str) -> None:
    held = parts.registry.get(ident)
    bundle = parts.bundle(held) if held is not None else _bundle(parts.layout, ident)
    log.info("removing what is left of container %s", ident[:12])
    await finish(lambda: remove_pins(parts.layout, ident))
    await parts.snapshots.unmount(bundle.rootfs)
    await parts.runtime.delete(bundle)


def remove_pins(layout: Layout, ident: str) -> None:
    remove_tree(layout.bundle(ident) / "pins")


def _bundle(layout: Layout, ident: str) -> Bundle:
    """Of a container that no row tells of: its config.json names its cgroup."""
    directory = layout.bundle(ident)
    cgroup = f"{layout.cgroups}/{ident}"
    try:
        told = json.loads((directory / "config.json").read_text())["linux"]["cgroupsPath"]
        cgroup = told if isinstance(told, str) and told.endswith(f"/{ident}") else cgroup
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never written, or not whole: then nothing was made outside our own cgroup
    return Bundle(id=ident, directory=directory, rootfs=directory / "rootfs", cgroup=cgroup)


def _end_conmons(layout: Layout, hierarchies: Hierarchies, live: Collection[str]) -> None:
    """They live in a cgroup of ours, so no pid is guessed."""
    for pid in {pid for parent in (layout.cgroups, layout.default_cgroups) for pid in hierarchies.processes(f"{parent}/conmon")}:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            held = {words[i + 1].decode(errors="replace") for i, word in enumerate(words[:-1]) if word == b"-c"}
            if not held & set(live):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue
        finally:
            os.close(pidfd)


async def disk_usage(parts: Parts) -> Sequence[DiskUsage]:
    """By kind, as `system df` shows it."""
    images = parts.images.all()
    used = parts.registry.image_users()
    shared: dict[str, tuple[int, bool]] = {}
    for image in images:
        for chain_id in image.chain_ids:
            layer = parts.layers.get(chain_id)
            size, active = shared.get(chain_id, (layer.size if layer else 0, False))
            shared[chain_id] = (size, active or image.id in used)
    written = {held.id: (await asyncio.to_thread(usage.sizes, parts, held))[0] for held in parts.registry}
    alive = [held for held in parts.registry if held.run.phase.alive]
    volumes = {volume.name: await parts.volumes.size(volume.name) for volume in await parts.volumes.list()}
    busy = {name for name in volumes if parts.registry.volume_users(name)}
    return (
        DiskUsage(
            kind="Images",
            total=len(images),
            active=sum(image.id in used for image in images),
            size=sum(size for size, _ in shared.values()),
            reclaimable=sum(size for size, active in shared.values() if not active),
        ),
        _row("Containers", written, {held.id for held in alive}),
        _row("Local Volumes", volumes, busy),
    )


def _row(kind: str, sizes: dict[str, int], active: Iterable[str]) -> DiskUsage:
    busy = set(active)
    free = sum(size for name, size in sizes.items() if name not in busy)
    return DiskUsage(kind=kind, total=len(sizes), active=len(busy), size=sum(sizes.values()), reclaimable=free)
