"""Containers for real: created, started, waited for, deleted; their exit statuses, and that nothing stays."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from composer.engine.errors import CommandNotExecutable, CommandNotFound, EngineError, InvalidArgument, NotRunning
from composer.engine.local.linux.process import ProcessId
from composer.engine.local.runtime import Handle, Runtime
from composer.engine.model import HostConfig

from .conftest import Box, eventually, kill

pytestmark = pytest.mark.root


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_a_container_runs_and_tells_its_exit(box, runtime):
    async def test(it: Box) -> None:
        bundle, handle = await it.up("sh", "-c", "echo out; echo err >&2; exit 7", bundle=it.bundle(runtime=runtime))
        end = await it.runtime.wait(bundle, handle)
        assert (end.code, end.oom) == (7, False)
        text = bundle.log.read_text()
        assert " stdout F out\n" in text
        assert " stderr F err\n" in text

    box(test)


@pytest.mark.parametrize(
    ("args", "kind", "words"),
    [
        (("nosuch",), CommandNotFound, 'exec: "nosuch": executable file not found in $PATH'),
        (("/nosuch",), CommandNotFound, "stat /nosuch: no such file or directory"),
        (("/etc/passwd",), CommandNotExecutable, 'exec: "/etc/passwd": permission denied'),
        (("/etc",), CommandNotExecutable, "permission denied"),
    ],
)
@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_a_command_that_cannot_be_started(box, args, kind, words, runtime):
    async def test(it: Box) -> None:
        bundle = it.bundle(runtime=runtime)
        with pytest.raises(kind, match="OCI runtime create failed") as caught:
            await it.runtime.create(bundle, it.config(bundle, args))
        assert words in caught.value.message
        assert not any(path.exists() for path in it.runtime.hierarchies.directories(bundle.cgroup))

    box(test)


def test_an_unknown_runtime_is_named(box):
    async def test(it: Box) -> None:
        bundle = it.bundle(runtime="nosuchruntime")
        with pytest.raises(InvalidArgument, match="unknown or invalid runtime name: nosuchruntime"):
            await it.runtime.create(bundle, it.config(bundle, ("true",)))

    box(test)


def test_signals_are_told_as_128_and_their_number(box):
    async def test(it: Box) -> None:
        bundle, handle = await it.up("sleep", "100")
        assert it.runtime.alive(handle)
        it.runtime.signal(handle, signal.SIGKILL)
        assert (await it.runtime.wait(bundle, handle)).code == 137
        assert not it.runtime.alive(handle)
        with pytest.raises(NotRunning):
            it.runtime.signal(handle, signal.SIGTERM)
        # who asks later hears the same
        assert (await it.runtime.wait(bundle, Handle.from_json(handle.to_json()))).code == 137

    box(test)


def test_out_of_memory_is_told(box):
    async def test(it: Box) -> None:
        host = HostConfig(memory=16 << 20, memory_swap=16 << 20)
        bundle, handle = await it.up("tail", "/dev/zero", host=host)
        end = await it.runtime.wait(bundle, handle)
        assert (end.code, end.oom) == (137, True)

    box(test)


def test_conmon_killed_the_container_goes_on_and_its_end_is_seen(box):
    """DESIGN trap 5."""

    async def test(it: Box) -> None:
        bundle, handle = await it.up("sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.05; done")
        kill(handle.conmon.pid)
        await eventually(lambda: not it.runtime.alive(Handle(handle.conmon, handle.conmon)))
        assert it.runtime.alive(handle)
        waiting = asyncio.create_task(it.runtime.wait(bundle, handle))
        it.runtime.signal(handle, signal.SIGTERM)
        end = await asyncio.wait_for(waiting, 15)
        tells = tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 15)
        assert end.code == (9 if tells else None)

    box(test)


def test_an_end_that_nobody_can_tell_is_told_as_unknown(box):
    """DESIGN trap 5: no exit file, and the process is long gone."""

    async def test(it: Box) -> None:
        bundle, handle = await it.up("sleep", "100")
        kill(handle.conmon.pid)
        await eventually(lambda: not it.runtime.alive(Handle(handle.conmon, handle.conmon)))
        it.runtime.signal(handle, signal.SIGKILL)
        await eventually(lambda: not Path(f"/proc/{handle.init.pid}").exists())
        end = await asyncio.wait_for(it.runtime.wait(bundle, handle), 15)
        assert end.code is None

    box(test)


def test_a_runtime_killed_in_mid_create_leaves_nothing(box):
    """DESIGN trap 4: the cgroup is the engine's, not the runtime's."""

    async def test(it: Box) -> None:
        for _ in range(5):
            bundle = it.bundle()
            creating = asyncio.create_task(it.runtime.create(bundle, it.config(bundle, ("sleep", "100"))))
            directory = it.runtime.hierarchies.main(bundle.cgroup)
            await eventually(lambda: directory.exists() or creating.done(), pause=0)  # noqa: B023
            for pid in _runtimes_of(bundle.id):
                with contextlib.suppress(ProcessLookupError):
                    kill(pid)
            with pytest.raises(EngineError):
                await creating
                raise EngineError("created before the kill")
            await it.runtime.delete(bundle)
            assert not any(path.exists() for path in it.runtime.hierarchies.directories(bundle.cgroup))

    box(test)


def _runtimes_of(name: str) -> list[int]:
    found = []
    for path in Path("/proc").iterdir():
        try:
            words = (path / "cmdline").read_bytes().split(b"\0") if path.name.isdigit() else []
        except OSError:
            continue
        if words and words[0].endswith(b"crun") and name.encode() in words:
            found.append(int(path.name))
    return found


def test_a_reused_pid_is_not_taken_for_the_container(box):
    """DESIGN trap 9: a handle is (pid, start time, boot), not a pid."""

    async def test(it: Box) -> None:
        bundle, handle = await it.up("sleep", "100")
        me = ProcessId.of(os.getpid())
        stale = Handle(ProcessId(me.pid, me.start - 1, me.boot), handle.conmon)
        with pytest.raises(NotRunning):
            it.runtime.signal(stale, signal.SIGCONT)  # harmless, were it sent
        other_boot = Handle(ProcessId(handle.init.pid, handle.init.start, "another boot"), handle.conmon)
        assert not it.runtime.alive(other_boot)
        it.runtime.signal(handle, signal.SIGKILL)
        await it.runtime.wait(bundle, handle)

    box(test)


def test_a_cancelled_create_leaves_nothing(box):
    async def test(it: Box) -> None:
        bundle = it.bundle()
        creating = asyncio.create_task(it.runtime.create(bundle, it.config(bundle, ("sleep", "100"))))
        await asyncio.sleep(0.005)
        creating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await creating
        assert it.runtime.processes(bundle) == []
        assert not any(path.exists() for path in it.runtime.hierarchies.directories(bundle.cgroup))

    box(test)


def test_pause_stops_and_unpause_continues(box):
    async def test(it: Box) -> None:
        bundle, handle = await it.up("sleep", "100")
        await it.runtime.pause(bundle)
        assert it.runtime.hierarchies.frozen(bundle.cgroup)
        await it.runtime.unpause(bundle)
        assert not it.runtime.hierarchies.frozen(bundle.cgroup)
        await it.runtime.pause(bundle)  # and a paused one can be deleted
        await it.runtime.delete(bundle)
        assert not it.runtime.alive(handle)

    box(test)


def test_twenty_at_once(box):
    async def test(it: Box) -> None:
        up = await asyncio.gather(*(it.up("sleep", "100") for _ in range(20)))
        assert all(it.runtime.alive(handle) for _, handle in up)
        for _, handle in up:
            it.runtime.signal(handle, signal.SIGKILL)
        ends = await asyncio.gather(*(it.runtime.wait(bundle, handle) for bundle, handle in up))
        assert {end.code for end in ends} == {137}

    box(test)


def test_conmon_lives_outside_of_the_daemons_own_cgroups(box):
    async def test(it: Box) -> None:
        _, handle = await it.up("sleep", "100")
        own = dict(line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
        conmon = dict(line.split(":", 2)[1:] for line in Path(f"/proc/{handle.conmon.pid}/cgroup").read_text().splitlines())
        for name, path in own.items():
            assert path == "/" or not conmon[name].startswith(path)

    box(test)


def test_a_later_daemon_knows_what_runs_and_how_it_ended(box, tmp_path):
    """Invariant 2: containers outlive the daemon; what ended meanwhile is told by conmon's file."""

    async def test(it: Box) -> None:
        running, first = await it.up("sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.05; done")
        ending, second = await it.up("sh", "-c", "sleep 0.2; exit 6")
        stored = [Handle.from_json(handle.to_json()) for handle in (first, second)]
        await it.runtime.close()
        assert it.runtime.alive(stored[0])
        await eventually(lambda: not it.runtime.alive(stored[1]))
        later = Runtime(it.layout)
        await later.open()
        try:
            assert (await later.wait(ending, stored[1])).code == 6
            handle = await later.exec(running, "x", it.process("true"))
            assert await handle.wait() == 0
            await handle.stream.close()
            fresh, third = it.bundle(), None
            third = await later.create(fresh, it.config(fresh, ("true",)))
            await later.start(fresh, third)
            assert (await later.wait(fresh, third)).code == 0
            later.signal(stored[0], signal.SIGTERM)
            assert (await later.wait(running, stored[0])).code == 5
            for bundle in (running, ending, fresh):
                await later.delete(bundle)
        finally:
            await later.close()

    box(test)


def test_an_engine_that_was_killed_leaves_mounts_that_the_next_one_uses_and_undoes(box):
    async def test(it: Box) -> None:
        killed = Runtime(it.layout)  # its shared mounts stay, as after kill -9
        await killed.open()
        bundle, handle = await it.up("true")
        assert (await it.runtime.wait(bundle, handle)).code == 0
        await it.runtime.delete(bundle)
        killed._spawner._threads.shutdown()  # type: ignore[union-attr]

    box(test)
