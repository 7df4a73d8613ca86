"""ADD from a URL: the file, bounded, its checksum verified."""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
from email.utils import parsedate_to_datetime
from os import utime
from pathlib import Path
from urllib.parse import urlsplit

from composer.engine.local.build.problem import BuildProblem

LIMIT = 10 << 30
TIMEOUT = 60.0


async def fetch(url: str, folder: Path, checksum: str = "") -> Path:
    """The path of the file in ``folder``. ``checksum``: "sha256:<hex>" or "". Raises BuildProblem."""
    import httpx  # costs 100 ms, and few builds need it

    target = folder / (posixpath.basename(urlsplit(url).path.rstrip("/")) or "download")
    digest, size = hashlib.sha256(), 0
    try:
        async with httpx.AsyncClient(follow_redirects=True, timeout=TIMEOUT) as client, client.stream("GET", url) as answer:
            answer.raise_for_status()
            with target.open("wb") as file:
                async for block in answer.aiter_bytes(1 << 20):
                    size += len(block)
                    if size > LIMIT:
                        raise BuildProblem(f"{url} is larger than {LIMIT >> 30} GiB")
                    digest.update(block)
                    await asyncio.to_thread(file.write, block)
            modified = answer.headers.get("last-modified")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise BuildProblem(f"failed to fetch {url}: {error}") from error
    if checksum and checksum != f"sha256:{digest.hexdigest()}":
        raise BuildProblem(f"digest mismatch of {url}: got sha256:{digest.hexdigest()}, {checksum} is wanted")
    _set_time(target, modified)
    return target


def _set_time(path: Path, modified: str | None) -> None:
    try:
        moment = parsedate_to_datetime(modified).timestamp() if modified else 0.0
    except ValueError:
        moment = 0.0
    utime(path, (moment, moment))
