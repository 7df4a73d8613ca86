"""What follows the end of a container's process: everything of the kernel's is released, and the end is recorded and told."""

from __future__ import annotations

import asyncio
import logging

from composer.engine.local.archive import finish
from composer.engine.local.containers import mounting
from composer.engine.local.containers.parts import Parts, now, rfc3339, seconds
from composer.engine.local.containers.registry import Held
from composer.engine.local.lifecycle import Attempts, Phase, after_exit
from composer.engine.local.linux.mount import unmount_all
from composer.engine.local.runtime import Exit
from composer.errors import ComposerError

log = logging.getLogger(__name__)
UNKNOWN = 255  # the exit status when nobody can tell it


async def release(parts: Parts, held: Held) -> None:
    """Remove cgroup, bundle, mounts, network sandbox; idempotent. The root is unmounted before its directory is removed.

    What cannot be removed now is told in the log, and removed by the next start of the engine (no row owns it then).
    """
    if held.released:
        return
    bundle = parts.bundle(held)

    async def files() -> None:
        await mounting.release(parts, held)
        await finish(lambda: unmount_all(bundle.rootfs))
        await parts.runtime.delete(bundle)

    held.released = True
    for result in await asyncio.gather(files(), parts.networks.release(held.id), return_exceptions=True):
        if isinstance(result, (OSError, ComposerError)):
            held.released = False
            log.warning("container %s: not all could be released: %s", held.id[:12], result)
        elif isinstance(result, BaseException):
            held.released = False
            raise result


async def ended(parts: Parts, held: Held, exit: Exit) -> Attempts | None:
    """Its process has ended: release, record, tell `die`. Returns when to start it again, or None. The caller holds the lock."""
    await release(parts, held)
    run = held.run
    code = UNKNOWN if exit.code is None else exit.code
    finished = rfc3339(int(exit.finished_at * 1e9)) if exit.finished_at else now()
    finished = max(finished, run.started_at)  # a file's time may lag by a tick
    ran = max(0.0, exit.finished_at - seconds(run.started_at))
    policy = held.record.config.host_config.restart_policy
    again = after_exit(policy, run.attempts, exit_code=code, requested=run.requested or held.keep, ran=ran)
    held.ended += 1
    held.finished.set()
    await parts.registry.run(
        held,
        run.replace(
            phase=Phase.RESTARTING if again else Phase.EXITED,
            exit_code=code,
            error="" if exit.code is not None else "exit status unknown: the process that kept it (conmon) was killed",
            oom_killed=exit.oom,
            finished_at=finished,
            handle=None,
            networks={},
            ports={},
            attempts=again or run.attempts,
        ),
        durable=False,
    )
    if exit.oom:
        parts.publish(held, "oom")
    parts.publish(held, "die", {"exitCode": str(code), "execDuration": str(int(ran))})
    return again
