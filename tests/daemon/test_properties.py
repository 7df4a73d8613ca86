"""Properties: what clients send never raises anything but InvalidArgument, and how their bytes are cut does not matter."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from composer.daemon.docker_api.containers import config_of
from composer.daemon.docker_api.flow import DetachKeys, parse_keys
from composer.daemon.docker_api.framing import multiplexed
from composer.daemon.query import Query, moment
from composer.daemon.request import Request
from composer.daemon.response import Answer, Response
from composer.daemon.router import Route
from composer.engine.docker.streams import Demultiplexer
from composer.engine.errors import InvalidArgument, Unavailable
from composer.engine.model import ContainerConfig, LogFrame, NetworkConfig, VolumeConfig
from tests.conftest import run
from tests.daemon.served import connected, serving

some = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        ["Image", "Cmd", "Env", "Labels", "HostConfig", "NetworkingConfig", "ExposedPorts", "Healthcheck", "Tty", "StopTimeout"]
    ),
    JSON,
    max_size=6,
)


@some
@given(st.text(max_size=40))
def test_times_and_filters_and_keys(text: str) -> None:
    with suppress(InvalidArgument):
        moment(text, 0.0)
    with suppress(InvalidArgument):
        Query(f"filters={quote(text)}").filters()
    with suppress(InvalidArgument):
        parse_keys(text)
    with suppress(InvalidArgument):
        Query(text).integer("n")


@some
@given(FIELDS)
def test_any_container_is_taken_or_refused(body: dict[str, object]) -> None:
    try:
        found = config_of(dict(body))
    except InvalidArgument:
        return
    assert ContainerConfig.from_wire(json.loads(json.dumps(found.to_wire()))) == found


@some
@given(JSON)
def test_any_body_is_taken_or_refused(body: object) -> None:
    for kind in (NetworkConfig, VolumeConfig):
        with suppress(InvalidArgument):
            kind.from_wire(body)


@some
@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=8), st.integers(1, 30))
def test_frames_survive_any_cut(parts: list[tuple[int, bytes]], step: int) -> None:
    frames = [LogFrame(stream, data) for stream, data in parts]
    data = b"".join(multiplexed(frame) for frame in frames)
    reader = Demultiplexer()
    assert [frame for at in range(0, len(data), step) for frame in reader.feed(data[at : at + step])] == frames


@some
@given(st.binary(max_size=60))
def test_no_frames_in_noise(data: bytes) -> None:
    with suppress(Unavailable):
        Demultiplexer().feed(data)


@some
@given(st.lists(st.binary(min_size=1, max_size=6), max_size=8))
def test_keys_hold_nothing_back_for_good(parts: list[bytes]) -> None:
    keys, typed = DetachKeys(b"\x10\x11"), b"".join(parts)
    passed = b""
    for part in parts:
        data, detached = keys.pass_on(part)
        passed += data
        if detached:
            assert typed.startswith(passed + b"\x10\x11")
            return
    assert b"\x10\x11" not in typed
    assert typed in (passed, passed + b"\x10")


async def echo(request: Request) -> Answer:
    return Response(200, request.query.text("n").encode() + await request.body.read())


@some
@given(st.lists(st.binary(max_size=30), min_size=1, max_size=4), st.integers(1, 40), st.booleans())
def test_requests_survive_any_cut(bodies: list[bytes], step: int, chunked: bool) -> None:
    async def main() -> None:
        async with serving([Route("POST", "/echo", echo)]) as path, connected(path) as client:
            data = b"".join(_request(number, body, chunked) for number, body in enumerate(bodies))
            for at in range(0, len(data), step):
                await client.send(data[at : at + step])
                await asyncio.sleep(0)
            for number, body in enumerate(bodies):
                assert await client.response() == (200, str(number).encode() + body)

    run(main())


def _request(number: int, body: bytes, chunked: bool) -> bytes:
    head = f"POST /echo?n={number} HTTP/1.1\r\nHost: x\r\n".encode()
    if chunked:
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


@some
@given(st.binary(max_size=300))
def test_noise_is_answered_or_refused(noise: bytes) -> None:
    async def main() -> None:
        async with serving([Route("POST", "/echo", echo)]) as path:
            async with connected(path) as client:
                with suppress(ConnectionError):
                    await client.send(noise)
                    client.writer.write_eof()
                    await client.reader.read()
            async with connected(path) as client:
                await client.send(_request(1, b"still here", False))
                assert await client.response() == (200, b"1still here")

    run(main())
