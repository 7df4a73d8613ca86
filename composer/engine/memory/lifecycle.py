"""The life of a container in memory: start, end, restart policy, health; states and events as dockerd has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from composer.engine.errors import CommandNotFound, Conflict
from composer.engine.memory.network import Wiring
from composer.engine.memory.process import MemoryProcess
from composer.engine.memory.world import Record, World, epoch
from composer.engine.model import ContainerState, Health, LogFrame

_PID = 1000
_BACKOFF, _BACKOFF_MOST, _STEADY = 0.1, 60.0, 10.0  # seconds: dockerd's restart delays, and how long a run resets them


class Lifecycle:
    def __init__(self, world: World, wiring: Wiring) -> None:
        self._world = world
        self._wiring = wiring
        self._pids = _PID
        self.over: Callable[[Record], None] = _nothing  # called when a container has ended and will not be restarted

    def start(self, record: Record) -> None:
        """Begin a run. CommandNotFound when the world lacks the command; Conflict when a port is taken."""
        state = record.container.state
        if state.paused:
            raise Conflict("cannot start a paused container, try unpause instead")
        if state.running:
            return
        self._cancel_restart(record)
        argv = (record.container.path, *record.container.args)
        if argv[0] in self._world.missing_commands:
            message = f'exec: "{argv[0]}": executable file not found in $PATH: unknown'
            record.set(exit_code=127, error=message)
            raise CommandNotFound(f"failed to create task for container: {message}")
        self._wiring.plug(record)
        process = record.process
        if process is None or process.exit_code is not None:
            process = self.prepare(record)
        self._pids += 1
        health = self._health(record)
        record.container = record.container.replace(stopped_by_request=False)
        record.become(
            ContainerState(
                status="running", running=True, pid=self._pids, started_at=self._world.now(), finished_at=state.finished_at, health=health
            )
        )
        self._world.tell(record, "start")
        process.run(self._world.program)
        if health is not None and self._world.healthy_at_once:
            self.health(record, "healthy")

    def prepare(self, record: Record) -> MemoryProcess:
        """The process of the next run; exists before `start` so that a client can attach early."""
        config = record.container.config
        argv = (record.container.path, *record.container.args)

        def wrote(stream: int, data: bytes) -> None:
            record.output.append(LogFrame(stream, data, self._world.now()))
            record.changed.tell()

        record.process = MemoryProcess(
            argv, config.env, tty=config.tty, stdin=config.open_stdin, wrote=wrote, ended=lambda code: self._ended(record, code)
        )
        return record.process

    def end(self, record: Record, code: int, *, oom: bool = False) -> None:
        """Its process ends by itself."""
        if record.process is not None and record.running:
            if oom:
                record.set(oom_killed=True)
                self._world.tell(record, "oom")
            record.process.end(code)

    def stop(self, record: Record, signal: int) -> None:
        """End it because a client wants it; the restart policy has no say then."""
        record.container = record.container.replace(stopped_by_request=True)
        self._cancel_restart(record)
        if record.container.state.paused:
            record.set(paused=False, status="running")
        if record.process is not None and record.running:
            self._world.tell(record, "kill", signal=str(signal))
            record.process.signal(signal)

    def health(self, record: Record, status: str) -> None:
        """starting, healthy or unhealthy, as a probe would find it."""
        found = record.container.state.health or Health()
        streak = found.failing_streak + 1 if status == "unhealthy" else 0
        record.set(health=found.replace(status=status, failing_streak=streak))
        if status != found.status:
            self._world.tell(record, f"health_status: {status}")

    def _health(self, record: Record) -> Health | None:
        check = record.container.config.healthcheck
        return Health(status="starting") if check is not None and check.test and check.test[0] != "NONE" else None

    def _ended(self, record: Record, code: int) -> None:
        state = record.container.state
        if not state.running:
            return
        again = not record.removed and self._wants_restart(record, code)
        now = self._world.now()
        ran = epoch(now) - epoch(state.started_at)
        record.exits += 1
        self._wiring.unplug(record)
        status = "restarting" if again else "exited"
        record.become(
            state.replace(
                status=status, running=again, restarting=again, paused=False, pid=0, exit_code=code, finished_at=now, health=state.health
            )
        )
        self._world.tell(record, "die", exitCode=str(code), execDuration=str(int(ran)))
        if again:
            self._restart_later(record, ran)
        else:
            self.over(record)

    def _wants_restart(self, record: Record, code: int) -> bool:
        policy = record.container.host_config.restart_policy
        if record.container.stopped_by_request:
            return False
        if policy.name == "on-failure":
            return code != 0 and (not policy.maximum_retry_count or record.container.restart_count < policy.maximum_retry_count)
        return policy.name in ("always", "unless-stopped")

    def _restart_later(self, record: Record, ran: float) -> None:
        count = 0 if ran > _STEADY else record.container.restart_count
        delay = min(_BACKOFF * 2**count, _BACKOFF_MOST) if self._world.program else 0.0
        record.container = record.container.replace(restart_count=record.container.restart_count + 1)
        try:
            record.restart = asyncio.get_running_loop().call_later(delay, self._restart, record)
        except RuntimeError:  # a test that is not async ended it: at once, then
            self._restart(record)

    def _restart(self, record: Record) -> None:
        record.restart = None
        if record.container.state.restarting and not record.removed:
            record.set(running=False, restarting=False)
            self.start(record)

    def _cancel_restart(self, record: Record) -> None:
        if record.restart is not None:
            record.restart.cancel()
            record.restart = None
        if record.container.state.restarting:
            record.set(status="exited", running=False, restarting=False)


def _nothing(record: Record) -> None:
    return
