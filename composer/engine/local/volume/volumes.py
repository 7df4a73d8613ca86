"""LocalVolumes: the volumes of one engine: rows in the state, data in ``volumes/NAME/_data``.

Words: a volume is *used* by containers that name it (it then cannot be removed) and *mounted* while one of them runs. A volume with mount
options (``type``, ``o``, ``device``) is mounted on its _data directory at its first use and unmounted after its last.
Data is precious: it is deleted by `remove` and `prune` only. A directory without a row is adopted when it holds anything, never swept.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from composer.engine.errors import Conflict, EngineError, InvalidArgument, NotFound
from composer.engine.filters import volumes as filtering
from composer.engine.filters.words import Filters, check, flag, labels_match
from composer.engine.local.events import event
from composer.engine.local.files import remove_tree, tree_size
from composer.engine.local.layout import Layout
from composer.engine.local.linux import mount as linux
from composer.engine.local.state import State, Table
from composer.engine.local.volume import copyup
from composer.engine.local.volume.options import BIND, READ_ONLY, REMOUNT, MountOptions, parse
from composer.engine.model import Event, PruneReport, Volume, VolumeConfig

ANONYMOUS = "com.docker.volume.anonymous"  # shown as Docker shows it; never read back: an image or a file may carry any label
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


@dataclass(frozen=True)
class Row:
    """``anonymous``: made without a name, so `prune` may take it. ``removing``: its data may be gone already."""

    volume: Volume
    anonymous: bool = False
    removing: bool = False

    def encode(self) -> dict[str, object]:
        return {"volume": self.volume.to_wire(), "anonymous": self.anonymous, "removing": self.removing}

    @classmethod
    def decode(cls, doc: Mapping[str, object]) -> Row:
        return cls(Volume.from_wire(doc["volume"]), bool(doc["anonymous"]), bool(doc["removing"]))


class LocalVolumes:
    """interface.Volumes, and for the containers: `mount`, `unmount`. ``users``: the ids of the containers that name a volume."""

    def __init__(self, layout: Layout, state: State, publish: Callable[[Event], None], users: Callable[[str], Sequence[str]]) -> None:
        self._layout = layout
        self._publish = publish
        self._users = users
        self._rows: Table[Row] = Table(state, "volume", encode=Row.encode, decode=Row.decode)
        self._mounted: dict[str, set[str]] = {}  # volume -> the containers that have it mounted
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def start(self, live: Mapping[str, Sequence[str]]) -> None:
        """``live``: the running containers' volumes by container id. Finishes what a crash left: half-made and half-removed volumes."""
        for container, names in live.items():
            for name in names:
                self._mounted.setdefault(name, set()).add(container)
        for name, row in self._rows.items():
            if row.removing:
                await self._delete(name)
            else:
                await asyncio.to_thread(_make, self._data(name))
        for directory in await asyncio.to_thread(lambda: sorted(self._layout.volumes.iterdir())):
            if directory.name not in self._rows:
                await self._adopt(directory)
        await asyncio.to_thread(self._unmount_unused)

    async def _adopt(self, directory: Path) -> None:
        data = directory / "_data"
        if await asyncio.to_thread(lambda: data.is_dir() and any(data.iterdir())):
            volume = Volume(name=directory.name, mountpoint=str(data), created_at=_now())
            await self._rows.put(directory.name, Row(volume))
        else:
            await asyncio.to_thread(remove_tree, directory)

    def _unmount_unused(self) -> None:
        for name, row in self._rows.items():
            if row.volume.options and name not in self._mounted:
                linux.unmount_beneath(self._data(name))

    # -- interface.Volumes

    async def create(self, config: VolumeConfig, *, anonymous: bool = False) -> Volume:
        """An existing one of the same name is returned as it is. InvalidArgument, Conflict (other driver)."""
        if config.driver not in ("", "local"):
            raise NotFound(
                f'create {config.name}: error looking up volume plugin {config.driver}: plugin "{config.driver}" not found',
                hint="composer has the driver local",
            )
        name = config.name
        if not name:
            name, anonymous = os.urandom(32).hex(), True
        else:
            _check_name(name)
        async with self._lock(name):
            found = self._rows.get(name)
            if found is not None:
                return found.volume
            parse(config.driver_opts)
            labels = {**config.labels, **({ANONYMOUS: ""} if anonymous else {})}
            data = self._data(name)
            volume = Volume(name=name, mountpoint=str(data), created_at=_now(), labels=labels, options=dict(config.driver_opts))
            await asyncio.to_thread(_make, data)
            await self._rows.put(name, Row(volume, anonymous))
        self._publish(event("volume", "create", name, {"driver": "local"}))
        return volume

    async def inspect(self, name: str) -> Volume:
        return self.get(name)

    def get(self, name: str) -> Volume:
        row = self._rows.get(name)
        if row is None:
            raise NotFound(f"get {name}: no such volume")
        return row.volume

    async def list(self, filters: Filters | None = None) -> Sequence[Volume]:
        rows = sorted((row.volume for row in self._rows), key=lambda v: v.name)
        return filtering.select(rows, filters, used=lambda name: bool(self._users(name)))

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Conflict while a container names it. ``force``: a missing one is no error."""
        async with self._lock(name):
            row = self._rows.get(name)
            if row is None:
                if force:
                    return
                raise NotFound(f"get {name}: no such volume")
            users = self._users(name)
            if users:
                raise Conflict(f"remove {name}: volume is in use - [{', '.join(users)}]", hint="remove the containers first")
            await self._delete(name)
        self._publish(event("volume", "destroy", name, {"driver": "local"}))

    async def _delete(self, name: str) -> None:
        """Recorded, out of sight by one rename, then the row, then the data: a crash leaves a whole volume or one that `start` removes."""
        aside = self._layout.temporary / f"volume-{os.urandom(8).hex()}"

        def hide() -> None:
            linux.unmount_beneath(self._directory(name))
            os.rename(self._directory(name), aside)

        row = self._rows[name]
        await self._rows.put(name, Row(row.volume, row.anonymous, removing=True))
        try:
            await asyncio.to_thread(hide)
        except FileNotFoundError:
            pass  # an earlier removal came this far
        except OSError as error:
            raise EngineError(f"remove {name}: {error.strerror}: {error.filename}") from error
        await self._rows.delete(name, durable=False)
        await asyncio.to_thread(remove_tree, aside)

    async def prune(self, filters: Filters | None = None) -> PruneReport:
        """The unused anonymous ones; all unused ones with the filter all=true."""
        wanted = check(filters, filtering.PRUNE_KEYS)
        everything = flag(wanted, "all") or False
        deleted, freed = [], 0
        for name, row in self._rows.items():
            if self._users(name) or not (everything or row.anonymous) or not labels_match(row.volume.labels, wanted):
                continue
            freed += await self.size(name)
            try:
                await self.remove(name)
            except (Conflict, NotFound):
                continue  # taken or removed in this moment
            deleted.append(name)
        self._publish(event("volume", "prune", "", {"reclaimed": str(freed)}))
        return PruneReport(deleted=tuple(deleted), space_reclaimed=freed)

    async def size(self, name: str) -> int:
        """Bytes on disk; 0 for what is mounted from elsewhere."""
        if self.get(name).options:
            return 0
        return await asyncio.to_thread(tree_size, self._data(name))

    # -- for the containers

    async def mount(self, name: str, container: str, *, copy_from: Path | None = None, at: str = "") -> Path:
        """The directory of its data, mounted. ``copy_from``: the container's root, whose content at ``at`` fills an empty volume.

        EngineError: its options cannot be mounted.
        """
        async with self._lock(name):
            volume = self.get(name)
            users = self._mounted.setdefault(name, set())
            data = self._data(name)
            options = parse(volume.options)
            if options is not None and not users:
                await asyncio.to_thread(_mount, options, data)
            if copy_from is not None and (options is None or options.flags & READ_ONLY == 0):
                await asyncio.to_thread(self.fill, name, copy_from, at, bool(users) or options is not None)
            users.add(container)
            return data

    async def unmount(self, name: str, container: str) -> None:
        """Idempotent."""
        async with self._lock(name):
            users = self._mounted.get(name, set())
            users.discard(container)
            if users:
                return
            self._mounted.pop(name, None)
            row = self._rows.get(name)
            if row is not None and row.volume.options:
                await asyncio.to_thread(linux.unmount_beneath, self._data(name))

    def fill(self, name: str, root: Path, at: str, in_place: bool) -> None:
        """Copy-up, blocking: beside, then renamed over the empty directory, so that a crash shows no half; in place when it is in use."""
        data = self._data(name)
        if any(data.iterdir()):
            return
        from_fd = copyup.source(root, at)
        if from_fd is None:
            return
        beside = data if in_place else data.with_name(f".copy-{os.urandom(4).hex()}")
        try:
            if not in_place:
                beside.mkdir(mode=0o700)
            to_fd = os.open(beside, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                copyup.copy(from_fd, to_fd)
            finally:
                os.close(to_fd)
            if not in_place:
                os.rename(beside, data)
        except OSError as error:
            if not in_place:
                remove_tree(beside)
            raise EngineError(f"failed to copy the image's content at {at} into volume {name}: {error.strerror}") from error
        finally:
            os.close(from_fd)

    def _directory(self, name: str) -> Path:
        return self._layout.volumes / name

    def _data(self, name: str) -> Path:
        return self._directory(name) / "_data"

    def _lock(self, name: str) -> asyncio.Lock:
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock


def _check_name(name: str) -> None:
    if len(name) == 1:
        raise InvalidArgument("volume name is too short, names should be at least two alphanumeric characters")
    if not _NAME.fullmatch(name):
        raise InvalidArgument(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. '
            "If you intended to pass a host directory, use absolute path"
        )


def _make(data: Path) -> None:
    data.parent.mkdir(mode=0o701, exist_ok=True)
    data.mkdir(mode=0o755, exist_ok=True)


def _mount(options: MountOptions, target: Path) -> None:
    data = options.data
    try:
        if options.address:
            data = data.replace(f"addr={options.address}", f"addr={socket.gethostbyname(options.address)}")
        linux.mount(options.device, target, options.kind or None, options.flags, data or None)
        if options.flags & BIND and options.flags & READ_ONLY:
            linux.mount(options.device, target, None, options.flags | REMOUNT)
        if options.propagation:
            linux.mount("none", target, None, options.propagation)
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise EngineError(
            f"failed to mount local volume: mount {options.device}:{target}, flags: {options.flags:#x}, data: {data}: {words}",
            hint="look at the volume's driver_opts: type, o and device as mount(8) takes them",
        ) from error


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
