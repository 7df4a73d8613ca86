"""HTTP/1.1 as the server speaks it: bodies both ways, order, limits, raw streams, clients that go away."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from composer.daemon import connection
from composer.daemon.request import Request
from composer.daemon.response import Answer, Channel, Response, Upgrade, json_response
from composer.daemon.router import Route
from composer.daemon.server import Server
from composer.engine.errors import Conflict, NotFound
from tests.conftest import eventually, run
from tests.daemon.served import Lines, connected, serving

GET = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


async def hello(request: Request) -> Answer:
    return json_response({"path": request.path, "version": request.version})


async def echo(request: Request) -> Answer:
    return Response(200, await request.body.read())


async def count(request: Request) -> Answer:
    return Response(200, str(len(await request.body.read(1 << 30))).encode())


ROUTES = [Route("GET", "/hello", hello), Route("POST", "/echo", echo), Route("POST", "/count", count)]


def test_keep_alive_and_version_prefix() -> None:
    async def main() -> None:
        async with serving(ROUTES) as path, connected(path) as client:
            await client.send(GET)
            assert await client.response() == (200, b'{"path":"/hello","version":null}\n')
            await client.send(GET.replace(b"/hello", b"/v1.44/hello"))
            assert await client.response() == (200, b'{"path":"/hello","version":[1,44]}\n')
            await client.send(GET.replace(b"/hello", b"/v1.99/hello"))
            status, body = await client.response()
            assert status == 400
            assert b"client version 1.99 is too new. Maximum supported API version is 1.47" in body

    run(main())


def test_pipelined_requests_are_answered_in_order() -> None:
    async def main() -> None:
        async with serving(ROUTES) as path, connected(path) as client:
            post = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"
            await client.send(post + b"a" + post + b"b" + GET)
            await client.send(post + b"c")
            answers = [await client.response() for _ in range(4)]
            assert [body for _, body in answers] == [b"a", b"b", b'{"path":"/hello","version":null}\n', b"c"]

    run(main())


def test_chunked_body_and_expect_continue() -> None:
    async def main() -> None:
        async with serving(ROUTES) as path, connected(path) as client:
            await client.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
            assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await client.send(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
            assert await client.response() == (200, b"abcde")

    run(main())


def test_large_upload_is_counted_and_an_unread_one_passes() -> None:
    async def refuse(request: Request) -> Answer:
        raise NotFound("no such thing")

    async def main() -> None:
        async with serving([*ROUTES, Route("POST", "/refuse", refuse)]) as path, connected(path) as client:
            size = 8 << 20
            head = f"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
            await asyncio.gather(client.send(head + bytes(size)), asyncio.sleep(0))
            assert await client.response() == (200, str(size).encode())
            sending = asyncio.ensure_future(client.send(head.replace(b"/count", b"/refuse") + bytes(size)))
            assert (await client.response())[0] == 404
            await sending
            await client.send(GET)  # the connection is still in step
            assert (await client.response())[0] == 200

    run(main())


def test_slow_upload_reader_holds_the_client_back() -> None:
    """A body that nobody reads yet is not taken into memory."""
    release = asyncio.Event()
    seen: list[int] = []

    async def slow(request: Request) -> Answer:
        await release.wait()
        seen.append(len(await request.body.read(1 << 30)))
        return Response()

    async def main() -> None:
        async with serving([Route("POST", "/slow", slow)]) as path, connected(path) as client:
            size = 32 << 20
            head = f"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
            sending = asyncio.ensure_future(client.send(head + bytes(size)))
            await asyncio.wait([sending], timeout=0.3)
            assert not sending.done()
            release.set()
            assert (await client.response())[0] == 200
            await sending
            assert seen == [size]

    run(main())


def test_slow_client_holds_the_stream_back() -> None:
    made = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield bytes(64 << 10)

    async def stream(request: Request) -> Answer:
        return Response(200, endless())

    async def main() -> None:
        async with serving([Route("GET", "/stream", stream)]) as path, connected(path) as client:
            await client.send(GET.replace(b"/hello", b"/stream"))
            await client.head()
            await asyncio.sleep(0.2)
            first = made
            await asyncio.sleep(0.2)
            assert made == first < 200

    run(main())


def test_client_gone_cancels_what_streams_but_not_what_finishes() -> None:
    ended: list[str] = []
    begun = asyncio.Event()
    release = asyncio.Event()

    async def watching() -> AsyncIterator[bytes]:
        try:
            begun.set()
            await asyncio.Event().wait()
            yield b""
        finally:
            ended.append("stream")

    async def stream(request: Request) -> Answer:
        return Response(200, watching())

    async def finish(request: Request) -> Answer:
        begun.set()
        await release.wait()
        ended.append("finished")
        return Response()

    routes = [Route("GET", "/stream", stream), Route("POST", "/finish", finish, finishes=True)]

    async def main() -> None:
        async with serving(routes) as path:
            async with connected(path) as client:
                await client.send(GET.replace(b"/hello", b"/stream"))
                await begun.wait()
            await eventually(lambda: ended == ["stream"])
            begun.clear()
            async with connected(path) as client:
                await client.send(b"POST /finish HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                await begun.wait()
            release.set()
            await eventually(lambda: ended == ["stream", "finished"])

    run(main())


def test_head_and_not_allowed_and_unknown() -> None:
    async def main() -> None:
        async with serving(ROUTES) as path, connected(path) as client:
            await client.send(GET.replace(b"GET", b"HEAD"))
            status, headers = await client.head()
            assert (status, headers["content-length"]) == (200, "33")
            await client.send(GET.replace(b"GET", b"DELETE"))
            assert (await client.response())[0] == 405
            await client.send(GET.replace(b"/hello", b"/nosuch"))
            assert (await client.response())[0] == 404

    run(main())


def test_an_error_tells_no_traceback() -> None:
    async def broken(request: Request) -> Answer:
        raise ValueError("secret detail")

    async def conflict(request: Request) -> Answer:
        raise Conflict("in use", hint="stop it first")

    async def main() -> None:
        log = Lines()
        async with serving([Route("GET", "/broken", broken), Route("GET", "/conflict", conflict)], log) as path, connected(path) as client:
            await client.send(GET.replace(b"/hello", b"/broken"))
            status, body = await client.response()
            assert status == 500
            assert b"secret" not in body
            assert b"Traceback" not in body
            assert isinstance(log.errors[0][1]["exc_info"], ValueError)
            await client.send(GET.replace(b"/hello", b"/conflict"))
            assert await client.response() == (409, b'{"message":"in use","code":"engine.conflict","hint":"stop it first"}\n')

    run(main())


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00garbage\r\n\r\n", b"GET /hello HTTP/9.9\r\n\r\n", b"GET\r\n\r\n"])
def test_garbage_is_refused(garbage: bytes) -> None:
    async def main() -> None:
        async with serving(ROUTES) as path, connected(path) as client:
            await client.send(garbage)
            assert (await client.response())[0] == 400
            assert await client.reader.read() == b""

    run(main())


def test_endless_headers_are_refused() -> None:
    async def main() -> None:
        async with serving(ROUTES) as path, connected(path) as client:
            head = b"GET /hello HTTP/1.1\r\n" + b"".join(b"x%d: %b\r\n" % (i, bytes(1000).replace(b"\0", b"a")) for i in range(300))
            await client.send(head)
            assert (await client.response())[0] == 431

    run(main())


def test_late_headers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_TIMEOUT", 0.1)

    async def main() -> None:
        async with serving(ROUTES) as path, connected(path) as client:
            await client.send(b"GET /hello HTTP/1.1\r\nHost:")
            assert (await client.response())[0] == 408

    run(main())


async def reverse(channel: Channel) -> None:
    """Sends back what came, reversed, when the client ends its half; then more."""
    data = b""
    while piece := await channel.read():
        data += piece
    await channel.write(data[::-1])
    channel.write_eof()


async def hijack(request: Request) -> Answer:
    assert await request.json() == {"Tty": False}
    return Upgrade(reverse)


def test_upgrade_keeps_early_bytes_and_half_closes() -> None:
    async def main() -> None:
        async with serving([Route("POST", "/raw", hijack)]) as path, connected(path) as client:
            body = b'{"Tty": false}'
            head = f"POST /raw HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            await client.send(head)
            await asyncio.sleep(0.05)  # as docker-py: the body comes after the head
            await client.send(body + b"early ")
            status, headers = await client.head()
            assert (status, headers["upgrade"]) == (101, "tcp")
            await client.send(b"late")
            client.writer.write_eof()
            assert await client.reader.read() == b"etal ylrae"

    run(main())


def test_raw_stream_without_upgrade_header() -> None:
    async def main() -> None:
        async with serving([Route("POST", "/raw", hijack)]) as path, connected(path) as client:
            await client.send(b'POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{"Tty": false}')
            status, headers = await client.head()
            assert (status, headers["content-type"]) == (200, "application/vnd.docker.raw-stream")
            await client.send(b"abc")
            client.writer.write_eof()
            assert await client.reader.read() == b"cba"

    run(main())


def test_refused_upgrade_is_a_plain_answer() -> None:
    async def main() -> None:
        async with serving(ROUTES) as path, connected(path) as client:
            await client.send(b"POST /nosuch HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
            status, headers = await client.head()
            assert (status, headers["connection"]) == (404, "close")

    run(main())


def test_broken_off_stream_is_not_whole() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        raise Conflict("lost")

    async def stream(request: Request) -> Answer:
        return Response(200, pieces())

    async def main() -> None:
        log = Lines()
        async with serving([Route("GET", "/hello", stream)], log) as path, connected(path) as client:
            await client.send(GET)
            await client.head()
            assert (await client.reader.read()).endswith(b"first\r\n")  # no last chunk
            assert log.errors[0][0] == "an answer broke off"

    run(main())


def test_socket_mode_and_stale_and_living_sockets(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "s"
        first = Server(ROUTES, log=Lines())
        await first.listen(path)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        with pytest.raises(Conflict, match="another daemon listens"):
            await Server(ROUTES, log=Lines()).listen(path)
        await first.close()
        assert not path.exists()
        await first.listen(path)
        await first.close()

    run(main())


def test_close_lets_what_finishes_be_answered() -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def finish(request: Request) -> Answer:
        begun.set()
        await release.wait()
        return Response(200, b"done")

    async def main(path: Path) -> None:
        server = Server([Route("POST", "/finish", finish, finishes=True)], log=Lines())
        await server.listen(path)
        async with connected(path) as client:
            await client.send(b"POST /finish HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            await begun.wait()
            closing = asyncio.ensure_future(server.close())
            await asyncio.sleep(0.05)
            release.set()
            assert await client.response() == (200, b"done")
            await closing

    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        run(main(Path(directory) / "s"))
