"""attach and exec: every byte, in order, on its stream; input; terminals; exit codes."""

from __future__ import annotations

import asyncio
import hashlib
import signal

import pytest

from composer.engine.errors import CommandNotExecutable, CommandNotFound, NotRunning
from composer.engine.local.runtime import capabilities
from composer.engine.model.stream import STDERR, STDOUT

from .conftest import Box, eventually

pytestmark = pytest.mark.root


async def gather(stream, number=None) -> bytes:
    return b"".join([frame.data async for frame in stream if number is None or frame.stream == number])


async def both(stream) -> dict[int, bytes]:
    found = {STDOUT: b"", STDERR: b""}
    async for frame in stream:
        found[frame.stream] += frame.data
    return found


def test_attach_before_start_misses_nothing(box):
    async def test(it: Box) -> None:
        bundle = it.bundle()
        handle = await it.runtime.create(bundle, it.config(bundle, ("sh", "-c", "echo first; echo oops >&2; seq 20000")))
        streams = [await it.runtime.attach(bundle, stdin=False) for _ in range(3)]
        reading = [asyncio.create_task(both(stream)) for stream in streams]
        await it.runtime.start(bundle, handle)
        want = b"first\n" + b"".join(b"%d\n" % i for i in range(1, 20001))
        for got in await asyncio.gather(*reading):
            assert got == {STDOUT: want, STDERR: b"oops\n"}
        for stream in streams:
            await stream.close()
        assert (await it.runtime.wait(bundle, handle)).code == 0
        with pytest.raises(NotRunning):
            await it.runtime.attach(bundle, stdin=False)

    box(test)


def test_attached_input_arrives_whole_and_ends(box):
    async def test(it: Box) -> None:
        bundle = it.bundle(open_stdin=True, stdin_once=True)
        handle = await it.runtime.create(bundle, it.config(bundle, ("md5sum",)))
        stream = await it.runtime.attach(bundle, stdin=True)
        reading = asyncio.create_task(gather(stream))
        await it.runtime.start(bundle, handle)
        data = bytes(range(256)) * 4096
        await stream.write(data)
        await stream.close_stdin()
        assert (await reading).split()[0].decode() == hashlib.md5(data).hexdigest()
        await stream.close()
        assert (await it.runtime.wait(bundle, handle)).code == 0

    box(test)


def test_input_that_stays_open_outlives_a_client(box):
    async def test(it: Box) -> None:
        bundle = it.bundle(open_stdin=True)
        handle = await it.runtime.create(bundle, it.config(bundle, ("cat",)))
        await it.runtime.start(bundle, handle)
        for text in (b"one\n", b"two\n"):
            stream = await it.runtime.attach(bundle, stdin=True)
            await stream.write(text)
            async for frame in stream:
                assert frame.data == text
                break
            await stream.close()
        assert it.runtime.alive(handle)

    box(test)


def test_a_terminal_can_be_attached_and_resized(box):
    async def test(it: Box) -> None:
        bundle = it.bundle(tty=True, open_stdin=True)
        handle = await it.runtime.create(bundle, it.config(bundle, ("sh",)))
        stream = await it.runtime.attach(bundle, stdin=True)
        await it.runtime.start(bundle, handle)
        await it.runtime.resize(bundle, 40, 123)
        seen = b""
        await stream.write(b"stty size; tty; exit 3\n")
        async for frame in stream:
            seen += frame.data
        assert b"40 123\r\n" in seen
        assert b"/dev/pts/0\r\n" in seen
        await stream.close()
        assert (await it.runtime.wait(bundle, handle)).code == 3

    box(test)


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_exec_keeps_streams_apart_and_tells_the_exit(box, runtime):
    async def test(it: Box) -> None:
        bundle, _ = await it.up("sleep", "100", bundle=it.bundle(runtime=runtime))
        handle = await it.runtime.exec(bundle, "x1", it.process("sh", "-c", "echo out; echo err >&2; exit 5"))
        assert await both(handle.stream) == {STDOUT: b"out\n", STDERR: b"err\n"}
        assert await handle.wait() == 5
        for text, code in (("kill -9 $$", 137), ("kill -15 $$", 143), ("exit 255", 255), ("true", 0)):
            handle = await it.runtime.exec(bundle, f"x{code}", it.process("sh", "-c", text))
            assert await handle.wait() == code
            await handle.stream.close()

    box(test)


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_exec_of_what_cannot_be_executed(box, runtime):
    async def test(it: Box) -> None:
        bundle, _ = await it.up("sleep", "100", bundle=it.bundle(runtime=runtime))
        with pytest.raises(CommandNotFound, match=r"OCI runtime exec failed: exec failed: .*executable file not found in \$PATH"):
            await it.runtime.exec(bundle, "a", it.process("nosuch"))
        with pytest.raises(CommandNotFound, match="stat /nosuch: no such file"):
            await it.runtime.exec(bundle, "b", it.process("/nosuch"))
        with pytest.raises(CommandNotExecutable, match="permission denied"):
            await it.runtime.exec(bundle, "c", it.process("/etc/passwd"))
        handle = await it.runtime.exec(bundle, "d", it.process("true", cwd="/no/such/place"))
        assert b"no such file" in (await gather(handle.stream)).lower()
        assert await handle.wait() == 127
        assert list((bundle.directory / "exec").iterdir()) == []

    box(test)


def test_exec_a_hundred_thousand_lines_and_a_slow_reader(box):
    async def test(it: Box) -> None:
        bundle, _ = await it.up("sleep", "100")
        handle = await it.runtime.exec(bundle, "x", it.process("seq", "100000"))
        got = b""
        async for frame in handle.stream:
            got += frame.data
            await asyncio.sleep(0)
        assert got == b"".join(b"%d\n" % i for i in range(1, 100001))
        assert await handle.wait() == 0

    box(test)


def test_exec_input_passes_through_and_its_end_too(box):
    async def test(it: Box) -> None:
        bundle, _ = await it.up("sleep", "100")
        handle = await it.runtime.exec(bundle, "x", it.process("cat"), stdin=True)
        data = bytes(range(256)) * 8192

        async def feed() -> None:
            await handle.stream.write(data)
            await handle.stream.close_stdin()

        got, _ = await asyncio.gather(gather(handle.stream), feed())
        assert got == data
        assert await handle.wait() == 0

    box(test)


def test_ten_execs_at_once(box):
    async def test(it: Box) -> None:
        bundle, _ = await it.up("sleep", "100")

        async def one(number: int) -> bytes:
            handle = await it.runtime.exec(bundle, f"x{number}", it.process("sh", "-c", f"seq 1000; echo {number}; exit {number}"))
            got = await gather(handle.stream)
            assert await handle.wait() == number
            return got.splitlines()[-1]

        assert await asyncio.gather(*(one(i) for i in range(10))) == [b"%d" % i for i in range(10)]

    box(test)


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_exec_with_a_terminal(box, runtime):
    async def test(it: Box) -> None:
        bundle, _ = await it.up("sleep", "100", bundle=it.bundle(runtime=runtime))
        process = it.process("sh", tty=True, console_size=(30, 99))
        handle = await it.runtime.exec(bundle, "x", process, tty=True, stdin=True)
        got = b""
        await handle.stream.write(b"stty size; tty\n")
        sized = False
        async for frame in handle.stream:
            got += frame.data
            if b"/dev/pts/" in got and not sized:
                assert b"30 99\r\n" in got
                sized = True
                handle.resize(50, 111)
                await handle.stream.write(b"sleep 0.1; stty size; exit 4\n")
        assert b"50 111\r\n" in got
        assert await handle.wait() == 4

    box(test)


def test_exec_as_user_with_environment_and_without_privileges(box):
    async def test(it: Box) -> None:
        bundle, _ = await it.up("sleep", "100")
        process = it.process(
            "sh",
            "-c",
            "id; pwd; echo $MINE; grep CapEff /proc/self/status",
            uid=1234,
            gid=1235,
            groups=(8,),
            cwd="/tmp",
            env=["PATH=/bin", "MINE=x"],
        )
        handle = await it.runtime.exec(bundle, "x", process)
        text = (await gather(handle.stream)).decode()
        assert "uid=1234(app) gid=1235(app) groups=8(mail),1235(app)" in text
        assert "\n/tmp\nx\n" in text
        assert "CapEff:\t0000000000000000" in text
        handle = await it.runtime.exec(bundle, "y", it.process("grep", "CapEff", "/proc/self/status", capabilities=capabilities.known()))
        assert int((await gather(handle.stream)).split()[1], 16) > 0xFFFFFFFF

    box(test)


def test_a_background_child_that_keeps_the_output_open_does_not_hold_the_exec(box):
    async def test(it: Box) -> None:
        bundle, _ = await it.up("sleep", "100")
        handle = await it.runtime.exec(bundle, "x", it.process("sh", "-c", "sleep 100 & echo done"))
        assert await asyncio.wait_for(gather(handle.stream), 10) == b"done\n"

    box(test)


def test_an_execed_process_does_not_hold_up_the_containers_end(box):
    """FACTS 0.4: what is left of an exec must be reaped at once."""

    async def test(it: Box) -> None:
        bundle, handle = await it.up("sleep", "100")
        running = await it.runtime.exec(bundle, "x", it.process("sleep", "100"), attached=False)
        await eventually(lambda: running.pid)
        began = asyncio.get_running_loop().time()
        it.runtime.signal(handle, signal.SIGKILL)
        assert (await it.runtime.wait(bundle, handle)).code == 137
        assert asyncio.get_running_loop().time() - began < 0.8
        assert await running.wait() == 137

    box(test)


def test_a_slow_exec_can_be_killed(box):
    async def test(it: Box) -> None:
        bundle, _ = await it.up("sleep", "100")
        running = await it.runtime.exec(bundle, "x", it.process("sleep", "100"))
        await eventually(lambda: running.pid)
        running.kill()
        assert await running.wait() == 137
        await running.stream.close()

    box(test)


def test_exec_looks_for_the_command_inside_the_root_only(box, tmp_path):
    """DESIGN trap 10: links of the image lead nowhere else."""

    async def test(it: Box) -> None:
        outside = tmp_path / "tool"
        outside.write_text("#!/bin/sh\n")
        outside.chmod(0o755)
        link = f"escape-{tmp_path.name}"
        (it.rootfs / "opt" / link).symlink_to(outside)
        bundle, _ = await it.up("sleep", "100")
        for name in (f"/opt/{link}", str(outside), "/usr/bin/env"):  # the last two are there on the host only
            with pytest.raises(CommandNotFound):
                await it.runtime.exec(bundle, "x", it.process(name))

    box(test)
