"""Containers of a remote engine (interface.Containers)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence

from composer.engine.docker import syncing
from composer.engine.docker.client import Client, Reply, part
from composer.engine.docker.streams import RemoteStream, log_lines
from composer.engine.errors import EngineError, NotFound
from composer.engine.interface import Filters, Trees
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

_AT_ONCE = 8  # inspections in flight


class DockerContainers:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def _act(self, ref: str, verb: str, *, timeout: float | None = 300.0, **query: object) -> None:
        await self._client.call("POST", f"/containers/{part(ref)}/{verb}", query, timeout=timeout)

    async def create(self, config: ContainerConfig, name: str = "") -> ContainerCreated:
        return ContainerCreated.from_wire(await self._client.call("POST", "/containers/create", {"name": name}, body=config.to_wire()))

    async def start(self, ref: str) -> None:
        await self._act(ref, "start")

    async def stop(self, ref: str, *, signal: str = "", timeout: int | None = None) -> None:
        await self._act(ref, "stop", timeout=None, signal=signal, t=timeout)

    async def restart(self, ref: str, *, signal: str = "", timeout: int | None = None) -> None:
        await self._act(ref, "restart", timeout=None, signal=signal, t=timeout)

    async def kill(self, ref: str, signal: str = "SIGKILL") -> None:
        await self._act(ref, "kill", signal=signal)

    async def pause(self, ref: str) -> None:
        await self._act(ref, "pause")

    async def unpause(self, ref: str) -> None:
        await self._act(ref, "unpause")

    async def rename(self, ref: str, name: str) -> None:
        await self._act(ref, "rename", name=name)

    async def update(self, ref: str, change: ContainerUpdate) -> tuple[str, ...]:
        body = change.model_dump(mode="json", by_alias=True, exclude_unset=True)
        found = await self._client.call("POST", f"/containers/{part(ref)}/update", body=body)
        return tuple(found.get("Warnings") or ())

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        await self._client.call("DELETE", f"/containers/{part(ref)}", {"force": force, "v": volumes})

    async def wait(self, ref: str, condition: str = "not-running") -> WaitResult:
        found = await self._client.call("POST", f"/containers/{part(ref)}/wait", {"condition": condition}, timeout=None)
        return WaitResult.from_wire(found)

    async def inspect(self, ref: str, *, size: bool = False) -> Container:
        return Container.from_wire(await self._client.call("GET", f"/containers/{part(ref)}/json", {"size": size}))

    async def list(self, *, all: bool = False, filters: Filters | None = None) -> Sequence[Container]:
        """composer's daemon gives the whole containers at once; another engine is asked for each."""
        rows = await self._client.call("GET", "/containers/json", {"all": all, "filters": dict(filters or {}), "composer": "full"})
        if all_whole := [row for row in rows if isinstance(row.get("State"), dict)]:
            return [Container.from_wire(row) for row in all_whole]
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(ref: str) -> Container | None:
            async with limit:
                try:
                    return await self.inspect(ref)
                except NotFound:
                    return None  # removed meanwhile

        found = await asyncio.gather(*(one(row["Id"]) for row in rows))
        return [container for container in found if container is not None]

    async def logs(self, ref: str, options: LogOptions) -> AsyncIterator[LogFrame]:
        tty = (await self.inspect(ref)).config.tty
        query = {
            "stdout": options.stdout,
            "stderr": options.stderr,
            "follow": options.follow,
            "since": f"{options.since:.9f}" if options.since else "",
            "until": f"{options.until:.9f}" if options.until else "",
            "tail": "all" if options.tail is None else str(options.tail),
            "timestamps": True,
        }
        reply = await self._client.request("GET", f"/containers/{part(ref)}/logs", query, timeout=None)
        try:
            async for frame in log_lines(reply.pieces(), tty):
                yield frame
        finally:
            await reply.close()

    async def attach(self, ref: str, *, stdin: bool = False, logs: bool = False) -> Stream:
        tty = (await self.inspect(ref)).config.tty
        query = {"stream": True, "stdin": stdin, "stdout": True, "stderr": True, "logs": logs}
        reply = await self._client.request("POST", f"/containers/{part(ref)}/attach", query, upgrade=True)
        return RemoteStream(reply.detach(), tty=tty)

    async def resize(self, ref: str, height: int, width: int) -> None:
        await self._act(ref, "resize", h=height, w=width)

    async def exec_create(self, ref: str, config: ExecConfig) -> str:
        found = await self._client.call("POST", f"/containers/{part(ref)}/exec", body=config.to_wire())
        return str(found["Id"])

    async def exec_start(self, exec_id: str, *, detach: bool = False, tty: bool = False) -> Stream | None:
        tty = tty or (await self.exec_inspect(exec_id)).process_config.tty
        body = {"Detach": detach, "Tty": tty}
        reply = await self._client.request("POST", f"/exec/{part(exec_id)}/start", body=body, upgrade=not detach)
        if detach:
            await reply.read()
            return None
        return RemoteStream(reply.detach(), tty=tty)

    async def exec_inspect(self, exec_id: str) -> Exec:
        found = await self._client.call("GET", f"/exec/{part(exec_id)}/json")
        process = found.get("ProcessConfig") or {}
        return Exec.from_wire({**found, "ProcessConfig": process})

    async def exec_resize(self, exec_id: str, height: int, width: int) -> None:
        await self._client.call("POST", f"/exec/{part(exec_id)}/resize", {"h": height, "w": width})

    async def top(self, ref: str, args: str = "-ef") -> ContainerTop:
        return ContainerTop.from_wire(await self._client.call("GET", f"/containers/{part(ref)}/top", {"ps_args": args}))

    async def stats(self, ref: str, *, stream: bool = True) -> AsyncIterator[Stats]:
        reply = await self._client.request("GET", f"/containers/{part(ref)}/stats", {"stream": stream}, timeout=None)
        try:
            async for line in reply.lines():
                yield Stats.from_wire(line)
        finally:
            await reply.close()

    async def changes(self, ref: str) -> Sequence[Change]:
        return [Change.from_wire(row) for row in await self._client.call("GET", f"/containers/{part(ref)}/changes") or ()]

    async def export(self, ref: str) -> AsyncIterator[bytes]:
        reply = await self._client.request("GET", f"/containers/{part(ref)}/export", timeout=None)
        async for piece in reply.pieces():
            yield piece

    async def stat_path(self, ref: str, path: str) -> PathStat:
        reply = await self._client.request("HEAD", f"/containers/{part(ref)}/archive", {"path": path})
        await reply.close()
        return _stat(reply)

    async def get_archive(self, ref: str, path: str) -> AsyncIterator[bytes]:
        reply = await self._client.request("GET", f"/containers/{part(ref)}/archive", {"path": path}, timeout=None)
        async for piece in reply.pieces():
            yield piece

    async def put_archive(
        self, ref: str, path: str, tar: AsyncIterator[bytes], *, no_overwrite_dir_non_dir: bool = False, copy_uid_gid: bool = False
    ) -> None:
        query = {"path": path, "noOverwriteDirNonDir": no_overwrite_dir_non_dir, "copyUIDGID": copy_uid_gid}
        reply = await self._client.request("PUT", f"/containers/{part(ref)}/archive", query, stream=tar, timeout=None)
        await reply.read()

    async def sync(self, refs: Sequence[str], trees: Trees, tar: AsyncIterator[bytes]) -> Sequence[Synced]:
        return await syncing.sync(self, refs, trees, tar)

    async def signatures(self, ref: str, trees: Trees) -> Mapping[str, Mapping[str, str]]:
        return await syncing.signatures(self, ref, trees)

    async def commit(
        self, ref: str, *, repo: str = "", comment: str = "", author: str = "", pause: bool = True, changes: Sequence[str] = ()
    ) -> str:
        query = {"container": ref, "repo": repo, "comment": comment, "author": author, "pause": pause, "changes": list(changes)}
        found = await self._client.call("POST", "/commit", query, body={}, timeout=None)
        return str(found["Id"])

    async def prune(self, filters: Filters | None = None) -> PruneReport:
        found = await self._client.call("POST", "/containers/prune", {"filters": dict(filters or {})}, timeout=None)
        return PruneReport(deleted=tuple(found.get("ContainersDeleted") or ()), space_reclaimed=found.get("SpaceReclaimed") or 0)


def _stat(reply: Reply) -> PathStat:
    try:
        return PathStat.from_wire(json.loads(base64.b64decode(reply.headers["x-docker-container-path-stat"])))
    except (KeyError, ValueError) as error:
        raise EngineError("the engine did not say what the path is") from error
