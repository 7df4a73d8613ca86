"""Root file systems that a build mounts for a while: the writable one that a step works in, read-only ones that it reads from.

Everything lies beneath names that begin with ``build-`` in the directories that `recover` sweeps, so a killed daemon leaves nothing.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from composer.engine.local.files import remove_tree
from composer.engine.local.image.blobs import Lease
from composer.engine.local.image.layers import Layer, Layers
from composer.engine.local.image.snapshot import Snapshots
from composer.engine.local.layout import Layout

BUILD_PREFIX = "build-"


@dataclass(frozen=True)
class Root:
    """A mounted, writable root. ``bundle``: the OCI bundle's directory, the root is its ``rootfs``."""

    id: str
    bundle: Path
    rootfs: Path
    upper: Path


class Roots:
    """Mounts layers by their chain ids."""

    def __init__(self, layout: Layout, layers: Layers, snapshots: Snapshots) -> None:
        self._layout, self._layers, self._snapshots = layout, layers, snapshots

    def has(self, chain_id: str) -> bool:
        """Is the layer still there?"""
        return self._layers.get(chain_id) is not None

    @asynccontextmanager
    async def writable(self, chain_ids: Sequence[str]) -> AsyncIterator[Root]:
        """A root over these layers (lowest first); its changes are lost unless `commit` takes them before the end."""
        name = f"{BUILD_PREFIX}{secrets.token_hex(8)}"
        work, bundle = self._layout.temporary / name, self._layout.bundle(name)
        root = Root(name, bundle, bundle / "rootfs", work / "upper")

        def prepare() -> None:
            for path in (root.upper, work / "work", work / "empty", root.rootfs):
                path.mkdir(mode=0o755, parents=True)
            os.chmod(work, 0o700)

        await asyncio.to_thread(prepare)
        try:
            lowers = self._paths(chain_ids) or [work / "empty"]
            await self._snapshots.mount(name, lowers, root.rootfs, upper=root.upper, work=work / "work")
            yield root
        finally:
            await asyncio.shield(self._drop(root, work))

    async def _drop(self, root: Root, work: Path) -> None:
        await self._snapshots.unmount(root.rootfs)
        await asyncio.to_thread(remove_tree, root.bundle)
        await asyncio.to_thread(remove_tree, work)

    @asynccontextmanager
    async def readable(self, chain_ids: Sequence[str]) -> AsyncIterator[Path]:
        """The files of these layers, to read: the one layer's own directory, or a mount of all."""
        paths = self._paths(chain_ids)
        if len(paths) == 1:
            yield paths[0]
            return
        async with self.writable(chain_ids) as root:
            yield root.rootfs

    def _paths(self, chain_ids: Sequence[str]) -> list[Path]:
        return [self._layers.path(chain_id) for chain_id in reversed(chain_ids)]

    async def commit(self, root: Root, chain_ids: Sequence[str], lease: Lease) -> Layer | None:
        """What changed in the root as a layer over ``chain_ids``; None when nothing did. The root is unmounted by this."""
        await self._snapshots.unmount(root.rootfs)
        await asyncio.to_thread(drop_untouched, root.upper, self._paths(chain_ids))
        if not await asyncio.to_thread(os.listdir, root.upper):
            return None
        return await self._layers.commit(root.upper, chain_ids, lease)

    def layers(self, chain_ids: Sequence[str]) -> list[Layer]:
        """The layers of these chain ids."""
        found = [self._layers.get(chain_id) for chain_id in chain_ids]
        return [layer for layer in found if layer is not None]


def drop_untouched(upper: Path, lowers: Sequence[Path]) -> None:
    """Remove the directories of ``upper`` that say nothing: empty, and the same below (``lowers``, topmost first).

    overlayfs copies a directory up when something is made in it, and keeps it when that is removed again: a mount point, say.
    """
    for folder, _, _ in os.walk(upper, topdown=False):
        if folder != str(upper) and not os.listdir(folder) and _is_same_below(folder, os.path.relpath(folder, upper), lowers):
            os.rmdir(folder)


def _is_same_below(folder: str, relative: str, lowers: Sequence[Path]) -> bool:
    own = os.lstat(folder)
    if "trusted.overlay.opaque" in os.listxattr(folder, follow_symlinks=False):
        return False
    for lower in lowers:
        try:
            below = os.lstat(lower / relative)
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            return False
        return (own.st_mode, own.st_uid, own.st_gid) == (below.st_mode, below.st_uid, below.st_gid)
    return False
