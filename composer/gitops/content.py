"""Files of the repository laid out for containers and builds: on disk under names made from their content, decrypted ones on tmpfs.

A name is visible only when all of it is there (written aside, renamed), and what it holds never changes, so a crash leaves nothing half
done. Links inside are laid out as links when they stay in the repository, and refused when they do not.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from composer.engine.errors import Unavailable
from composer.engine.local.files import remove_tree
from composer.gitops.errors import Refused, TooBig
from composer.gitops.git.tree import Entry, Tree
from composer.gitops.memory import in_memory
from composer.gitops.override import Layout

TREE_MAX = 1 << 30  # bytes of one directory that is laid out


async def lay_out(layout: Layout, tree: Tree) -> None:
    """Everything that ``layout`` names is there afterwards. Refused, TooBig, Unavailable (the disk is full; no tmpfs)."""
    for name, (path, entry) in layout.trees.items():
        if not (layout.content / name).exists():
            await _place(layout.content / name, path, entry, tree)
    if layout.secrets:
        await asyncio.to_thread(write_secrets, layout.secret_directory, layout.secrets)


async def _place(target: Path, path: str, entry: Entry, tree: Tree) -> None:
    below = {"": entry} if not entry.folder else tree.below(path)
    for name, one in below.items():
        if one.link and tree.escapes(f"{path}/{name}".strip("/")):
            raise Refused(f"{path or '.'}/{name} is a link that leads out of the repository")
        if one.submodule:
            raise Refused(f"{path or '.'}/{name} is a submodule, and submodules are not followed")
    if sum(one.size for one in below.values()) > TREE_MAX:
        raise TooBig(f"{path or 'the repository'} is larger than {TREE_MAX >> 20} MiB")
    aside = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if entry.folder:
            aside.mkdir(mode=0o755)
        for part in _portions({name: one for name, one in below.items() if not one.folder}):
            blobs = await tree.read(part.values())
            await asyncio.to_thread(_write_all, aside, part, blobs)
        for name, one in below.items():
            if one.folder and name:
                (aside / name).mkdir(mode=0o755, parents=True, exist_ok=True)
        os.rename(aside, target)
    except OSError as error:
        raise Unavailable(f"cannot lay out {path or 'the repository'}: {error.strerror}", hint="is the disk full?") from error
    finally:
        if aside.exists() or aside.is_symlink():
            remove_tree(aside)


def _portions(entries: Mapping[str, Entry], limit: int = 64 << 20) -> list[dict[str, Entry]]:
    """The files in parts that fit into memory."""
    parts: list[dict[str, Entry]] = [{}]
    size = 0
    for name, entry in entries.items():
        if size + entry.size > limit and parts[-1]:
            parts.append({})
            size = 0
        parts[-1][name] = entry
        size += entry.size
    return parts


def _write_all(root: Path, entries: Mapping[str, Entry], blobs: Mapping[str, bytes]) -> None:
    """Blocking. No name on the way can be a link: links are written as such only, and git has no file beneath a file."""
    for name, entry in entries.items():
        path = root / name if name else root
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if entry.link:
            os.symlink(blobs[entry.oid], os.fsencode(path))
            continue
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(fd, "wb") as file:
            os.fchmod(file.fileno(), 0o755 if entry.executable else 0o644)
            file.write(blobs[entry.oid])


def write_secrets(directory: Path, secrets: Mapping[str, bytes]) -> None:
    """Blocking. ``directory``: of one source, in the daemon's. Unavailable: it cannot be in memory, or cannot be written."""
    in_memory(directory.parent)
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        for name, data in secrets.items():
            path = directory / name
            if path.exists():
                continue
            aside = directory / f".{name}.{os.urandom(4).hex()}"
            fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                os.fchmod(file.fileno(), 0o444)  # any user of the container reads it; the directory is root's alone
            os.rename(aside, path)
    except OSError as error:
        raise Unavailable(f"cannot write a decrypted secret: {error.strerror}", hint=f"is there room in {directory}?") from error


def sweep(directory: Path, wanted: Collection[str]) -> None:
    """Remove what is in the directory and not wanted. Blocking."""
    if directory.is_dir():
        for item in directory.iterdir():
            if item.name not in wanted:
                remove_tree(item)
