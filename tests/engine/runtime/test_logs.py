"""Logs: the format, tail, since and until, following, and rotation without a lost line."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.engine.errors import InvalidArgument
from composer.engine.local.runtime.logformat import Parser, seconds, utc
from composer.engine.local.runtime.logs import LogFile, limits
from composer.engine.model import LogFrame, LogOptions
from composer.engine.model.stream import STDERR, STDOUT

from .conftest import Box, eventually

T = "2026-11-24T14:37:17.846016628+00:00"


def written(path: Path, records: Iterable[str]) -> Path:
    path.write_text("".join(f"{T} {record}\n" for record in records))
    return path


def read(log: LogFile, **options: object) -> list[LogFrame]:
    async def main() -> list[LogFrame]:
        return [frame async for frame in log.read(LogOptions(**options))]  # type: ignore[arg-type]

    return asyncio.run(main())


def texts(frames: Iterable[LogFrame]) -> list[bytes]:
    return [frame.data for frame in frames]


def test_lines_of_both_streams_with_their_times(tmp_path):
    log = LogFile(written(tmp_path / "log", ["stdout F a", "stderr F  b ", "stdout F "]))
    assert read(log) == [
        LogFrame(STDOUT, b"a\n", "2026-11-24T14:37:17.846016628Z"),
        LogFrame(STDERR, b" b \n", "2026-11-24T14:37:17.846016628Z"),
        LogFrame(STDOUT, b"\n", "2026-11-24T14:37:17.846016628Z"),
    ]
    assert texts(read(log, stderr=False)) == [b"a\n", b"\n"]
    assert read(LogFile(tmp_path / "none")) == []


def test_pieces_of_a_line_are_joined_per_stream_and_a_last_one_comes_without_newline(tmp_path):
    log = LogFile(written(tmp_path / "log", ["stdout P ab", "stderr P x", "stdout F cd", "stderr F y", "stdout P prompt> "]))
    assert [(frame.stream, frame.data) for frame in read(log)] == [(STDOUT, b"abcd\n"), (STDERR, b"xy\n"), (STDOUT, b"prompt> ")]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 100])
def test_tail_counts_lines_over_all_files(tmp_path, count):
    written(tmp_path / "log.2", ["stdout F 1", "stdout F 2", "stdout P 3"])
    written(tmp_path / "log.1", ["stdout F ...", "stderr F 4"])
    written(tmp_path / "log", ["stdout F 5", "stdout P 6", "stdout P .", "stdout F .", "stdout P 7"])
    want = [b"1\n", b"2\n", b"3...\n", b"4\n", b"5\n", b"6..\n", b"7"]
    assert texts(read(LogFile(tmp_path / "log"), tail=count)) == want[max(0, len(want) - count) :]


def test_tail_of_a_long_file(tmp_path):
    written(tmp_path / "log", [f"stdout F {i} {'x' * (i % 300)}" for i in range(5000)])
    for count in (1, 399, 4999, 5000):
        assert [int(text.split()[0]) for text in texts(read(LogFile(tmp_path / "log"), tail=count))] == list(range(5000 - count, 5000))


def test_since_and_until(tmp_path):
    lines = [f"2026-11-24T14:37:{i:02d}.500000000+00:00 stdout F {i}\n" for i in range(20)]
    (tmp_path / "log").write_text("".join(lines))
    log = LogFile(tmp_path / "log")
    at = seconds("2026-11-24T14:37:05.500000000Z")
    assert texts(read(log, since=at))[0] == b"5\n"
    assert texts(read(log, since=at + 0.1))[0] == b"6\n"
    assert texts(read(log, until=at)) == [b"%d\n" % i for i in range(6)]


def test_local_time_is_told_in_utc():
    assert utc(b"2026-11-24T14:37:17.846016628+05:30") == "2026-11-24T09:07:17.846016628Z"


@given(st.lists(st.binary(max_size=60)), st.lists(st.integers(1, 40), min_size=1))
def test_the_parser_takes_any_bytes_in_any_pieces(lines, cuts):
    data = b"".join(f"{T} stdout F ".encode() + line.replace(b"\n", b"") + b"\n" for line in lines)
    parser, got, rest, number = Parser(), [], data, 0
    while rest:
        cut = cuts[number % len(cuts)]
        got += list(parser.feed(rest[:cut]))
        rest, number = rest[cut:], number + 1
    assert [frame.data for frame in got] == [line.replace(b"\n", b"") + b"\n" for line in lines]


@given(st.binary())
def test_the_parser_survives_rubbish(data):
    parser = Parser()
    list(parser.feed(data))
    list(parser.finish())


def test_drivers_and_their_options():
    assert limits("json-file", {"max-size": "20k", "max-file": "2"}) == (20_000, 2)
    assert limits("", {}) == (20_000_000, 5)
    assert limits("local", {"max-size": "1.5mb"}) == (1_500_000, 5)
    assert limits("none", {}) is None
    with pytest.raises(InvalidArgument, match="no log driver named 'syslogg' is registered"):
        limits("syslogg", {})
    for wrong in ({"max-size": "much"}, {"max-file": "0"}, {"max-file": "x"}):
        with pytest.raises(InvalidArgument):
            limits("json-file", wrong)


class Writer:
    """What conmon does: appends, and on reopen begins a new file that it renames into place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a")

    def write(self, number: int) -> None:
        self._file.write(f"{T} stdout F {number}\n")
        self._file.flush()

    def reopen(self) -> None:
        self._file.close()
        temporary = self.path.with_name(f"{self.path.name}.tmp")
        self._file = temporary.open("w")
        temporary.rename(self.path)

    def close(self) -> None:
        self._file.close()


def test_rotation_keeps_the_newest_without_a_gap(tmp_path):
    log = LogFile(tmp_path / "log", max_size=1000, max_file=3)
    writer = Writer(log.path)
    for number in range(500):
        writer.write(number)
        if log.is_due():
            log.rotate(writer.reopen)
    writer.close()
    got = [int(text) for text in texts(read(log))]
    assert got == list(range(got[0], 500))
    assert 2000 < sum(path.stat().st_size for path in tmp_path.glob("log*")) < 3200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]


def test_a_writer_that_outran_the_rotation_is_cut_at_the_front(tmp_path):
    log = LogFile(tmp_path / "log", max_size=20_000, max_file=2)
    writer = Writer(log.path)
    for number in range(3000):
        writer.write(number)
    log.rotate(writer.reopen)
    for number in range(3000, 6000):
        writer.write(number)
    writer.close()
    log.trim()
    got = [int(text) for text in texts(read(log))]
    assert got == list(range(got[0], 6000))
    assert 35_000 < len(got) * 50 <= 40_100
    assert texts(read(log, tail=2)) == [b"5998\n", b"5999\n"]
    assert sum(path.stat().st_blocks * 512 for path in tmp_path.iterdir()) <= 48 * 1024


def test_one_file_only(tmp_path):
    log = LogFile(tmp_path / "log", max_size=1000, max_file=1)
    writer = Writer(log.path)
    for number in range(100):
        writer.write(number)
        if log.is_due():
            log.rotate(writer.reopen)
    writer.close()
    got = [int(text) for text in texts(read(log))]
    assert got == list(range(got[0], 100))
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    log.remove()
    assert list(tmp_path.iterdir()) == []


def test_following_over_many_rotations_loses_nothing(tmp_path):
    async def main() -> list[int]:
        log = LogFile(tmp_path / "log", max_size=3000, max_file=20)
        writer = Writer(log.path)
        ended = asyncio.Event()
        got: list[int] = []

        async def follow() -> None:
            async for frame in log.read(LogOptions(follow=True), ended=ended):
                got.append(int(frame.data))

        task = asyncio.create_task(follow())
        for number in range(1000):
            writer.write(number)
            if log.is_due():
                log.rotate(writer.reopen)
            if number % 50 == 0:
                await asyncio.sleep(0.001)
        writer.close()
        ended.set()
        await asyncio.wait_for(task, 10)
        return got

    assert asyncio.run(main()) == list(range(1000))


def test_following_a_log_that_is_not_there_yet_and_until_a_moment(tmp_path):
    async def main() -> list[bytes]:
        log = LogFile(tmp_path / "log")
        ended = asyncio.Event()

        async def late() -> None:
            writer = Writer(log.path)
            writer.write(1)
            await asyncio.sleep(0.05)
            writer.write(2)
            writer.close()
            ended.set()

        task = asyncio.create_task(late())
        got = [frame.data async for frame in log.read(LogOptions(follow=True), ended=ended)]
        await task
        began = time.monotonic()
        assert [frame async for frame in log.read(LogOptions(follow=True, tail=0, until=time.time() + 0.2))] == []
        assert time.monotonic() - began < 5
        return got

    assert asyncio.run(main()) == [b"1\n", b"2\n"]


def test_follow_leaves_no_descriptor_behind(tmp_path):
    async def main() -> None:
        written(tmp_path / "log", ["stdout F 1"])
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            stream = LogFile(tmp_path / "log").read(LogOptions(follow=True))
            assert (await anext(stream)).data == b"1\n"
            await stream.aclose()
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(main())


@pytest.mark.root
def test_conmon_opens_anew_and_no_line_is_lost(box):
    async def test(it: Box) -> None:
        bundle = it.bundle(log_limits=(100_000, 3))
        log = LogFile(bundle.log, 100_000, 3)
        handle = await it.runtime.create(
            bundle,
            it.config(
                bundle, ("sh", "-c", "i=0; while test $i -lt 6000; do i=$((i+1)); echo $i; test $((i%100)) != 0 || sleep 0.06; done")
            ),
        )
        await it.runtime.start(bundle, handle)
        ended = asyncio.Event()
        got: list[int] = []

        async def follow() -> None:
            async for frame in log.read(LogOptions(follow=True), ended=ended):
                got.append(int(frame.data))

        task = asyncio.create_task(follow())
        assert (await it.runtime.wait(bundle, handle)).code == 0
        ended.set()
        await task
        assert got == list(range(1, 6001))
        kept = [int(frame.data) async for frame in log.read(LogOptions())]
        assert kept == list(range(kept[0], 6001))
        assert log.rotated(1).exists()

    box(test)


@pytest.mark.root
def test_the_corpus_case_of_a_fast_writer(box):
    """logs__rotation: 3000 lines in a blink, max-size 20k, max-file 2."""

    async def test(it: Box) -> None:
        bundle = it.bundle(log_limits=(20_000, 2))
        text = 'i=0; while test $i -lt 3000; do i=$((i+1)); echo "line $i of a rotated log"; done'
        handle = await it.runtime.create(bundle, it.config(bundle, ("sh", "-c", text)))
        await it.runtime.start(bundle, handle)
        await it.runtime.wait(bundle, handle)
        kept = [int(frame.data.split()[1]) async for frame in LogFile(bundle.log, 20_000, 2).read(LogOptions())]
        assert kept == list(range(kept[0], 3001))
        assert len(kept) < 2000

    box(test)


@pytest.mark.root
def test_no_log_is_kept_when_none_is_wanted(box):
    async def test(it: Box) -> None:
        bundle = it.bundle(log=None)
        handle = await it.runtime.create(bundle, it.config(bundle, ("echo", "x")))
        await it.runtime.start(bundle, handle)
        await it.runtime.wait(bundle, handle)
        await eventually(lambda: list(it.layout.container(bundle.id).iterdir()) == [])

    box(test)
