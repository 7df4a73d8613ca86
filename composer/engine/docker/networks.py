"""Networks of a remote engine (interface.Networks)."""

from __future__ import annotations

from collections.abc import Sequence

from composer.engine.docker.client import Client, part
from composer.engine.interface import Filters
from composer.engine.model import EndpointSettings, Network, NetworkConfig, NetworkConnect, PruneReport


class DockerNetworks:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(self, config: NetworkConfig) -> str:
        return str((await self._client.call("POST", "/networks/create", body=config.to_wire()))["Id"])

    async def inspect(self, ref: str) -> Network:
        return Network.from_wire(await self._client.call("GET", f"/networks/{part(ref)}"))

    async def list(self, filters: Filters | None = None) -> Sequence[Network]:
        rows = await self._client.call("GET", "/networks", {"filters": dict(filters or {})})
        return [Network.from_wire(row) for row in rows]

    async def remove(self, ref: str) -> None:
        await self._client.call("DELETE", f"/networks/{part(ref)}")

    async def connect(self, ref: str, container: str, endpoint: EndpointSettings) -> None:
        body = NetworkConnect(container=container, endpoint_config=endpoint).to_wire()
        await self._client.call("POST", f"/networks/{part(ref)}/connect", body=body)

    async def disconnect(self, ref: str, container: str, *, force: bool = False) -> None:
        await self._client.call("POST", f"/networks/{part(ref)}/disconnect", body={"Container": container, "Force": force})

    async def prune(self, filters: Filters | None = None) -> PruneReport:
        found = await self._client.call("POST", "/networks/prune", {"filters": dict(filters or {})})
        return PruneReport(deleted=tuple(found.get("NetworksDeleted") or ()))
