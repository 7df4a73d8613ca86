"""Further processes in a running container. A *session* is one of them: asked for (create), started once, remembered a while."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from typing import Any

from composer.engine.errors import CommandNotExecutable, CommandNotFound, Conflict, EngineError, InvalidArgument, NotFound, NotRunning
from composer.engine.local.archive import finish
from composer.engine.local.containers.parts import Parts
from composer.engine.local.containers.registry import Held
from composer.engine.local.lifecycle import Phase
from composer.engine.local.runtime import ExecHandle, capabilities, oci, users
from composer.engine.model import Exec, ExecConfig, ExecProcess, Stream

REMEMBERED = 300.0  # seconds that an ended session can still be asked about


@dataclass(eq=False)
class Session:
    """``exit_code``: None until it has ended. ``ended_at``: monotonic seconds."""

    id: str
    held: Held
    config: ExecConfig
    handle: ExecHandle | None = None
    started: bool = False
    exit_code: int | None = None
    ended_at: float = 0.0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def running(self) -> bool:
        return self.handle is not None and self.exit_code is None


class Execs:
    """All sessions of an engine."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._sessions: dict[str, Session] = {}

    def create(self, held: Held, config: ExecConfig) -> str:
        """NotRunning; Conflict (paused); InvalidArgument (no command)."""
        _check_running(held)
        if not config.cmd:
            raise InvalidArgument("No exec command specified")
        self._forget_old()
        session = Session(os.urandom(32).hex(), held, config)
        self._sessions[session.id] = session
        held.execs[session.id] = session
        self._tell(session, "exec_create")
        return session.id

    def get(self, exec_id: str) -> Session:
        session = self._sessions.get(exec_id)
        if session is None or session.held.gone:
            raise NotFound(f"No such exec instance: {exec_id}")
        return session

    async def start(self, exec_id: str, *, detach: bool, tty: bool) -> Stream | None:
        """None when detached. CommandNotFound, CommandNotExecutable, NotRunning, Conflict (it was started before)."""
        session = self.get(exec_id)
        if session.started:
            raise Conflict(f"Error: Exec command {exec_id} {'is already running' if session.running else 'has already run'}")
        _check_running(session.held)
        session.started = True
        try:
            session.handle = await launch(self._parts, session.held, session.config, exec_id, detach=detach)
        except (CommandNotFound, CommandNotExecutable, EngineError) as error:
            self._end(session, 127 if isinstance(error, CommandNotFound) else 126)
            raise
        self._tell(session, "exec_start")
        self._parts.tasks.spawn(self._wait(session), f"exec {exec_id[:12]}")
        return None if detach else session.handle.stream

    async def _wait(self, session: Session) -> None:
        assert session.handle is not None
        code = await session.handle.wait()
        self._end(session, code)
        self._tell(session, "exec_die", exitCode=str(code))

    def _end(self, session: Session, code: int | None) -> None:
        session.exit_code = 255 if code is None else code
        session.ended_at = time.monotonic()
        session.held.execs.pop(session.id, None)
        session.done.set()

    async def resize(self, exec_id: str, height: int, width: int) -> None:
        session = self.get(exec_id)
        if not session.running or session.handle is None:
            raise Conflict(f"cannot resize a stopped exec: {exec_id}")
        session.handle.resize(height, width)

    def inspect(self, exec_id: str) -> Exec:
        session = self.get(exec_id)
        config = session.config
        return Exec(
            id=session.id,
            container_id=session.held.id,
            running=session.running,
            exit_code=session.exit_code,
            pid=session.handle.pid if session.handle is not None else 0,
            open_stdin=config.attach_stdin,
            open_stdout=config.attach_stdout,
            open_stderr=config.attach_stderr,
            can_remove=session.exit_code is not None,
            detach_keys=config.detach_keys,
            process_config=ExecProcess(
                tty=config.tty, entrypoint=config.cmd[0], arguments=config.cmd[1:], privileged=config.privileged, user=config.user
            ),
        )

    def _tell(self, session: Session, action: str, **more: str) -> None:
        words = f"{action}: {' '.join(session.config.cmd)}" if action != "exec_die" else action
        self._parts.publish(session.held, words, {"execID": session.id, **more})

    def _forget_old(self) -> None:
        now = time.monotonic()
        for key, session in list(self._sessions.items()):
            if session.held.gone or (session.exit_code is not None and now - session.ended_at > REMEMBERED):
                del self._sessions[key]


async def launch(parts: Parts, held: Held, config: ExecConfig, exec_id: str, *, detach: bool = False) -> ExecHandle:
    """Start it. CommandNotFound, CommandNotExecutable, EngineError; NotRunning also when the container ends in this moment."""
    bundle = parts.bundle(held)
    try:
        process = await finish(lambda: process_of(parts, held, config))
        return await parts.runtime.exec(
            bundle, exec_id, process, tty=config.tty, stdin=config.attach_stdin and not detach, attached=not detach
        )
    except OSError as error:
        raise NotRunning(f"container {held.id} is not running: {(error.strerror or '').lower()}") from error


def process_of(parts: Parts, held: Held, config: ExecConfig) -> dict[str, Any]:
    """The OCI process of an exec: the container's user, environment and directory, unless it asks for others. Blocking."""
    record = held.record
    host = record.config.host_config
    user = users.lookup(parts.bundle(held).rootfs, config.user or record.config.user, host.group_add)
    own = capabilities.known() if config.privileged else capabilities.resolve(host.cap_add, host.cap_drop, privileged=host.privileged)
    return oci.exec_process(
        config.cmd,
        env=oci.environment((*record.config.env, *config.env), hostname=record.config.hostname, tty=config.tty, home=user.home),
        cwd=config.working_dir or record.config.working_dir or "/",
        uid=user.uid,
        gid=user.gid,
        groups=user.groups,
        tty=config.tty,
        capabilities=own,
        no_new_privileges=oci.no_new_privileges(host.security_opt),
        console_size=config.console_size,
    )


def _check_running(held: Held) -> None:
    if held.run.phase is Phase.PAUSED:
        raise Conflict(f"Container {held.id} is paused, unpause the container before exec")
    if held.run.phase is not Phase.RUNNING:
        raise NotRunning(f"container {held.id} is not running", hint=f"start {held.name} first")
