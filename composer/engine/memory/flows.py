"""What flows out of and into containers in memory, and the whole of interface.Containers over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from composer.engine.errors import Conflict, NotFound, NotRunning
from composer.engine.filters.words import Filters
from composer.engine.interface import Trees
from composer.engine.memory.archive import gather
from composer.engine.memory.containers import Made
from composer.engine.memory.execs import MemoryExecs
from composer.engine.memory.images import MemoryImages
from composer.engine.memory.lifecycle import Lifecycle
from composer.engine.memory.world import epoch
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
from composer.engine.model.stream import STDERR, STDOUT


class MemoryContainers:
    """interface.Containers."""

    def __init__(self, made: Made, lifecycle: Lifecycle, images: MemoryImages) -> None:
        self._made = made
        self._lifecycle = lifecycle
        self._images = images
        self._execs = MemoryExecs(made.world)

    async def create(self, config: ContainerConfig, name: str = "") -> ContainerCreated:
        return self._made.create(config, name)

    async def start(self, ref: str) -> None:
        self._made.start(ref)

    async def stop(self, ref: str, *, signal: str = "", timeout: int | None = None) -> None:
        await self._made.stop(ref, signal, timeout)

    async def restart(self, ref: str, *, signal: str = "", timeout: int | None = None) -> None:
        await self._made.restart(ref, signal, timeout)

    async def kill(self, ref: str, signal: str = "SIGKILL") -> None:
        self._made.kill(ref, signal)

    async def pause(self, ref: str) -> None:
        self._made.pause(ref, True)

    async def unpause(self, ref: str) -> None:
        self._made.pause(ref, False)

    async def rename(self, ref: str, name: str) -> None:
        self._made.rename(ref, name)

    async def update(self, ref: str, change: ContainerUpdate) -> tuple[str, ...]:
        return self._made.update(ref, change)

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        self._made.remove(ref, force, volumes)

    async def wait(self, ref: str, condition: str = "not-running") -> WaitResult:
        return await self._made.wait(ref, condition)

    async def inspect(self, ref: str, *, size: bool = False) -> Container:
        container = self._made.find(ref).container
        return container.replace(size_rw=0, size_root_fs=0) if size else container

    async def list(self, *, all: bool = False, filters: Filters | None = None) -> Sequence[Container]:
        return self._made.list(all, filters)

    async def logs(self, ref: str, options: LogOptions) -> AsyncIterator[LogFrame]:
        record = self._made.find(ref)
        lines = _lines(record.output)
        for line in lines if options.tail is None else lines[max(0, len(lines) - options.tail) :]:
            if _wanted(line, options):  # as dockerd has it: the tail is of all lines, of both streams
                yield line
        at = len(record.output)
        while options.follow and record.running and not record.removed:
            while at < len(record.output):
                frame = record.output[at]
                at += 1
                if _wanted(frame, options):
                    yield frame
            if record.running:
                await record.changed.next()
        if options.follow:
            for frame in record.output[at:]:
                if _wanted(frame, options):
                    yield frame

    async def attach(self, ref: str, *, stdin: bool = False, logs: bool = False) -> Stream:
        record = self._made.find(ref)
        if record.container.state.paused:
            raise Conflict(f"container {ref} is paused, unpause the container before attach")
        process = record.process
        if process is None or (process.exit_code is not None and not record.running):
            process = self._lifecycle.prepare(record)
        return process.attach(stdin=stdin, replay=record.output if logs else ())

    async def resize(self, ref: str, height: int, width: int) -> None:
        record = self._made.find(ref)
        if not record.running or record.process is None:
            raise NotRunning(f"cannot resize a stopped container: {record.id}")
        record.process.size = (height, width)
        self._made.world.tell(record, "resize", height=str(height), width=str(width))

    async def exec_create(self, ref: str, config: ExecConfig) -> str:
        return self._execs.create(self._made.live(ref), config)

    async def exec_start(self, exec_id: str, *, detach: bool = False, tty: bool = False) -> Stream | None:
        self._made.live(self._execs.find(exec_id).container_id)
        return self._execs.start(exec_id, detach=detach)

    async def exec_inspect(self, exec_id: str) -> Exec:
        return self._execs.find(exec_id).exec

    async def exec_resize(self, exec_id: str, height: int, width: int) -> None:
        row = self._execs.find(exec_id)
        if row.process is None:
            raise NotRunning(f"cannot resize a stopped exec: {exec_id}")
        row.process.size = (height, width)

    async def top(self, ref: str, args: str = "-ef") -> ContainerTop:
        record = self._made.live(ref)
        titles = ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")
        command = " ".join((record.container.path, *record.container.args))
        return ContainerTop(
            titles=titles, processes=(("root", str(record.container.state.pid), "1", "0", "00:00", "?", "00:00:00", command),)
        )

    async def stats(self, ref: str, *, stream: bool = True) -> AsyncIterator[Stats]:
        record = self._made.find(ref)
        while True:
            yield Stats(name=record.container.name, id=record.id, read=self._made.world.now())
            if not stream or record.removed:
                return
            await record.changed.next()

    async def changes(self, ref: str) -> Sequence[Change]:
        return self._made.find(ref).files.changes()

    async def export(self, ref: str) -> AsyncIterator[bytes]:
        yield self._made.find(ref).files.pack("/")

    async def stat_path(self, ref: str, path: str) -> PathStat:
        return self._made.find(ref).files.stat(path)

    async def get_archive(self, ref: str, path: str) -> AsyncIterator[bytes]:
        yield self._made.find(ref).files.pack(path)

    async def put_archive(
        self, ref: str, path: str, tar: AsyncIterator[bytes], *, no_overwrite_dir_non_dir: bool = False, copy_uid_gid: bool = False
    ) -> None:
        files = self._made.find(ref).files
        files.stat(path)
        files.unpack(path, await gather(tar))

    async def sync(self, refs: Sequence[str], trees: Trees, tar: AsyncIterator[bytes]) -> Sequence[Synced]:
        data, done = await gather(tar), []
        for ref in refs:
            try:
                record = self._made.find(ref)
                if not record.running:
                    raise NotRunning(f"container {record.id} is not running")
            except (NotFound, NotRunning) as error:
                done.append(Synced(container=ref, problem=error.message))
                continue
            written, removed = record.files.sync(trees, data)
            done.append(Synced(container=record.id, written=written, removed=removed))
        return done

    async def signatures(self, ref: str, trees: Trees) -> Mapping[str, Mapping[str, str]]:
        record = self._made.find(ref)
        if not record.running:
            raise NotRunning(f"container {record.id} is not running")
        found = {target: {path: record.files.signature(f"{target}/{path}") for path in paths} for target, paths in trees.items()}
        return {target: {path: said for path, said in rows.items() if said is not None} for target, rows in found.items()}

    async def commit(
        self, ref: str, *, repo: str = "", comment: str = "", author: str = "", pause: bool = True, changes: Sequence[str] = ()
    ) -> str:
        record = self._made.find(ref)
        config = record.container.config.replace(hostname="")
        image_id = self._images.add(config, *([repo] if repo else []), parent=record.container.image, comment=comment, author=author)
        self._made.world.tell(record, "commit", imageID=image_id, imageRef=repo)
        return image_id

    async def prune(self, filters: Filters | None = None) -> PruneReport:
        return self._made.prune(filters)


def _lines(frames: Sequence[LogFrame]) -> list[LogFrame]:
    """One frame a line, as log files hold them."""
    return [LogFrame(frame.stream, line, frame.time) for frame in frames for line in frame.data.splitlines(keepends=True)]


def _wanted(frame: LogFrame, options: LogOptions) -> bool:
    if (frame.stream == STDOUT and not options.stdout) or (frame.stream == STDERR and not options.stderr):
        return False
    time = epoch(frame.time)
    return (not options.since or time >= options.since) and (not options.until or time <= options.until)
