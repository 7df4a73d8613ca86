"""Containers by conmon and an OCI runtime (crun, or runc): create, start, wait, signal, pause, delete.

Knows bundles, not images, networks or rows. What the runtime program would only do by system calls is done here directly: start is a
byte in exec.fifo, kill a pidfd signal, pause and update files of the cgroup, delete a few unlinks (FACTS 1.4, 2).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import select
import shutil
import signal as signals
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from composer.engine.errors import EngineError, InvalidArgument, NotRunning, Unavailable
from composer.engine.local.files import remove_tree
from composer.engine.local.layout import Layout
from composer.engine.local.linux.process import send_signal
from composer.engine.local.runtime import attach, commands, conmon, limits, usage, watch
from composer.engine.local.runtime.attach import AttachStream
from composer.engine.local.runtime.bundle import Bundle, Exit, Handle
from composer.engine.local.runtime.cgroup import Hierarchies
from composer.engine.local.runtime.exec import ExecHandle, Launch
from composer.engine.local.runtime.filters import Filters
from composer.engine.local.runtime.logs import LogFile
from composer.engine.local.runtime.parents import Parents
from composer.engine.local.runtime.rotation import Rotation
from composer.engine.local.runtime.spawn import THREADS, Spawner
from composer.engine.model import HostConfig, Stats

KNOWN = ("crun", "runc")  # in the order of preference
CONMON_PATIENCE = 1.0  # seconds from the container's end to conmon's
COMMAND_TIMEOUT = 30.0  # seconds for one run of a runtime program


class Runtime:
    """All containers of one engine. Call `open` once, `close` at the end; containers outlive both."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._spawner = Spawner([layout.root, layout.run])
        self._creating = asyncio.Semaphore(THREADS)
        self._programs: dict[str, str] = {}
        self._rotation = Rotation()
        self._filters = Filters(layout.run / "seccomp")
        self._attaching: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._making = 0  # containers that are being created: their parents must not go
        self.hierarchies = Hierarchies.detect()
        self._parents = Parents(self.hierarchies, layout)

    async def open(self) -> None:
        """Find the programs and make ready to spawn. Raises Unavailable when conmon or every runtime is missing."""
        self._programs = {name: path for name in ("conmon", *KNOWN) if (path := shutil.which(name, path=conmon.PATH))}
        if "conmon" not in self._programs:
            raise Unavailable("conmon is not installed", hint="apt-get install conmon")
        if not self.available():
            raise Unavailable("neither crun nor runc is installed", hint="apt-get install crun")
        await asyncio.to_thread(self._layout.make)
        await asyncio.to_thread(self._spawner.start)

    async def close(self) -> None:
        """Leave containers running; undo what only the daemon needs."""
        await self._rotation.close()
        await asyncio.to_thread(self._spawner.close)
        self._parents.leave(self._layout.cgroups)

    def available(self) -> Mapping[str, str]:
        """The OCI runtimes of this machine: name -> path."""
        return {name: path for name, path in self._programs.items() if name in KNOWN}

    @property
    def default(self) -> str:
        """The runtime for containers that name none."""
        return next(iter(self.available()), KNOWN[0])

    def program(self, name: str) -> str:
        """The path of a runtime. Raises InvalidArgument in dockerd's words."""
        found = self._programs.get(name) if name in KNOWN else None
        if found is None:
            raise InvalidArgument(f"unknown or invalid runtime name: {name}", hint=f"there are {', '.join(self.available())}")
        return found

    async def create(self, bundle: Bundle, config: Mapping[str, Any]) -> Handle:
        """Write config.json and create the container, ready for `start`; its streams can be attached to from now on.

        Raises CommandNotFound, CommandNotExecutable, EngineError (the runtime's words); then nothing of it is left but the directory.
        """
        programs = conmon.Programs(
            self._programs["conmon"], self.program(bundle.runtime), self._layout.runtime_root, self._layout.run / "tty"
        )
        self._making += 1
        try:
            async with self._creating:
                handle = await self._spawner.run(self._create, programs, bundle, config)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(self._wipe, bundle))
            self._making -= 1
            self._leave(bundle)
            raise
        self._making -= 1
        return handle

    def _create(self, programs: conmon.Programs, bundle: Bundle, config: Mapping[str, Any]) -> Handle:
        try:
            self._write(bundle, self._filters.apply(config, programs.runtime))
            self._parents.enter(bundle.cgroup.rpartition("/")[0])
        except OSError as error:
            raise EngineError(f"cannot prepare container {bundle.id[:12]}: {error}", hint="is the disk full?") from error
        argv = config["process"]["args"]
        handle = conmon.create(programs, bundle, argv[0] if argv else "", lambda pid: self.hierarchies.adopt(self._parents.conmon, pid))
        self._filters.learn(config, programs.runtime, programs.runtime_root / bundle.id)
        return handle

    @staticmethod
    def _write(bundle: Bundle, config: Mapping[str, Any]) -> None:
        bundle.directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        for stale in (bundle.exit_file, bundle.oom_file):
            stale.unlink(missing_ok=True)
        fd = os.open(bundle.directory / "config.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(json.dumps(config))  # json.dump would encode piece by piece in Python: 30 times the CPU

    async def start(self, bundle: Bundle, handle: Handle) -> None:
        """Let the created container's first process run."""
        if bundle.runtime == "crun" and self._open_gate(bundle):
            return
        await self._command(bundle, "start", bundle.id)

    def _open_gate(self, bundle: Bundle) -> bool:
        """What `crun start` does: a byte into the fifo that the first process waits at."""
        fifo = self._layout.runtime_root / bundle.id / "exec.fifo"
        try:
            fd = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno == errno.ENXIO:  # nobody waits there (yet): the program itself sorts it out
                return False
            raise
        try:
            os.write(fd, b"1")
        finally:
            os.close(fd)
        fifo.unlink(missing_ok=True)
        return True

    async def _command(self, bundle: Bundle, *words: str) -> None:
        program = self.program(bundle.runtime)

        def run() -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(
                [program, "--root", str(self._layout.runtime_root), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=COMMAND_TIMEOUT,
                check=False,
            )

        try:
            done = await self._spawner.run(run)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineError(f"{bundle.runtime} {words[0]} of container {bundle.id[:12]} failed: {error}") from error
        if done.returncode:
            text = done.stderr.decode(errors="replace").strip()
            raise EngineError(f"{bundle.runtime} {words[0]} of container {bundle.id[:12]} failed: {text}")

    def signal(self, handle: Handle, number: int) -> None:
        """Send a signal to the first process. Raises NotRunning when it has ended."""
        try:
            pidfd = handle.init.open()
            try:
                send_signal(pidfd, number)
            finally:
                os.close(pidfd)
        except ProcessLookupError as error:
            raise NotRunning("the container has ended") from error

    def alive(self, handle: Handle) -> bool:
        """Whether the first process is there (a zombie is not)."""
        try:
            pidfd = handle.init.open()
        except ProcessLookupError:
            return False
        try:
            send_signal(pidfd, 0)
            state = Path(f"/proc/{handle.init.pid}/stat").read_bytes()
            return state[state.rindex(b")") + 2 :][:1] not in (b"Z", b"X")
        except (ProcessLookupError, FileNotFoundError):
            return False
        finally:
            os.close(pidfd)

    async def wait(self, bundle: Bundle, handle: Handle) -> Exit:
        """Until it has ended, whoever ended it; right away when it has ended before. Meanwhile its log is rotated."""
        log = LogFile(bundle.log, *bundle.log_limits) if bundle.log is not None and bundle.log_limits is not None else None
        if log is not None:
            self._rotation.add(bundle.id, log, lambda: conmon.control(bundle, "2 0 0\n"))
        try:
            end = await watch.wait(bundle, handle)
        finally:
            self._rotation.remove(bundle.id)
        if log is not None:
            await asyncio.to_thread(log.trim)
        oom = end.oom or self.hierarchies.oom_kills(bundle.cgroup) > 0
        return Exit(end.code, oom, end.finished_at)

    async def attach(self, bundle: Bundle, *, stdin: bool) -> AttachStream:
        """Its live streams, from now on; between `create` and `start` nothing is missed. Any number of clients. Raises NotRunning."""
        async with self._attaching.setdefault(bundle.id, asyncio.Lock()):  # one at a time, so that each can see it was taken
            return await attach.attach(bundle, stdin=stdin)

    async def resize(self, bundle: Bundle, height: int, width: int) -> None:
        """Set the size of its terminal (0 to 1000 each). Nothing without one. Raises NotRunning."""
        if bundle.tty:
            conmon.control(bundle, f"1 {max(0, min(height, 1000))} {max(0, min(width, 1000))}\n")

    async def exec(
        self,
        bundle: Bundle,
        exec_id: str,
        process: Mapping[str, Any],
        *,
        tty: bool = False,
        stdin: bool = False,
        attached: bool = True,
    ) -> ExecHandle:
        """Start a further process (``process``: `oci.exec_process`). ``attached`` False: its output is not wanted.

        Raises CommandNotFound, CommandNotExecutable, NotRunning, EngineError.
        """
        program = self.program(bundle.runtime)
        pid = int((bundle.directory / "pidfile").read_text()) if (bundle.directory / "pidfile").exists() else 0
        commands.check(pid, process, bundle.runtime)
        launch = Launch(
            program=program,
            runtime_root=self._layout.runtime_root,
            container=bundle.id,
            directory=bundle.directory / "exec" / exec_id,
            sockets=self._layout.run / "tty",
            process=process,
            tty=tty,
            stdin=stdin,
            attached=attached,
        )
        return ExecHandle(launch, await asyncio.to_thread(launch.start))

    async def pause(self, bundle: Bundle) -> None:
        await asyncio.to_thread(self.hierarchies.freeze, bundle.cgroup, True)

    async def unpause(self, bundle: Bundle) -> None:
        await asyncio.to_thread(self.hierarchies.freeze, bundle.cgroup, False)

    async def update(self, bundle: Bundle, host: HostConfig) -> None:
        """Put the limits that ``host`` names in force. Raises EngineError that names what the kernel refused."""
        await asyncio.to_thread(limits.apply, self.hierarchies, bundle.cgroup, host)

    def stats(self, bundle: Bundle) -> Stats:
        """What it has used (CPU, memory, pids, disk); blocking, about 1 ms."""
        return usage.measure(self.hierarchies, bundle.cgroup)

    def processes(self, bundle: Bundle) -> list[int]:
        """The pids of the container, as the host counts them."""
        return self.hierarchies.processes(bundle.cgroup)

    async def delete(self, bundle: Bundle) -> None:
        """Remove all that is left of it: processes, runtime's record, cgroup, bundle directory. Missing is fine; idempotent."""
        await asyncio.to_thread(self._delete, bundle)
        self._leave(bundle)

    def _delete(self, bundle: Bundle) -> None:
        self._wipe(bundle)
        try:
            remove_tree(bundle.directory)
        except OSError as error:
            raise EngineError(f"cannot remove {bundle.directory}: {error.strerror}") from error

    def _wipe(self, bundle: Bundle) -> None:
        """All but the directory. Its own conmon goes too, when its container never came to be."""
        self.hierarchies.delete(bundle.cgroup)
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
            self._end_conmon(int((bundle.directory / "conmon.pid").read_text()), bundle)
        shutil.rmtree(self._layout.runtime_root / bundle.id, ignore_errors=True)

    def _end_conmon(self, pid: int, bundle: Bundle) -> None:
        """Wait for its conmon, which ends by itself once the container has; killed when it does not."""
        pidfd = os.pidfd_open(pid)
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if bundle.id.encode() not in words or str(bundle.directory).encode() not in words:
                return  # a zombie, or another's by a reused pid
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            if not poll.poll(CONMON_PATIENCE * 1000):
                send_signal(pidfd, signals.SIGKILL)
                poll.poll(CONMON_PATIENCE * 1000)
        finally:
            os.close(pidfd)

    def _leave(self, bundle: Bundle) -> None:
        if not self._making:
            self._parents.leave(bundle.cgroup.rpartition("/")[0])
