"""Ending containers on request: stop, kill, restart; and pause.

A request is recorded (durably) before the signal is sent, so that no restart policy undoes it, not even after a crash.
The lock is not held while waiting for the end: the end itself needs it.
"""

from __future__ import annotations

import signal as signals

from composer.engine.errors import Conflict, EngineError, NotRunning
from composer.engine.local.containers.parts import Parts, handle_of
from composer.engine.local.containers.registry import Held
from composer.engine.local.containers.resolve import signal_number
from composer.engine.local.containers.start import start
from composer.engine.local.lifecycle import Phase

GRACE = 10  # seconds, where nothing else is said
KILL_PATIENCE = 20.0  # seconds from SIGKILL to the recorded end, before we say that it failed


async def stop(parts: Parts, held: Held, *, signal: str = "", timeout: int | None = None) -> None:
    """Signal, wait, SIGKILL. Nothing when it does not run (one that waits for its restart stays ended). InvalidArgument: the signal."""
    config = held.record.config
    number = signal_number(signal or config.stop_signal or "SIGTERM")
    grace = timeout if timeout is not None else config.stop_timeout if config.stop_timeout is not None else GRACE
    seen = await _request(parts, held)
    if seen is None:
        return
    _send(parts, held, number)
    await _thaw(parts, held)
    if not await parts.ended(held, seen, None if grace < 0 else float(grace)):
        await _destroy(parts, held, seen)
    parts.publish(held, "stop")


async def _request(parts: Parts, held: Held) -> int | None:
    """Record that its end is wanted. None: there is nothing to end."""
    async with held.lock:
        phase = held.run.phase
        if phase is Phase.RESTARTING:
            await parts.registry.run(held, held.run.replace(phase=Phase.EXITED, requested=True))
            parts.publish(held, "stop")
            return None
        if not phase.alive:
            return None
        seen = held.ended
        await parts.registry.run(held, held.run.replace(requested=True))
        return seen


def _send(parts: Parts, held: Held, number: int) -> None:
    try:
        parts.runtime.signal(handle_of(held), number)
    except NotRunning:
        return  # it ended by itself in this moment
    parts.publish(held, "kill", {"signal": str(number)})


async def _thaw(parts: Parts, held: Held) -> None:
    """A frozen process handles no signal."""
    async with held.lock:
        if held.run.phase is Phase.PAUSED:
            await parts.runtime.unpause(parts.bundle(held))
            await parts.registry.run(held, held.run.replace(phase=Phase.RUNNING), durable=False)


async def _destroy(parts: Parts, held: Held, seen: int) -> None:
    if held.run.phase.alive and held.ended == seen:
        _send(parts, held, signals.SIGKILL)
    if not await parts.ended(held, seen, KILL_PATIENCE):
        raise EngineError(
            f"cannot stop container {held.name}: it is still there {KILL_PATIENCE:.0f} seconds after SIGKILL",
            hint="a process in uninterruptible sleep (a hanging disk or network file system) holds it",
        )


async def kill(parts: Parts, held: Held, signal: str = "SIGKILL") -> None:
    """Send a signal; SIGKILL and its stop signal are requests to end. NotRunning, InvalidArgument."""
    number = signal_number(signal or "SIGKILL")
    final = number in (signals.SIGKILL, signal_number(held.record.config.stop_signal or "SIGTERM"))
    waits = held.run.phase in (Phase.RESTARTING, Phase.STARTING)
    if not held.run.phase.alive and not (final and waits):
        raise NotRunning(f"cannot kill container: {held.name}: container {held.id} is not running")
    seen = await _request(parts, held) if final else held.ended
    if seen is None:
        return
    _send(parts, held, number)
    if final:
        await _thaw(parts, held)
    if number == signals.SIGKILL:
        await _destroy_wait(parts, held, seen)


async def _destroy_wait(parts: Parts, held: Held, seen: int) -> None:
    if not await parts.ended(held, seen, KILL_PATIENCE):
        raise EngineError(f"cannot kill container {held.name}: it is still there {KILL_PATIENCE:.0f} seconds after SIGKILL")


async def restart(parts: Parts, held: Held, *, signal: str = "", timeout: int | None = None) -> None:
    """Stop, start. auto_remove and policies wait meanwhile."""
    held.keep = True
    try:
        await stop(parts, held, signal=signal, timeout=timeout)
        await start(parts, held)
    finally:
        held.keep = False
    parts.publish(held, "restart")


async def pause(parts: Parts, held: Held) -> None:
    """NotRunning; Conflict: it is paused already."""
    async with held.lock:
        if held.run.phase is Phase.PAUSED:
            raise Conflict(f"Container {held.id} is already paused")
        if held.run.phase is not Phase.RUNNING:
            raise NotRunning(f"Container {held.id} is not running")
        await parts.runtime.pause(parts.bundle(held))
        await parts.registry.run(held, held.run.replace(phase=Phase.PAUSED), durable=False)
    parts.publish(held, "pause")


async def unpause(parts: Parts, held: Held) -> None:
    """Conflict: it is not paused."""
    async with held.lock:
        if held.run.phase is not Phase.PAUSED:
            raise Conflict(f"Container {held.id} is not paused")
        await parts.runtime.unpause(parts.bundle(held))
        await parts.registry.run(held, held.run.replace(phase=Phase.RUNNING), durable=False)
    parts.publish(held, "unpause")
