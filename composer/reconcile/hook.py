"""Running a hook (`post_start`, `pre_stop`) in a container. Its output is drained, not kept."""

from __future__ import annotations

import asyncio

from composer.engine.errors import EngineError
from composer.engine.interface import Engine
from composer.engine.model import ExecConfig
from composer.errors import ComposerError
from composer.reconcile.model import Hook


async def run_hook(engine: Engine, ident: str, name: str, hook: Hook) -> None:
    """Run it to its end. Raises EngineError when it cannot be run, ComposerError when it fails."""
    config = ExecConfig(
        attach_stdout=True,
        attach_stderr=True,
        cmd=hook.command,
        user=hook.user,
        privileged=hook.privileged,
        working_dir=hook.working_dir,
        env=hook.environment,
    )
    exec_id = await engine.containers.exec_create(ident, config)
    stream = await engine.containers.exec_start(exec_id)
    last = b""
    if stream is not None:
        try:
            async for frame in stream:
                last = (last + frame.data)[-400:]
        finally:
            await stream.close()
    code = await _exit_code(engine, exec_id)
    if code is None:
        raise EngineError(f"the exit status of a hook of {name} is unknown")
    if code != 0:
        raise ComposerError(
            f"{name} hook exited with status {code}", hint=last.decode(errors="replace").strip() or None, code="hook-failed"
        )


async def _exit_code(engine: Engine, exec_id: str) -> int | None:
    """The status is there a moment after the output has ended."""
    for pause in (0.0, 0.002, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0):
        await asyncio.sleep(pause)
        found = await engine.containers.exec_inspect(exec_id)
        if found.exit_code is not None and not found.running:
            return found.exit_code
    return None
