"""Sending one blob up: asked for, mounted from another repository, in one piece, or in pieces that are resumed where they broke."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlencode, urljoin

from composer.engine.errors import EngineError, Unavailable
from composer.engine.local.image.registry import Body, Registry, RegistryProblem

_PIECE = 64 << 20  # above, a blob goes in pieces of this size
_CHUNK = 1 << 20
_ATTEMPTS = 4
Progress = Callable[[int, int], None]  # bytes sent, bytes in all


class Upload:
    """Blobs of one repository."""

    def __init__(self, registry: Registry, path: str) -> None:
        self._registry = registry
        self._path = path
        self._scope = f"repository:{path}:pull,push"

    async def has(self, digest: str) -> bool:
        url = self._registry.url(f"{self._path}/blobs/{digest}")
        response, _ = await self._registry.request("HEAD", url, scope=self._scope, accept=(200, 404))
        return response.status_code == 200

    async def mount(self, digest: str, source: str) -> bool:
        """Take the blob over from the repository ``source`` of the same registry; False when it has none, or does not do this."""
        scope = f"{self._scope} repository:{source}:pull"
        url = self._registry.url(f"{self._path}/blobs/uploads/?{urlencode({'mount': digest, 'from': source})}")
        try:
            response, _ = await self._registry.request("POST", url, scope=scope, accept=(201, 202))
        except RegistryProblem:
            return False
        if response.status_code == 202:  # it began an upload instead
            await self._give_up(response.headers.get("location", ""))
        return response.status_code == 201

    async def _give_up(self, location: str) -> None:
        if location:
            accept = (200, 202, 204, 404, 405)
            await self._registry.request("DELETE", self._absolute(location), scope=self._scope, accept=accept)

    async def send_file(self, digest: str, path: Path, progress: Progress | None = None) -> None:
        """Send the file unless the registry has the blob. A broken connection is taken up again."""
        if await self.has(digest):
            return
        size = path.stat().st_size
        told = progress or (lambda current, total: None)
        for attempt in range(_ATTEMPTS):
            try:
                location = await self._begin()
                if size > _PIECE:
                    location = await self._pieces(location, path, size, told)
                    await self._finish(location, digest, None, 0)
                else:
                    await self._finish(location, digest, _body(path, 0, size, lambda sent: told(sent, size)), size)
                return
            except Unavailable:
                if attempt + 1 == _ATTEMPTS:
                    raise
                await asyncio.sleep(0.2 * 4**attempt)

    async def _begin(self) -> str:
        url = self._registry.url(f"{self._path}/blobs/uploads/")
        response, _ = await self._registry.request("POST", url, scope=self._scope, headers={"Content-Length": "0"}, accept=(202,))
        return self._absolute(response.headers.get("location", ""))

    async def _pieces(self, location: str, path: Path, size: int, told: Progress) -> str:
        at = 0
        failed = 0
        while at < size:
            length = min(_PIECE, size - at)
            headers = {
                "Content-Range": f"{at}-{at + length - 1}",
                "Content-Length": str(length),
                "Content-Type": "application/octet-stream",
            }
            begin = at
            try:
                body = _body(path, at, length, lambda sent, begin=begin: told(begin + sent, size))  # type: ignore[misc]
                response, _ = await self._registry.request("PATCH", location, scope=self._scope, headers=headers, body=body, accept=(202,))
                location = self._absolute(response.headers.get("location", location))
                at += length
            except (Unavailable, RegistryProblem) as error:
                failed += 1
                if failed >= _ATTEMPTS or (isinstance(error, RegistryProblem) and error.answered not in (416, 500, 502, 503)):
                    raise
                location, at = await self._where(location)
        return location

    async def _where(self, location: str) -> tuple[str, int]:
        """How far an upload has come."""
        response, _ = await self._registry.request("GET", location, scope=self._scope, accept=(204,))
        first, _, last = response.headers.get("range", "").removeprefix("bytes=").partition("-")
        received = int(last) + 1 if first == "0" and last.isdigit() and last != "0" else 0
        return self._absolute(response.headers.get("location", location)), received

    async def _finish(self, location: str, digest: str, body: Body | None, length: int) -> None:
        url = f"{location}{'&' if '?' in location else '?'}{urlencode({'digest': digest})}"
        headers = {"Content-Length": str(length), "Content-Type": "application/octet-stream"}
        await self._registry.request("PUT", url, scope=self._scope, headers=headers, body=body, accept=(201, 204))

    def _absolute(self, location: str) -> str:
        if not location:
            raise EngineError(f"the registry {self._registry.host} began an upload without saying where")
        return urljoin(self._registry.url(""), location)


def _body(path: Path, start: int, length: int, told: Callable[[int], None]) -> Body:
    async def chunks() -> AsyncIterator[bytes]:
        sent = 0
        with open(path, "rb") as file:
            file.seek(start)
            while sent < length:
                chunk = await asyncio.to_thread(file.read, min(_CHUNK, length - sent))
                if not chunk:
                    raise EngineError(f"{path} became shorter while it was sent")
                yield chunk
                sent += len(chunk)
                told(sent)

    return chunks
