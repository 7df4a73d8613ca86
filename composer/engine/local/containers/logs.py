"""A container's log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from composer.engine.errors import InvalidArgument
from composer.engine.local.containers.parts import Parts
from composer.engine.local.containers.registry import Held
from composer.engine.local.runtime.logs import LogFile, limits
from composer.engine.model import LogFrame, LogOptions


def file(parts: Parts, held: Held) -> LogFile | None:
    """None: it keeps no log (driver none)."""
    config = held.record.config.host_config.log_config
    bounds = limits(config.type, config.config)
    path = parts.bundle(held).log
    return LogFile(path, *bounds) if bounds is not None and path is not None else None


async def read(parts: Parts, held: Held, options: LogOptions) -> AsyncIterator[LogFrame]:
    """The lines; with ``follow`` until this run of it ends. InvalidArgument: it keeps none, or neither stream is asked for."""
    log = file(parts, held)
    if log is None:
        raise InvalidArgument("configured logging driver does not support reading")
    if not (options.stdout or options.stderr):
        raise InvalidArgument("Bad parameters: you must choose at least one stream")
    ended = held.finished
    if not held.run.phase.alive:
        ended.set()
    async with aclosing(log.read(options, ended=ended)) as frames:
        async for frame in frames:
            yield frame
