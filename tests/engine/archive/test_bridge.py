"""Streams between the loop and threads: bytes arrive, errors are passed on, cancelling ends the thread, memory stays bounded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import BinaryIO

import pytest

from composer.engine.errors import InvalidArgument
from composer.engine.local.archive import drain, feed


async def numbers(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield b"%06d" % number


def test_feed_gives_the_result_and_the_error() -> None:
    def refuse(source: BinaryIO) -> None:
        source.read(6)
        raise InvalidArgument("no")

    async def run() -> None:
        assert await feed(numbers(1000), lambda source: len(source.read())) == 6000
        assert await feed(numbers(0), lambda source: source.read()) == b""
        with pytest.raises(InvalidArgument):
            await feed(numbers(10), refuse)

    asyncio.run(run())


def test_feed_passes_on_the_error_of_the_source() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionResetError

    async def run() -> None:
        with pytest.raises(ConnectionResetError):
            await feed(broken(), lambda source: source.read())

    asyncio.run(run())


def test_cancelling_a_feed_waits_for_the_thread() -> None:
    ended = threading.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    def work(source: BinaryIO) -> None:
        try:
            source.read()
        finally:
            ended.set()

    async def run() -> None:
        task = asyncio.ensure_future(feed(endless(), work))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(run())


def test_drain_yields_what_is_written_then_the_error() -> None:
    def work(sink: BinaryIO) -> None:
        sink.write(b"a" * (3 << 20))
        raise InvalidArgument("no")

    async def run() -> None:
        size = 0
        with pytest.raises(InvalidArgument):
            async for chunk in drain(work):
                size += len(chunk)
        assert size == 3 << 20

    asyncio.run(run())


def test_leaving_a_drain_ends_the_thread() -> None:
    ended = threading.Event()

    def work(sink: BinaryIO) -> None:
        try:
            while True:
                sink.write(bytes(1 << 20))
        finally:
            ended.set()

    async def run() -> None:
        stream = drain(work)
        async for _ in stream:
            break
        await stream.aclose()  # type: ignore[attr-defined]
        assert ended.is_set()

    asyncio.run(run())
