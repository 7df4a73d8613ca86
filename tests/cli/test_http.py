"""The HTTP client: answers in every framing, cut anywhere, and what goes wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from composer.cli.client import quote, target
from composer.cli.http import Connection, Reply, WireError


@contextmanager
def answered(raw: bytes, method: str = "GET", cut: int = 0) -> Iterator[tuple[Connection, Reply]]:
    """A connection whose other end has sent ``raw`` (in pieces of ``cut`` bytes) and hung up."""
    ours, theirs = socket.socketpair()
    ours.settimeout(5)

    def serve() -> None:
        theirs.recv(65536)
        for at in range(0, len(raw), cut or max(len(raw), 1)):
            theirs.sendall(raw[at : at + (cut or len(raw))])
        theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    connection = Connection(ours)
    try:
        yield connection, connection.send(method, "/x")
    finally:
        thread.join()
        ours.close()


def read(raw: bytes, how: Callable[[Reply], object], method: str = "GET", cut: int = 0) -> object:
    with answered(raw, method, cut) as (_, reply):
        return how(reply)


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5;x=y\r\nworld\r\n0\r\n\r\n"
CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello world"


@pytest.mark.parametrize("raw", [LENGTH, CHUNKED, CLOSED])
@pytest.mark.parametrize("cut", [0, 1, 3, 7])
def test_every_framing_gives_the_same_body(raw: bytes, cut: int) -> None:
    assert read(raw, Reply.read, cut=cut) == b"hello world"


def test_lines_are_whole_however_the_chunks_fall() -> None:
    raw = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n6\r\n":1}\n{\r\n6\r\n"b":2}\r\n0\r\n\r\n'
    assert read(raw, lambda reply: list(reply.lines()), cut=2) == [b'{"a":1}', b'{"b":2}']


def test_a_quiet_stream_ticks() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    lines = Connection(ours).send("GET", "/x").lines(0.01)
    assert next(lines) is None
    theirs.sendall(b"one\n")
    assert next(line for line in lines if line) == b"one"
    theirs.close()
    ours.close()


def test_the_connection_is_free_again_when_the_body_is_read() -> None:
    with answered(LENGTH) as (connection, reply):
        assert connection.busy
        assert reply.read() == b"hello world"
        assert not connection.busy


@pytest.mark.parametrize(("method", "status"), [("HEAD", b"200 OK"), ("GET", b"204 No Content"), ("GET", b"304 Not Modified")])
def test_answers_without_a_body(method: str, status: bytes) -> None:
    raw = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n"
    assert read(raw, Reply.read, method) == b""


def test_100_continue_is_passed_over() -> None:
    assert read(b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH, Reply.read) == b"hello world"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    ],
)
def test_broken_answers_are_told(raw: bytes) -> None:
    with pytest.raises(WireError):
        read(raw, Reply.read)


def test_an_upload_goes_chunked() -> None:
    ours, theirs = socket.socketpair()
    seen = bytearray()

    def serve() -> None:
        while not seen.endswith(b"0\r\n\r\n"):
            seen.extend(theirs.recv(65536))
        theirs.sendall(LENGTH)

    thread = threading.Thread(target=serve)
    thread.start()
    assert Connection(ours).send("PUT", "/x", iter([b"abc", b"", b"de"])).read() == b"hello world"
    thread.join()
    assert seen.endswith(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    ours.close()
    theirs.close()


def test_targets() -> None:
    assert (
        target("/a", {"all": True, "none": None, "filters": {"label": ["a=b c"]}})
        == "/a?all=1&filters=%7B%22label%22:%20%5B%22a%3Db%20c%22%5D%7D"
    )
    assert target("/a", {"t": ["x", "y"]}) == "/a?t=x&t=y"
    assert quote("ä/ü?") == "%C3%A4/%C3%BC%3F"
