"""/_ping, /version, /info, /system/df, /auth: the engine itself."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable

from composer.daemon.docker_api.summary import summary
from composer.daemon.request import Request
from composer.daemon.response import Answer, Response, json_response
from composer.daemon.router import NEWEST, OLDEST, Route
from composer.engine.errors import Unsupported
from composer.engine.interface import Engine
from composer.engine.model import Container, Volume, VolumeUsage

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}  # uname's word -> Go's
API = f"{NEWEST[0]}.{NEWEST[1]}"
HEADERS = {"Api-Version": API, "Docker-Experimental": "false", "Ostype": "linux"}  # with every response, as dockerd


@runtime_checkable
class Sized(Protocol):
    """Volumes that can say how large one is (in bytes)."""

    async def size(self, name: str) -> int: ...


class SystemRoutes:
    """``version``: composer's own."""

    def __init__(self, engine: Engine, clock: Callable[[], float], version: str) -> None:
        self._engine = engine
        self._clock = clock
        self._version = version

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/_ping", self.ping),
            Route("GET", "/version", self.version),
            Route("GET", "/info", self.info),
            Route("GET", "/system/df", self.disk_usage),
            Route("POST", "/auth", self.auth),
        ]

    async def ping(self, request: Request) -> Answer:
        headers = {
            "Builder-Version": "1",
            "Swarm": "inactive",
            "Cache-Control": "no-cache, no-store, must-revalidate",
            "Pragma": "no-cache",
        }
        return Response(200, b"OK", "text/plain; charset=utf-8", headers)

    async def version(self, request: Request) -> Answer:
        uname = os.uname()
        oldest = f"{OLDEST[0]}.{OLDEST[1]}"
        details = {
            "ApiVersion": API,
            "MinAPIVersion": oldest,
            "GitCommit": "",
            "GoVersion": "",
            "Os": "linux",
            "Arch": _ARCHITECTURES.get(uname.machine, uname.machine),
            "KernelVersion": uname.release,
            "BuildTime": "",
        }
        python = f"Python {platform.python_version()}"
        engine = {"Name": "Engine", "Version": self._version, "Details": {**details, "Experimental": "false", "Runtime": python}}
        return json_response({"Platform": {"Name": "composer"}, "Components": [engine], "Version": self._version, **details})

    async def info(self, request: Request) -> Answer:
        found = (await self._engine.info()).to_wire()
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat().replace("+00:00", "Z")
        beside: dict[str, Any] = {
            "Swarm": {"NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": False, "Error": ""},
            "Plugins": {"Volume": ["local"], "Network": ["bridge", "host", "none"], "Authorization": None, "Log": ["json-file", "none"]},
            "SystemTime": now,
            "Debug": False,
            "InitBinary": "",
            "Isolation": "",
        }
        return json_response(beside | found)

    async def disk_usage(self, request: Request) -> Answer:
        """Docker's lists, and beside them the engine's own sums (``ComposerDiskUsage``)."""
        engine, now = self._engine, self._clock()
        containers = [await engine.containers.inspect(one.id, size=True) for one in await engine.containers.list(all=True)]
        users: dict[str, int] = {}
        for one in containers:
            users[one.image] = users.get(one.image, 0) + 1
        images = [one.replace(containers=users.get(one.id, 0)).to_wire() for one in await engine.images.list()]
        sums = await engine.disk_usage()
        return json_response(
            {
                "LayersSize": sum(one.size for one in sums if one.kind == "Images"),
                "Images": images,
                "Containers": [summary(one, now) for one in containers],
                "Volumes": [one.to_wire() for one in await self._volumes(containers)],
                "BuildCache": [],
                "ComposerDiskUsage": [one.to_wire() for one in sums],
            }
        )

    async def _volumes(self, containers: Sequence[Container]) -> list[Volume]:
        users = Counter(mount.name for one in containers for mount in one.mounts if mount.type == "volume")
        volumes = self._engine.volumes
        found = []
        for one in await volumes.list():
            size = await volumes.size(one.name) if isinstance(volumes, Sized) else -1
            found.append(one.replace(usage_data=VolumeUsage(size=size, ref_count=users[one.name])))
        return found

    async def auth(self, request: Request) -> Answer:
        raise Unsupported("checking a registry's credentials is not supported", hint="they are checked by the next pull or push")
