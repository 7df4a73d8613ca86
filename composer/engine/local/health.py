"""Health checks: one scheduler for all containers. A probe is an exec with a time limit; what it means is decided by `lifecycle`.

At most `AT_ONCE` probes run at a time. Of a probe's output the first 4,096 bytes are kept, of the results the last five, as in Docker.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import os
import time

from composer.engine.local.containers.exec import launch
from composer.engine.local.containers.parts import Parts, now, seconds
from composer.engine.local.containers.registry import Held
from composer.engine.local.lifecycle import HealthState, Phase, Timing, has_check, next_probe, probed, timing
from composer.engine.local.runtime import ExecHandle, Handle
from composer.engine.model import ExecConfig, HealthConfig, HealthResult
from composer.errors import ComposerError

log = logging.getLogger(__name__)
OUTPUT = 4096  # bytes kept of a probe's output
RESULTS = 5
AT_ONCE = 16
_KILLED = 5.0  # seconds that a probe may take to be gone once it was killed


class Health:
    """Call `run` as a task of the engine; `follow` each container that starts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._due: list[tuple[float, int, Held, Handle]] = []  # monotonic time, tie-breaker, of which run
        self._number = 0
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)

    def follow(self, held: Held) -> None:
        """Probe it from now on, for as long as this run of it lasts."""
        config = held.record.config.healthcheck
        if config is None or not has_check(config) or held.run.handle is None:
            return
        state = held.run.health or HealthState()
        self._schedule(held, held.run.handle, next_probe(state, timing(config), up=self._up(held)))

    def _schedule(self, held: Held, handle: Handle, delay: float) -> None:
        self._number += 1
        heapq.heappush(self._due, (time.monotonic() + delay, self._number, held, handle))
        self._wake.set()

    async def run(self) -> None:
        """The scheduler: sleeps until the next probe is due."""
        while True:
            self._wake.clear()
            delay = self._due[0][0] - time.monotonic() if self._due else None
            if delay is not None and delay <= 0:
                _, _, held, handle = heapq.heappop(self._due)
                if held.run.handle == handle:
                    self._parts.tasks.spawn(self._turn(held, handle), f"health of {held.id[:12]}")
                continue
            try:
                async with asyncio.timeout(delay):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _up(self, held: Held) -> float:
        return max(0.0, time.time() - seconds(held.run.started_at))

    async def _turn(self, held: Held, handle: Handle) -> None:
        config = held.record.config.healthcheck
        if config is None or held.run.handle != handle:
            return
        times = timing(config)
        if held.run.phase is Phase.RUNNING:  # a paused one is not probed
            up = self._up(held)
            async with self._slots:
                result = await self._probe(held, config, times)
            if held.run.handle != handle:
                return
            await self._record(held, times, result, up)
        self._schedule(held, handle, next_probe(held.run.health or HealthState(), times, up=self._up(held)))

    async def _record(self, held: Held, times: Timing, result: HealthResult, up: float) -> None:
        before = held.run.health or HealthState()
        after = probed(before, times, exit_code=result.exit_code, up=up)
        entries = (*held.run.health_log, result)[-RESULTS:]
        await self._parts.registry.run(held, held.run.replace(health=after, health_log=entries), durable=False)
        if after.status != before.status:
            self._parts.publish(held, f"health_status: {after.status}")

    async def _probe(self, held: Held, config: HealthConfig, times: Timing) -> HealthResult:
        began = now()
        try:
            code, output = await self._run(held, _command(held, config), times.timeout)
        except ComposerError as error:
            code, output = -1, error.message
        return HealthResult(start=began, end=now(), exit_code=code, output=output)

    async def _run(self, held: Held, command: tuple[str, ...], limit: float) -> tuple[int, str]:
        handle = await launch(self._parts, held, ExecConfig(cmd=command), os.urandom(32).hex())
        try:
            async with asyncio.timeout(limit):
                output = await _read(handle)
                code = await handle.wait()
        except TimeoutError:
            handle.kill()
            try:
                async with asyncio.timeout(_KILLED):
                    await handle.wait()
            except TimeoutError:
                log.warning("a health probe of %s does not end, although it was killed", held.name)
            return -1, f"Health check exceeded timeout ({_duration(limit)})"
        finally:
            await handle.stream.close()
        return (-1 if code is None else code), output.decode(errors="replace")


def _command(held: Held, config: HealthConfig) -> tuple[str, ...]:
    if config.test[0] == "CMD-SHELL":
        return (*(held.record.config.shell or ("/bin/sh", "-c")), *config.test[1:])
    return config.test[1:]


async def _read(handle: ExecHandle) -> bytes:
    kept = b""
    async for frame in handle.stream:
        kept += frame.data[: max(0, OUTPUT - len(kept))]
    return kept


def _duration(limit: float) -> str:
    return f"{limit:g}s" if limit >= 1 else f"{limit * 1000:g}ms"
