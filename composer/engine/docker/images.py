"""Images of a remote engine (interface.Images)."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from composer.engine.docker.client import Client, Reply, part
from composer.engine.docker.context import packed
from composer.engine.errors import Unsupported
from composer.engine.interface import Filters
from composer.engine.model import (
    BuildConfig,
    HistoryItem,
    Image,
    ImageDeleted,
    ImageSummary,
    Progress,
    PruneReport,
    RegistryAuth,
    RegistryImage,
)


class DockerImages:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def inspect(self, ref: str) -> Image:
        return Image.from_wire(await self._client.call("GET", f"/images/{part(ref)}/json"))

    async def list(self, *, all: bool = False, filters: Filters | None = None) -> Sequence[ImageSummary]:
        rows = await self._client.call("GET", "/images/json", {"all": all, "filters": dict(filters or {})})
        return [ImageSummary.from_wire(row) for row in rows]

    async def history(self, ref: str) -> Sequence[HistoryItem]:
        return [HistoryItem.from_wire(row) for row in await self._client.call("GET", f"/images/{part(ref)}/history")]

    async def distribution(self, ref: str, *, auth: RegistryAuth | None = None) -> RegistryImage:
        reply = await self._client.request("GET", f"/distribution/{part(ref)}/json", headers=_auth(auth))
        return RegistryImage.from_wire(await reply.json())

    async def tag(self, ref: str, target: str) -> None:
        repo, tag = split(target)
        await self._client.call("POST", f"/images/{part(ref)}/tag", {"repo": repo, "tag": tag})

    async def remove(self, ref: str, *, force: bool = False, prune: bool = True) -> Sequence[ImageDeleted]:
        rows = await self._client.call("DELETE", f"/images/{part(ref)}", {"force": force, "noprune": not prune})
        return [ImageDeleted.from_wire(row) for row in rows]

    async def prune(self, filters: Filters | None = None) -> PruneReport:
        found = await self._client.call("POST", "/images/prune", {"filters": dict(filters or {})}, timeout=None)
        gone = [row.get("Deleted") or row.get("Untagged") for row in found.get("ImagesDeleted") or ()]
        return PruneReport(deleted=tuple(gone), space_reclaimed=found.get("SpaceReclaimed") or 0)

    async def prune_builds(self) -> PruneReport:
        found = await self._client.call("POST", "/build/prune", {"all": "true"}, timeout=None)
        return PruneReport(deleted=tuple(found.get("CachesDeleted") or ()), space_reclaimed=found.get("SpaceReclaimed") or 0)

    async def pull(self, ref: str, *, platform: str = "", auth: RegistryAuth | None = None) -> AsyncIterator[Progress]:
        name, tag = split(ref)
        query = {"fromImage": name, "tag": tag or "latest", "platform": platform}
        async for line in self._told(await self._client.request("POST", "/images/create", query, headers=_auth(auth), timeout=None)):
            yield line

    async def push(self, ref: str, *, auth: RegistryAuth | None = None) -> AsyncIterator[Progress]:
        name, tag = split(ref)
        headers = _auth(auth) or {"X-Registry-Auth": base64.urlsafe_b64encode(b"{}").decode()}
        reply = await self._client.request("POST", f"/images/{part(name)}/push", {"tag": tag or "latest"}, headers=headers, timeout=None)
        async for line in self._told(reply):
            yield line

    async def load(self, tar: AsyncIterator[bytes]) -> AsyncIterator[Progress]:
        reply = await self._client.request("POST", "/images/load", {"quiet": True}, stream=tar, timeout=None)
        async for line in self._told(reply):
            yield line

    async def save(self, refs: Sequence[str]) -> AsyncIterator[bytes]:
        reply = await self._client.request("GET", "/images/get", {"names": list(refs)}, timeout=None)
        async for piece in reply.pieces():
            yield piece

    async def import_(
        self, tar: AsyncIterator[bytes], ref: str, *, changes: Sequence[str] = (), message: str = ""
    ) -> AsyncIterator[Progress]:
        repo, tag = split(ref)
        query = {"fromSrc": "-", "repo": repo, "tag": tag, "changes": list(changes), "message": message}
        async for line in self._told(await self._client.request("POST", "/images/create", query, stream=tar, timeout=None)):
            yield line

    async def build(self, config: BuildConfig) -> AsyncIterator[Progress]:
        """The context is packed here and sent. Unsupported: what the classic build of the API has no word for."""
        for value, what in ((config.additional_contexts, "additional build contexts"), (config.secrets, "build secrets")):
            if value:
                raise Unsupported(f"{what} cannot be sent to a remote engine")
        tar, dockerfile = packed(config)
        query: dict[str, Any] = {
            "dockerfile": dockerfile,
            "t": list(config.tags),
            "buildargs": config.args,
            "target": config.target,
            "labels": config.labels,
            "nocache": config.no_cache,
            "pull": config.pull,
            "networkmode": config.network,
            "shmsize": config.shm_size or None,
            "extrahosts": list(config.extra_hosts),
            "platform": config.platform,
            "rm": True,
        }
        if config.cache_from:
            query["cachefrom"] = json.dumps(list(config.cache_from))
        if config.ulimits:
            rows = [{"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in config.ulimits.items()]
            query["ulimits"] = json.dumps(rows)
        async for line in self._told(await self._client.request("POST", "/build", query, stream=tar, timeout=None)):
            yield line

    async def _told(self, reply: Reply) -> AsyncIterator[Progress]:
        try:
            async for line in reply.lines():
                yield Progress.from_wire(line)
        finally:
            await reply.close()


def split(ref: str) -> tuple[str, str]:
    """ "host:5000/a:1" -> "host:5000/a", "1"; "a@sha256:..." -> "a", "sha256:..."; without one "" """
    name, at, digest = ref.partition("@")
    if at:
        return name, digest
    head, colon, tag = ref.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (ref, "")


def _auth(auth: RegistryAuth | None) -> dict[str, str]:
    if auth is None:
        return {}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(auth.to_wire()).encode()).decode()}
