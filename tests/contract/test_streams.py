"""The contract of what flows: logs, attach, exec, files."""

from __future__ import annotations

import asyncio
import io
import tarfile

import pytest

from composer.engine.errors import Conflict, InvalidArgument, NotFound, NotRunning
from composer.engine.interface import Engine
from composer.engine.model import ExecConfig, LogOptions
from tests.contract.behaviour import behaviour, config, eventually, everything, output, pieces, ran, started, status

OUT, ERR = 1, 2


async def logs(engine: Engine) -> None:
    await ran(engine, "said", "sh", "-c", "echo one; echo two >&2; echo three")
    said = await output(engine, "said")
    assert sorted(said) == [(OUT, b"one\n"), (OUT, b"three\n"), (ERR, b"two\n")]
    assert await output(engine, "said", stderr=False) == [(OUT, b"one\n"), (OUT, b"three\n")]
    assert await output(engine, "said", stdout=False) == [(ERR, b"two\n")]
    assert len(await output(engine, "said", tail=2)) == 2
    assert await output(engine, "said", tail=0) == []
    await ran(engine, "alone", "sh", "-c", "echo one; echo two; echo three")
    assert await output(engine, "alone", tail=1) == [(OUT, b"three\n")]
    frames = [frame async for frame in engine.containers.logs("said", LogOptions())]
    started_at = (await engine.containers.inspect("said")).state.started_at
    assert all(frame.time.endswith("Z") and len(frame.time) == 30 for frame in frames)
    assert all(frame.time >= started_at[:19] for frame in frames)
    assert await output(engine, "said", since=4e9) == []
    assert await output(engine, "said", until=1.0) == []
    with pytest.raises(NotFound):
        await output(engine, "nosuch")


async def logs_follow(engine: Engine) -> None:
    await started(engine, "talks", "sh", "-c", "echo early; sleep 0.5; echo late")
    assert await output(engine, "talks", follow=True) == [(OUT, b"early\n"), (OUT, b"late\n")]


async def attach_before_start(engine: Engine) -> None:
    """Nothing of the output is missed, and the stream ends with the process."""
    made = await engine.containers.create(config("sh", "-c", "echo out; echo err >&2"), "attached")
    stream = await engine.containers.attach(made.id)
    await engine.containers.start(made.id)
    assert await everything(stream) == (b"out\n", b"err\n")
    await stream.close()


async def attach_stdin(engine: Engine) -> None:
    """What is written is read; the end of input is the end of `cat`."""
    made = await engine.containers.create(config("cat", open_stdin=True, stdin_once=True), "echoes")
    stream = await engine.containers.attach(made.id, stdin=True)
    await engine.containers.start(made.id)
    await stream.write(b"hello\n")
    await stream.close_stdin()
    assert await everything(stream) == (b"hello\n", b"")
    await stream.close()
    await eventually(lambda: _exited(engine, "echoes"))


async def attach_again(engine: Engine) -> None:
    """Of a terminal, a client that leaves does not end the input: the next one types on."""
    made = await engine.containers.create(config("sh", tty=True, open_stdin=True, stdin_once=True), "terminal")
    first = await engine.containers.attach(made.id, stdin=True)
    await engine.containers.start(made.id)
    await first.write(b"echo one\n")
    await first.close()
    second = await engine.containers.attach(made.id, stdin=True)
    await second.write(b"exit 4\n")
    assert (await engine.containers.wait(made.id)).status_code == 4
    await second.close()


async def _exited(engine: Engine, ref: str) -> bool:
    return await status(engine, ref) == "exited"


async def executed(engine: Engine, ref: str, *cmd: str, stdin: bytes | None = None, **changes: object) -> tuple[int | None, bytes, bytes]:
    wanted = ExecConfig(cmd=cmd, attach_stdout=True, attach_stderr=True, attach_stdin=stdin is not None, **changes)
    exec_id = await engine.containers.exec_create(ref, wanted)
    stream = await engine.containers.exec_start(exec_id)
    assert stream is not None
    if stdin is not None:
        await stream.write(stdin)
        await stream.close_stdin()
    out, err = await everything(stream)
    await stream.close()

    async def over() -> bool:
        return not (await engine.containers.exec_inspect(exec_id)).running

    await eventually(over)
    return (await engine.containers.exec_inspect(exec_id)).exit_code, out, err


async def execs(engine: Engine) -> None:
    await started(engine, "host")
    assert await executed(engine, "host", "sh", "-c", "echo out; echo err >&2; exit 5") == (5, b"out\n", b"err\n")
    assert await executed(engine, "host", "cat", stdin=b"through") == (0, b"through", b"")
    code, out, _ = await executed(engine, "host", "env", env=("FROM=exec",))
    assert code == 0
    assert b"FROM=exec\n" in out
    exec_id = await engine.containers.exec_create("host", ExecConfig(cmd=("sh", "-c", "exit 6")))
    assert await engine.containers.exec_start(exec_id, detach=True) is None

    async def over() -> bool:
        return (await engine.containers.exec_inspect(exec_id)).exit_code == 6

    await eventually(over)
    with pytest.raises(Conflict):
        await engine.containers.exec_start(exec_id, detach=True)
    with pytest.raises(InvalidArgument, match="No exec command specified"):
        await engine.containers.exec_create("host", ExecConfig())
    with pytest.raises(NotFound, match="No such exec instance"):
        await engine.containers.exec_inspect("nosuch")
    await engine.containers.pause("host")
    with pytest.raises(Conflict, match="paused"):
        await engine.containers.exec_create("host", ExecConfig(cmd=("true",)))
    await engine.containers.unpause("host")
    await engine.containers.stop("host", timeout=5)
    with pytest.raises(NotRunning, match="is not running"):
        await engine.containers.exec_create("host", ExecConfig(cmd=("true",)))


async def many_clients(engine: Engine) -> None:
    """Two attached clients both see the output."""
    made = await engine.containers.create(config("sh", "-c", "echo seen"), "watched")
    streams = [await engine.containers.attach(made.id) for _ in range(2)]
    await engine.containers.start(made.id)
    assert await asyncio.gather(*(everything(stream) for stream in streams)) == [(b"seen\n", b"")] * 2
    for stream in streams:
        await stream.close()


async def files(engine: Engine) -> None:
    await engine.containers.create(config(), "holds")
    await engine.containers.put_archive("holds", "/tmp", pieces(_tar("note.txt", b"content")))
    found = await engine.containers.stat_path("holds", "/tmp/note.txt")
    assert (found.name, found.size, found.mode & 0o777) == ("note.txt", 7, 0o640)
    assert (await engine.containers.stat_path("holds", "/tmp")).mode & 1 << 31
    data = b"".join([piece async for piece in engine.containers.get_archive("holds", "/tmp/note.txt")])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        member = archive.next()
        assert member is not None
        content = archive.extractfile(member)
        assert (member.name, content and content.read()) == ("note.txt", b"content")
    with pytest.raises(NotFound):
        await engine.containers.stat_path("holds", "/no/such")
    with pytest.raises(NotFound):
        await engine.containers.put_archive("holds", "/no/such", pieces(_tar("x", b"")))
    assert any(change.path == "/tmp/note.txt" and change.kind == 1 for change in await engine.containers.changes("holds"))


def _tar(name: str, content: bytes) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        header = tarfile.TarInfo(name)
        header.size, header.mode = len(content), 0o640
        archive.addfile(header, io.BytesIO(content))
    return sink.getvalue()


test_logs = behaviour(logs)
test_logs_follow = behaviour(logs_follow)
test_attach_before_start = behaviour(attach_before_start)
test_attach_stdin = behaviour(attach_stdin)
test_attach_again = behaviour(attach_again)
test_execs = behaviour(execs)
test_many_clients = behaviour(many_clients)
test_files = behaviour(files)
