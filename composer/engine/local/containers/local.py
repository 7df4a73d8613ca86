"""LocalContainers: `interface.Containers` over the operations of this package, each by its reference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from composer.engine.errors import Conflict, NotRunning
from composer.engine.interface import Filters, Trees
from composer.engine.local.archive import finish
from composer.engine.local.containers import (
    attach,
    changing,
    commit,
    copy,
    create,
    listing,
    logs,
    remove,
    start,
    stop,
    sync,
    top,
    usage,
    view,
    waiting,
)
from composer.engine.local.containers.exec import Execs
from composer.engine.local.containers.parts import Parts
from composer.engine.model import (
    Change,
    Container,
    ContainerConfig,
    ContainerCreated,
    ContainerTop,
    ContainerUpdate,
    Exec,
    ExecConfig,
    LogFrame,
    LogOptions,
    PathStat,
    PruneReport,
    Stats,
    Stream,
    Synced,
    WaitResult,
)


class LocalContainers:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._find = parts.registry.find
        self._execs = Execs(parts)

    async def create(self, config: ContainerConfig, name: str = "") -> ContainerCreated:
        return await create.create(self._parts, config, name)

    async def start(self, ref: str) -> None:
        held = self._find(ref)
        try:
            await start.start(self._parts, held)
        except BaseException:
            if held.record.config.host_config.auto_remove and not held.run.phase.alive:
                await asyncio.shield(remove.remove(self._parts, held, force=True, volumes=True))
            raise

    async def stop(self, ref: str, *, signal: str = "", timeout: int | None = None) -> None:
        await stop.stop(self._parts, self._find(ref), signal=signal, timeout=timeout)

    async def restart(self, ref: str, *, signal: str = "", timeout: int | None = None) -> None:
        await stop.restart(self._parts, self._find(ref), signal=signal, timeout=timeout)

    async def kill(self, ref: str, signal: str = "SIGKILL") -> None:
        await stop.kill(self._parts, self._find(ref), signal)

    async def pause(self, ref: str) -> None:
        await stop.pause(self._parts, self._find(ref))

    async def unpause(self, ref: str) -> None:
        await stop.unpause(self._parts, self._find(ref))

    async def rename(self, ref: str, name: str) -> None:
        await changing.rename(self._parts, self._find(ref), name)

    async def update(self, ref: str, change: ContainerUpdate) -> tuple[str, ...]:
        return await changing.update(self._parts, self._find(ref), change)

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        await remove.remove(self._parts, self._find(ref), force=force, volumes=volumes)

    async def wait(self, ref: str, condition: str = "not-running") -> WaitResult:
        return await waiting.wait(self._find(ref), condition)

    async def inspect(self, ref: str, *, size: bool = False) -> Container:
        held = self._find(ref)
        if not size:
            return view.container(self._parts, held)
        written, root = await finish(lambda: usage.sizes(self._parts, held))
        return view.container(self._parts, held, size_rw=written, size_root=root)

    async def list(self, *, all: bool = False, filters: Filters | None = None) -> Sequence[Container]:
        return listing.containers(self._parts, all=all, filters=filters or {})

    def logs(self, ref: str, options: LogOptions) -> AsyncIterator[LogFrame]:
        return logs.read(self._parts, self._find(ref), options)

    async def attach(self, ref: str, *, stdin: bool = False, logs: bool = False) -> Stream:
        held = self._find(ref)
        stream = await attach.attach(self._parts, held, stdin=stdin)
        return attach.WithLog(stream, self.logs(ref, LogOptions())) if logs and held.run.phase.alive else stream

    async def resize(self, ref: str, height: int, width: int) -> None:
        held = self._find(ref)
        if not held.run.phase.alive:
            raise NotRunning(f"container {held.id} is not running")
        await self._parts.runtime.resize(self._parts.bundle(held), height, width)

    async def exec_create(self, ref: str, config: ExecConfig) -> str:
        return self._execs.create(self._find(ref), config)

    async def exec_start(self, exec_id: str, *, detach: bool = False, tty: bool = False) -> Stream | None:
        return await self._execs.start(exec_id, detach=detach, tty=tty)

    async def exec_inspect(self, exec_id: str) -> Exec:
        return self._execs.inspect(exec_id)

    async def exec_resize(self, exec_id: str, height: int, width: int) -> None:
        await self._execs.resize(exec_id, height, width)

    async def top(self, ref: str, args: str = "-ef") -> ContainerTop:
        return await top.top(self._parts, self._find(ref), args)

    def stats(self, ref: str, *, stream: bool = True) -> AsyncIterator[Stats]:
        return usage.stats(self._parts, self._find(ref), stream=stream)

    async def changes(self, ref: str) -> Sequence[Change]:
        return await usage.changes(self._parts, self._find(ref))

    def export(self, ref: str) -> AsyncIterator[bytes]:
        return copy.export(self._parts, self._find(ref))

    async def stat_path(self, ref: str, path: str) -> PathStat:
        return await copy.stat_path(self._parts, self._find(ref), path)

    def get_archive(self, ref: str, path: str) -> AsyncIterator[bytes]:
        return copy.get_archive(self._parts, self._find(ref), path)

    async def put_archive(
        self,
        ref: str,
        path: str,
        tar: AsyncIterator[bytes],
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None:
        held = self._find(ref)
        await copy.put_archive(self._parts, held, path, tar, no_overwrite_dir_non_dir=no_overwrite_dir_non_dir, copy_uid_gid=copy_uid_gid)

    async def sync(self, refs: Sequence[str], trees: Trees, tar: AsyncIterator[bytes]) -> Sequence[Synced]:
        return await sync.sync(self._parts, refs, trees, tar)

    async def signatures(self, ref: str, trees: Trees) -> Mapping[str, Mapping[str, str]]:
        return await sync.signatures(self._find(ref), trees)

    async def commit(
        self,
        ref: str,
        *,
        repo: str = "",
        comment: str = "",
        author: str = "",
        pause: bool = True,
        changes: Sequence[str] = (),
    ) -> str:
        wish = commit.Wish(repo=repo, comment=comment, author=author, pause=pause, changes=changes)
        return await commit.commit(self._parts, self._find(ref), wish)

    async def prune(self, filters: Filters | None = None) -> PruneReport:
        """Every container that is stopped (created, exited, dead) and passes the filters."""
        deleted, freed = [], 0
        for held in listing.prunable(self._parts, filters or {}):
            size = (await asyncio.to_thread(usage.sizes, self._parts, held))[0]
            try:
                await remove.remove(self._parts, held)
            except Conflict:
                continue  # it was started in this moment
            deleted.append(held.id)
            freed += size
        return PruneReport(deleted=tuple(deleted), space_reclaimed=freed)
