"""What every task of the daemon waits for, written to a file on SIGUSR1: as dockerd dumps its goroutines, to see why something hangs."""

from __future__ import annotations

import asyncio
import io
import time
from pathlib import Path


def dump_tasks(run: Path) -> Path:
    """Write the stacks of all tasks to ``run``/tasks-<seconds>.txt; no values, only places in the code."""
    out = io.StringIO()
    for task in sorted(asyncio.all_tasks(), key=lambda task: task.get_name()):
        out.write(f"{task.get_name()}: {getattr(task.get_coro(), '__qualname__', task.get_coro())}\n")
        awaited: object = task.get_coro()
        while awaited is not None:
            frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
            if frame is not None:
                out.write(f"    {frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}\n")
            awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)
    path = run / f"tasks-{int(time.time())}.txt"
    path.write_text(out.getvalue())
    return path
