"""A build context as a tar stream for the API: packed in a thread into a pipe, so that memory stays small."""

from __future__ import annotations

import asyncio
import io
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

from composer.engine.errors import InvalidArgument
from composer.engine.model import BuildConfig

_CHUNK = 256 << 10
_OWN_NAME = ".composer.Dockerfile"  # in the tar: a Dockerfile that is not a file of the context


def packed(config: BuildConfig) -> tuple[AsyncIterator[bytes], str]:
    """The tar, and the name of the Dockerfile in it. InvalidArgument when a path is not there."""
    context = Path(config.context)
    if not context.is_dir():
        raise InvalidArgument(f"the build context is not a directory here: {config.context}")
    name, extra = config.dockerfile, b""
    if config.dockerfile_inline:
        name, extra = _OWN_NAME, config.dockerfile_inline.encode()
    elif not (context / config.dockerfile).resolve().is_relative_to(context.resolve()):
        try:
            name, extra = _OWN_NAME, Path(config.dockerfile).read_bytes()
        except OSError as error:
            raise InvalidArgument(f"failed to read dockerfile: open {config.dockerfile}: {error.strerror}") from error
    elif os.path.isabs(config.dockerfile):
        name = os.path.relpath(config.dockerfile, context)
    return _stream(context, extra), name


async def _stream(context: Path, extra: bytes) -> AsyncIterator[bytes]:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    work = asyncio.ensure_future(asyncio.to_thread(_pack, context, extra, writing))
    try:
        while data := await asyncio.to_thread(os.read, reading, _CHUNK):
            yield data
    finally:
        os.close(reading)
        await asyncio.wait([work])
    work.result()


def _pack(context: Path, extra: bytes, writing: int) -> None:
    try:
        with os.fdopen(writing, "wb") as sink, tarfile.open(fileobj=sink, mode="w|") as archive:
            archive.add(context, arcname=".")
            if extra:
                header = tarfile.TarInfo(_OWN_NAME)
                header.size = len(extra)
                archive.addfile(header, io.BytesIO(extra))
    except BrokenPipeError:
        return  # the reader has gone, and says why
    except OSError as error:
        raise InvalidArgument(f"cannot read the build context: {error}") from error
