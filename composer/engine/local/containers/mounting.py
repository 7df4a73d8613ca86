"""Making a container's mounts ready when it starts: sources checked or made, volumes mounted and filled, sub-paths pinned.

A sub-path of a volume and an image mount get a mount of their own beneath the bundle directory, so that a path that changes meanwhile
leads nowhere else. `release` undoes all of it, whatever of it was done.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from composer.engine.errors import EngineError, InvalidArgument
from composer.engine.local.archive import finish
from composer.engine.local.containers.create import ensure_volume
from composer.engine.local.containers.parts import Parts
from composer.engine.local.containers.record import MountRow
from composer.engine.local.containers.registry import Held
from composer.engine.local.events import event
from composer.engine.local.linux.beneath import open_in_root
from composer.engine.local.linux.mount import bind, unmount_beneath


@dataclass(frozen=True, slots=True)
class Point:
    """A mount that is ready for the runtime. ``source``: the host's path; None for tmpfs."""

    row: MountRow
    source: Path | None


async def mount(parts: Parts, held: Held, rootfs: Path) -> list[Point]:
    """In the order of the rows. InvalidArgument: a bind source is missing. EngineError: a volume cannot be mounted."""
    return [Point(row, await _source(parts, held, row, rootfs, index)) for index, row in enumerate(held.record.mounts)]


async def _source(parts: Parts, held: Held, row: MountRow, rootfs: Path, index: int) -> Path | None:
    pin = parts.layout.bundle(held.id) / "pins" / str(index)
    if row.kind == "tmpfs":
        return None
    if row.kind == "bind":
        await finish(lambda: bind_source(row))
        return Path(row.source)
    if row.kind == "image":
        image = parts.images.resolve(row.source)
        await finish(lambda: pin.mkdir(mode=0o700, parents=True, exist_ok=True))
        await parts.snapshots.mount(f"{held.id}-{index}", parts.layers.paths(image), pin, upper=None, work=None)
        return await finish(lambda: _pinned(pin, row.subpath, pin.with_name(f"{index}-sub"))) if row.subpath else pin
    await ensure_volume(parts, held.record, row)
    data = await parts.volumes.mount(row.source, held.id, copy_from=rootfs if row.copy else None, at=row.destination)
    told = {"container": held.id, "destination": row.destination, "driver": "local", "propagation": ""}
    parts.events.publish(event("volume", "mount", row.source, {**told, "read/write": str(row.writable).lower()}))
    return await finish(lambda: _pinned(data, row.subpath, pin)) if row.subpath else data


def bind_source(row: MountRow) -> None:
    """Make sure that it is there."""
    if os.path.lexists(row.source):
        return
    if not row.create:
        raise InvalidArgument(
            f'invalid mount config for type "bind": bind source path does not exist: {row.source}', hint="make the path, then start again"
        )
    try:
        os.makedirs(row.source, 0o755, exist_ok=True)
    except OSError as error:
        raise EngineError(f"error while creating mount source path '{row.source}': {(error.strerror or '').lower()}") from error


def _pinned(root: Path, subpath: str, pin: Path) -> Path:
    """``subpath`` resolved beneath ``root`` and bound to ``pin``."""
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = open_in_root(root_fd, subpath, os.O_PATH)
    except OSError as error:
        raise EngineError(f"cannot access path {root}/{subpath}: {(error.strerror or '').lower()}") from error
    finally:
        os.close(root_fd)
    try:
        pin.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            pin.mkdir(exist_ok=True)
        else:
            pin.touch()
        bind(f"/proc/self/fd/{fd}", pin)
    finally:
        os.close(fd)
    return pin


async def release(parts: Parts, held: Held) -> None:
    """Unmount what `mount` mounted; idempotent."""
    if any(row.subpath or row.kind == "image" for row in held.record.mounts):
        await finish(lambda: unmount_beneath(parts.layout.bundle(held.id) / "pins"))
    for row in held.record.mounts:
        if row.kind != "volume":
            continue
        await parts.volumes.unmount(row.source, held.id)
        parts.events.publish(event("volume", "unmount", row.source, {"container": held.id, "driver": "local"}))
