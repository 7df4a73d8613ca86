"""/build: the context comes as a tar in the body and is unpacked into a directory beneath the spool, which is removed after."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import BinaryIO

from composer.daemon.docker_api.progress import told
from composer.daemon.query import Query
from composer.daemon.request import Request
from composer.daemon.response import Answer, json_response
from composer.daemon.router import Route
from composer.engine.errors import InvalidArgument, Unsupported
from composer.engine.interface import Engine
from composer.engine.model import BuildConfig, Progress

_REFUSED = {
    "remote": "a remote build context",
    "squash": "squashing a build",
    "isolation": "isolation",
    "cpusetcpus": "a cpuset for builds",
    "outputs": "build outputs other than an image",
}


class BuildRoutes:
    def __init__(self, engine: Engine, spool: Path) -> None:
        self._images = engine.images
        self._spool = spool

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/build", self.build),
            Route("POST", "/build/prune", self.prune),
            Route("POST", "/build/cancel", self.cancel),
        ]

    async def build(self, request: Request) -> Answer:
        query = request.query
        if query.text("version") == "2":
            raise Unsupported("a BuildKit build is not supported over this API", hint="set DOCKER_BUILDKIT=0, or use composer build")
        for name, what in _REFUSED.items():
            if query.text(name) not in ("", "0", "false", "[]", "null"):
                raise Unsupported(f"{what} is not supported ({name}={query.text(name)})")
        return await told(self._built(request), quiet=query.flag("q"))

    async def _built(self, request: Request) -> AsyncIterator[Progress]:
        from composer.engine.local import archive
        from composer.engine.local.files import remove_tree

        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory = Path(tempfile.mkdtemp(prefix="context-", dir=self._spool))
        try:
            options = archive.ExtractOptions(keep_owner=False, devices=False)

            def unpack(source: BinaryIO) -> None:
                root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    archive.extract(source, root, options=options)
                finally:
                    os.close(root)

            await archive.feed(aiter(request.body), unpack)
            async for one in self._images.build(config_of(request.query, str(directory))):
                yield one
        finally:
            await asyncio.to_thread(remove_tree, directory)

    async def prune(self, request: Request) -> Answer:
        """All of the cache, with or without ``all``; the layers that images need stay. Filters are refused."""
        if request.query.filters() or request.query.text("keep-storage"):
            raise Unsupported("pruning a part of the build cache is not supported", hint="prune all of it: without filters")
        report = await self._images.prune_builds()
        return json_response({"CachesDeleted": list(report.deleted), "SpaceReclaimed": report.space_reclaimed})

    async def cancel(self, request: Request) -> Answer:
        raise Unsupported("cancelling a build by id is not supported", hint="close the build's connection")


def config_of(query: Query, context: str) -> BuildConfig:
    """The query of a build. InvalidArgument."""
    args = {key: None if value is None else str(value) for key, value in _object(query, "buildargs").items()}
    labels = {key: str(value) for key, value in _object(query, "labels").items()}
    dockerfile = query.text("dockerfile") or "Dockerfile"
    return BuildConfig(
        context=context,
        dockerfile=dockerfile,
        tags=tuple(tag for tag in query.all("t") if tag),
        args=args,
        target=query.text("target"),
        labels=labels,
        no_cache=query.flag("nocache"),
        pull=query.flag("pull"),
        network="" if query.text("networkmode") == "default" else query.text("networkmode"),
        shm_size=query.integer("shmsize", 0) or 0,
        extra_hosts=_hosts(query),
        ulimits=_ulimits(query),
        platform=query.text("platform"),
        cache_from=tuple(str(one) for one in _list(query, "cachefrom")),
    )


def _object(query: Query, name: str) -> Mapping[str, object]:
    found = query.json(name) or {}
    if not isinstance(found, Mapping):
        raise InvalidArgument(f"invalid value for {name}: it must be a JSON object")
    return found


def _list(query: Query, name: str) -> list[object]:
    found = query.json(name) or []
    if not isinstance(found, list):
        raise InvalidArgument(f"invalid value for {name}: it must be a JSON list")
    return found


def _hosts(query: Query) -> tuple[str, ...]:
    """ "a:1.2.3.4,b:5.6.7.8", or the parameter several times (docker-py: a JSON object)."""
    text = query.text("extrahosts")
    if text.startswith("{"):
        return tuple(f"{name}:{address}" for name, address in _object(query, "extrahosts").items())
    return tuple(host for value in query.all("extrahosts") for host in value.split(",") if host)


def _ulimits(query: Query) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for one in _list(query, "ulimits"):
        if not isinstance(one, Mapping) or not {"Name", "Soft", "Hard"} <= set(one):
            raise InvalidArgument("invalid value for ulimits: each needs Name, Soft and Hard")
        found[str(one["Name"])] = (int(one["Soft"]), int(one["Hard"]))
    return found
