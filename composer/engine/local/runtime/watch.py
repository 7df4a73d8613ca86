"""How a container ended: its first process and its conmon are watched by pidfd in the event loop, without polling.

Two sources tell the exit status: conmon's exit file (always, while conmon lives), and the kernel (PIDFD_GET_INFO, Linux 6.15) when
conmon was killed. When neither tells, the status is unknown, and said so (DESIGN trap 5).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

from composer.engine.local.linux.process import ProcessId, exit_status
from composer.engine.local.runtime.bundle import Bundle, Exit, Handle

CONMON_PATIENCE = 10.0  # seconds from the end of the first process to conmon's exit file
REAP_PATIENCE = 5.0  # seconds until some parent has reaped an orphan, before the kernel tells its status (PID 1 may be slow: FACTS 1.5)


async def ended(process: ProcessId) -> int | None:
    """Wait until ``process`` has ended; then a pidfd of it, for the caller to close. None when it had ended before."""
    try:
        pidfd = process.open()
    except ProcessLookupError:
        return None
    try:
        await readable(pidfd)
    except BaseException:
        os.close(pidfd)
        raise
    return pidfd


async def readable(fd: int) -> None:
    """Wait until ``fd`` is readable (a pidfd is when its process has ended)."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_reader(fd, done.set)
    try:
        await done.wait()
    finally:
        loop.remove_reader(fd)


async def wait(bundle: Bundle, handle: Handle) -> Exit:
    """Wait for the end of the container. ``oom`` tells conmon's file only; the cgroup's count is the caller's to add."""
    pidfd = await ended(handle.init)
    try:
        code, finished = _told(bundle)
        if code is None:
            await _conmon_ended(handle.conmon)
            code, finished = _told(bundle)
        if code is None and pidfd is not None:
            code = await _kernel_tells(pidfd)
    finally:
        if pidfd is not None:
            os.close(pidfd)
    return Exit(code, bundle.oom_file.exists(), finished or time.time())


def _told(bundle: Bundle) -> tuple[int | None, float | None]:
    with contextlib.suppress(FileNotFoundError, ValueError):
        code = int(bundle.exit_file.read_text())
        return (code if code >= 0 else None), bundle.exit_file.stat().st_mtime
    return None, None


async def _conmon_ended(conmon: ProcessId) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CONMON_PATIENCE):
            pidfd = await ended(conmon)
            if pidfd is not None:
                os.close(pidfd)


async def _kernel_tells(pidfd: int) -> int | None:
    deadline = time.monotonic() + REAP_PATIENCE
    while (status := exit_status(pidfd)) is None and time.monotonic() < deadline:  # noqa: ASYNC110 (the kernel gives no event)
        await asyncio.sleep(0.05)
    if status is None:
        return None
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
