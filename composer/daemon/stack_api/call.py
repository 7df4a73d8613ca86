"""One call of a verb: its options, what it says while it works, and how it is interrupted.

A **verb** is a coroutine function (Stacks, Call) -> the fields of its result. It runs in a task of its own: when the client goes away
(Ctrl-C), it is told to begin nothing new and comes to an end in good order, though nobody listens any more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from composer.daemon.stack_api.options import Options
from composer.engine.errors import InvalidArgument
from composer.errors import Diagnostic
from composer.reconcile.execute import Execution
from composer.reconcile.model import Outcome, Progress

Line = dict[str, Any]


class Call:
    """``project``: the request's project as JSON; ``options``: the verb's. ``emit`` takes one line of the answer."""

    def __init__(self, body: Mapping[str, Any], emit: Callable[[Line], None]) -> None:
        project, options = body.get("project") or {}, body.get("options") or {}
        if not isinstance(project, dict) or not isinstance(options, dict):
            raise InvalidArgument("project and options must be JSON objects")
        self.project: dict[str, Any] = project
        self.options = Options(options)
        self.emit = emit
        self.cancelled = False
        self.told_isolated = False  # the ports of an isolated stack are told once
        self.began = time.time()
        self.did: list[tuple[str, list[Outcome]]] = []  # what was done to which stack, plan by plan
        self.room: Callable[[], Awaitable[None]] | None = None  # set by who sends the lines: waits while too many are waiting
        self._execution: Execution | None = None
        self._task: asyncio.Task[None] | None = None
        self._quiet: set[str] = set()

    def variable(self, name: str) -> bool:
        """Whether a variable of the client's environment says yes."""
        environment = self.project.get("environment") or {}
        return str(environment.get(name, "")).lower() in ("1", "true", "yes", "on", "y", "t")

    async def send(self, line: Line) -> None:
        """As `emit`, at the pace of the client."""
        if self.room is not None:
            await self.room()
        self.emit(line)

    def progress(self, line: Progress) -> None:
        """A line of progress."""
        found: Line = {"kind": "progress", "id": line.id, "status": line.status, "done": line.done, "error": line.error}
        self.emit({**found, "detail": line.detail})

    def warn(self, text: str) -> None:
        """A warning in words; the same one only once."""
        if text not in self._quiet:
            self._quiet.add(text)
            self.emit({"kind": "diagnostic", "severity": "warning", "text": text})

    def diagnose(self, found: Diagnostic) -> None:
        self.emit({"kind": "diagnostic", "severity": found.severity, "text": found.render(), "code": found.code})

    def blocked(self, holder: str) -> None:
        """Another command works on the stack."""
        self.warn(f"waiting for `{holder}`, which is at work on this stack")

    # Interruption.

    def begin(self, execution: Execution) -> Execution:
        """From here on an interruption goes to the execution."""
        self._execution = execution
        if self.cancelled:
            execution.cancel()
        return execution

    def end(self) -> None:
        self._execution = None

    async def run(self, work: Awaitable[None]) -> None:
        """The body of the call's task."""
        self._task = asyncio.current_task()
        await work

    def cancel(self) -> None:
        """The client is gone."""
        if self.cancelled:
            return
        self.cancelled = True
        if self._execution is not None:
            self._execution.cancel()
        elif self._task is not None:
            self._task.cancel()
