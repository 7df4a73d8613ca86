"""Downloading one blob: streamed to disk and hashed on the way, resumed where the connection broke, verified at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from composer.engine.errors import EngineError, Unavailable
from composer.engine.local.archive import finish
from composer.engine.local.image.blobs import Blobs, Incoming
from composer.engine.local.image.manifest import Descriptor
from composer.engine.local.image.registry import Registry

_ATTEMPTS = 5  # in a row without a single byte
_CHUNK = 1 << 20


async def download(registry: Registry, url: str, scope: str, wanted: Descriptor, blobs: Blobs, progress: Callable[[int], None]) -> None:
    """Bring ``wanted`` into the store. Unavailable when the connection breaks for good, EngineError when the content is another."""
    with blobs.incoming() as blob:
        idle = 0
        while blob.size < wanted.size or idle == 0:
            start = blob.size
            try:
                await _stream(registry, url, scope, wanted, blob, progress)
            except Unavailable:
                idle = idle + 1 if blob.size <= start else 1
                if idle >= _ATTEMPTS:
                    raise
                await asyncio.sleep(0.1 * 2**idle)
                continue
            if blob.size < wanted.size:
                idle = idle + 1 if blob.size <= start else 1
                if idle >= _ATTEMPTS:
                    raise Unavailable(f'Get "{url}": unexpected EOF after {blob.size} of {wanted.size} bytes')
                continue
            break
        if blob.digest != wanted.digest:
            raise EngineError(f"filesystem layer verification failed for digest {wanted.digest}: the content has {blob.digest}")
        await asyncio.to_thread(blob.keep, wanted.digest)


async def _stream(registry: Registry, url: str, scope: str, wanted: Descriptor, blob: Incoming, progress: Callable[[int], None]) -> None:
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={blob.size}-"} if blob.size else {})
    async with registry.stream("GET", url, scope=scope, headers=headers, accept=(200, 206)) as response:
        if blob.size and not _continues(response.status_code, response.headers.get("content-range", ""), blob.size):
            blob.restart()
        pending = bytearray()
        try:
            async for chunk in response.aiter_raw():
                if blob.size + len(pending) + len(chunk) > wanted.size:
                    raise EngineError(
                        f"filesystem layer verification failed for digest {wanted.digest}: more than {wanted.size} bytes came"
                    )
                pending += chunk
                if len(pending) >= _CHUNK:
                    data, pending = bytes(pending), bytearray()
                    await finish(lambda data=data: blob.write(data))  # type: ignore[misc]
                    progress(blob.size)
        finally:
            if pending:  # what came before the connection broke need not come again
                blob.write(bytes(pending))


def _continues(status: int, content_range: str, size: int) -> bool:
    return status == 206 and content_range.startswith(f"bytes {size}-")
