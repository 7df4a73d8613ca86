"""Calls of ``/composer/v1``: the project goes there, progress, diagnostics and the result come back, line by line.

A **verb** is one such call. Files that the daemon needs are read and the call is sent again; diagnostics go to stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from composer.cli.app import App
from composer.cli.console import CYAN, RED, YELLOW
from composer.cli.http import Reply, WireError
from composer.cli.project import contents, project
from composer.errors import EXIT_USAGE, ComposerError

ROUNDS = 20  # an include in an include in an include ...
Line = dict[str, Any]
# the verbs that mean a stack file, also when a project's name is given; the others then mean what exists of that name
WITH_FILES = frozenset({"load", "config", "up", "plan", "create", "scale", "run", "build", "pull", "push"})


class Refused(ComposerError):
    """A verb ended with a failure. ``message`` may be empty: the diagnostics have said it."""

    code = "stack.refused"

    def __init__(self, message: str, hint: str | None, exit_code: int) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


class Call:
    """One verb on its way: send it, answer its needs, and give its lines."""

    def __init__(self, app: App, verb: str, options: dict[str, Any]) -> None:
        self.app = app
        self.verb = verb
        self.options = options if app.parallel is None else {**options, "parallel": app.parallel}
        self.project = project(app, search=verb in WITH_FILES)
        self.reply: Reply | None = None
        self.rest = b""
        self._rounds = 0
        self._result: Line | None = None
        self._need: list[str] = []
        self._providers: list[Line] = []
        self.send()

    def send(self) -> None:
        self.rest = b""
        body = {"project": self.project, "options": self.options}
        self.reply = self.app.client.stream("POST", f"/composer/v1/{self.verb}", body=body)

    def fileno(self) -> int:
        assert self.reply is not None
        return self.reply.fileno()

    @property
    def done(self) -> bool:
        return self._result is not None

    @property
    def result(self) -> Line:
        """The last line. Raises Refused when it says so."""
        if self._result is None:
            raise WireError("the daemon ended its answer without a result", hint="see: composer engine logs")
        code = int(self._result.get("exit", 0))
        message = str(self._result.get("message") or "")
        if code:
            raise Refused(message, self._result.get("hint"), code)
        if message:
            self.app.warn(message)
        return self._result

    def close(self) -> None:
        if self.reply is not None:
            self.reply.connection.close()

    def lines(self, wait: float | None = None) -> Iterator[Line | None]:
        """All lines but needs, diagnostics and the result; None after ``wait`` idle seconds."""
        while not self.done:
            assert self.reply is not None
            for raw in self.reply.lines(wait):
                if raw is None:
                    yield None
                elif (line := self.take(raw)) is not None:
                    yield line
            if not self.again():
                break

    def ready(self) -> list[Line]:
        """What one receive brings (the socket is readable): for loops over several sockets."""
        assert self.reply is not None
        self.rest += self.reply.feed()
        if self.reply.ended and self.rest:
            self.rest += b"\n"
        *whole, self.rest = self.rest.split(b"\n")
        lines = [line for raw in whole if raw.strip() and (line := self.take(raw)) is not None]
        if self.reply.ended and not self.done and not self.again():
            raise WireError("the daemon ended its answer without a result", hint="see: composer engine logs")
        return lines

    def take(self, raw: bytes) -> Line | None:
        """Keep what concerns the call itself; give the rest."""
        line: Line = json.loads(raw)
        kind = line.get("kind")
        if kind == "need":
            self._need.extend(line.get("paths") or ())
            self._providers = line.get("providers") or []
        elif kind == "diagnostic":
            diagnostic(self.app, line)
        elif kind == "result":
            self._result = line
        else:
            return line
        return None

    def again(self) -> bool:
        """Read what was needed and send again; False when nothing was."""
        if self.done or not (self._need or self._providers):
            return False
        self._rounds += 1
        if self._rounds > ROUNDS:
            raise ComposerError("the stack's files include each other too deeply", hint=f"the last one asked for: {self._need[-1]}")
        self.project["contents"].update(contents(self._need))
        self._need = []
        if self._providers:
            from composer.cli.provider import provide

            self.project["provided"] = provide(self.app, self._providers, "up")
            self._providers = []
        self.send()
        return True


def diagnostic(app: App, line: Line) -> None:
    """A finding about the files, to stderr, its severity coloured."""
    text = str(line.get("text", ""))
    severity = str(line.get("severity", "error"))
    colour = RED if severity == "error" else YELLOW
    app.warn(text.replace(f"{severity}:", app.console.paint(f"{severity}:", colour), 1))


def run(
    app: App,
    verb: str,
    options: dict[str, Any],
    *,
    on_line: Callable[[Line], None] | None = None,
    without: tuple[str, ...] = (),
) -> Line:
    """Do a verb, with its progress shown; its result. ``without``: beginnings of statuses that are not shown. Raises Refused."""
    from composer.cli.progress import progress

    call = Call(app, verb, options)
    bar = progress(app.console, dry_run=app.dry_run)
    wait = 0.1 if app.console.style == "tty" else None
    try:
        for line in call.lines(wait):
            if line is None:
                bar.tick()
            elif line.get("kind") == "progress":
                if line.get("error") or not without or not str(line.get("status")).startswith(without):
                    bar.event(line)
            elif on_line is not None:
                on_line(line)
    finally:
        bar.close()
        call.close()
    return call.result


def load(app: App, *, all_profiles: bool = False, model: bool = False) -> Line:
    """What the files say: name, directory, services. Raises Refused."""
    options = {"model": model, "all_profiles": all_profiles}
    call = Call(app, "load", options)
    for _ in call.lines():
        pass
    call.close()
    return call.result


def show_error(app: App, error: ComposerError) -> None:
    """One clear line on stderr, and the hint beneath."""
    if error.message:
        app.warn(f"{app.console.paint('Error:', RED)} {error.message}" if _bare(error) else error.message)
    if error.hint:
        app.warn(f"  {app.console.paint('hint:', CYAN)} {error.hint}")
    sys.stderr.flush()


def _bare(error: ComposerError) -> bool:
    """Has the message no head of its own? (Rendered diagnostics have: ``stack.yml:3:5: error: ...``.)"""
    return not (error.exit_code == EXIT_USAGE and " error: " in error.message)
