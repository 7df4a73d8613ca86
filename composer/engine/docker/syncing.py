"""`sync` and `signatures` by what dockerd has: `PUT archive`, and `rm` run in the container, as docker compose does it.

So it is less than what the embedded engine does: a file is not replaced atomically, links beneath a target are followed, and removing
needs `rm` in the image.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import AsyncIterator, Mapping, Sequence

from composer.engine import signature
from composer.engine.errors import EngineError, InvalidArgument, NotFound, NotRunning
from composer.engine.interface import Containers, Trees
from composer.engine.model import ExecConfig, Synced

_LIMIT = 1 << 30  # bytes of one sync, which is kept in memory to be sent to each container
_AT_ONCE = 500  # paths of one rm


async def sync(containers: Containers, refs: Sequence[str], trees: Trees, tar: AsyncIterator[bytes]) -> Sequence[Synced]:
    """See `interface.Containers.sync`."""
    data = bytearray()
    async for piece in tar:
        data += piece
        if len(data) > _LIMIT:
            raise InvalidArgument(f"a sync of more than {_LIMIT} bytes is not supported by this engine")
    written = _members(bytes(data), trees)
    return [await _one(containers, ref, trees, bytes(data), written) for ref in refs]


def _members(data: bytes, trees: Trees) -> int:
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            names = ["/" + name for name in archive.getnames()]
    except tarfile.ReadError:
        names = []
    for name in names:
        if not any(name == target or name.startswith(target.rstrip("/") + "/") for target in trees):
            raise InvalidArgument(f"{name!r} is beneath no target of the sync")
    return len(names)


async def _one(containers: Containers, ref: str, trees: Trees, data: bytes, written: int) -> Synced:
    async def pieces() -> AsyncIterator[bytes]:
        yield data

    paths = [posixpath.join(target, path) for target, gone in trees.items() for path in gone]
    try:
        found = await containers.inspect(ref)
        if not found.state.running:
            raise NotRunning(f"container {found.id} is not running")
        if written:
            await containers.put_archive(found.id, "/", pieces(), copy_uid_gid=True)
        there = await _there(containers, found.id, paths)
        for first in range(0, len(there), _AT_ONCE):
            await _remove(containers, found.id, there[first : first + _AT_ONCE])
    except EngineError as error:
        return Synced(container=ref, problem=error.message)
    return Synced(container=found.id, written=written, removed=len(there))


async def _there(containers: Containers, ref: str, paths: Sequence[str]) -> list[str]:
    found = []
    for path in paths:
        try:
            await containers.stat_path(ref, path)
        except NotFound:
            continue
        found.append(path)
    return found


async def _remove(containers: Containers, ref: str, paths: Sequence[str]) -> None:
    config = ExecConfig(cmd=("rm", "-rf", "--", *paths), user="0", attach_stderr=True)
    made = await containers.exec_create(ref, config)
    stream = await containers.exec_start(made)
    said = b""
    if stream is not None:
        async for frame in stream:
            said += frame.data
        await stream.close()
    code = (await containers.exec_inspect(made)).exit_code
    if code:
        raise EngineError(f"rm in the container: {said.decode(errors='replace').strip() or f'exit code {code}'}")


async def signatures(containers: Containers, ref: str, trees: Trees) -> Mapping[str, Mapping[str, str]]:
    """See `interface.Containers.signatures`."""
    if not (await containers.inspect(ref)).state.running:
        raise NotRunning(f"container {ref} is not running")
    return {target: await _signatures(containers, ref, target, frozenset(paths)) for target, paths in trees.items()}


async def _signatures(containers: Containers, ref: str, target: str, paths: frozenset[str]) -> dict[str, str]:
    try:
        data = b"".join([piece async for piece in containers.get_archive(ref, target)])
    except NotFound:
        return {}
    found: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            path = member.name.partition("/")[2].strip("/")
            if path in paths:
                content = archive.extractfile(member) if member.isreg() else None
                found[path] = _signature(member, content.read() if content else b"")
    return found


def _signature(member: tarfile.TarInfo, content: bytes) -> str:
    if member.issym():
        return signature.of_link(member.linkname)
    if member.isdir():
        return signature.of_directory(member.mode)
    if member.isreg() or member.islnk():
        return signature.of_file(member.mode, signature.digest_bytes(content))
    return signature.of_other(member.mode)
