"""``up`` in the foreground: the stack comes up, its output is shown, and Ctrl-C (or SIGTERM) stops it.

One loop over three kinds of sockets: the `up` call, the engine's events, the containers' logs. It ends when all containers of the
services that were asked for have ended for good, or when the stack was stopped. With ``--watch`` files are watched beside it (`dev`), and
it goes on whatever containers do; with ``--menu`` keys are obeyed.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from composer.cli.app import App
from composer.cli.containers import of_project
from composer.cli.logs import LogPrinter, Wanted
from composer.cli.options import asked
from composer.cli.progress import progress
from composer.cli.resolve import NoSuchService
from composer.cli.stack import Call, load
from composer.cli.watch import Events, Follower, Loop
from composer.errors import EXIT_INTERRUPTED, ComposerError

if TYPE_CHECKING:
    from composer.cli.dev.dev import Beside

TICK = 0.1  # seconds


@dataclass(frozen=True)
class Descriptor:
    """A source that is no socket: the terminal."""

    number: int

    def fileno(self) -> int:
        return self.number


class Foreground:
    """One run of `up`. ``options`` are the verb's, ``flags`` the command line's."""

    def __init__(self, app: App, options: dict[str, Any], flags: dict[str, Any]) -> None:
        self.app = app
        self.options = options
        self.flags = flags
        self.interrupts = 0
        self.handled = 0
        self.exit_code: int | None = None
        self.stopping: Call | None = None
        self.beside: Beside | None = None  # the watch, when there is one
        self.detached = False
        self.bar = progress(app.console)
        self.loop = Loop()
        self.name = ""

    def run(self) -> int:
        """The exit code."""
        before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with self._menu():
                return self._run()
        finally:
            if self.beside is not None:
                self.beside.stop()
            self.bar.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.interrupts += 1

    def _run(self) -> int:
        began = f"{time.time():.9f}"
        stack = load(self.app)
        self.name = str(stack["name"])
        services = {str(service["name"]): service for service in stack["services"]}
        selected = self._selected(services)
        self.follower = Follower(
            self.app.client,
            self.loop,
            LogPrinter(
                self.app.console,
                prefix=not self.flags["no_log_prefix"],
                colour=not self.flags["no_color"],
                timestamps=self.flags["timestamps"],
            ),
            Wanted(follow=True, since=began),
            services=selected | self._shown(services, selected),
            shown=self._shown(services, selected),
            tell_exit=True,
            on_exit=self._exited,
        )
        self.monitored = selected
        if self.flags["watch"] and not self.options["services"]:
            self.follower.services = None  # also those that the file gets while it is watched
            if self.follower.shown == set(services):
                self.follower.shown = None
        self._register(services)
        events = Events(self.app.client, self.name)
        self.follower.listen(events)
        for row in of_project(self.app.client, self.name, services=self.follower.services or ()):
            if row.get("State") in ("running", "paused", "restarting"):
                self.follower.add(row)
        self.up: Call | None = Call(self.app, "up", self.options)
        self._start(self.up)
        if self.menu:
            self.loop.add(Descriptor(0), self._press)
        self._pump(events)
        if self.detached:
            return 0
        if self.exit_code is not None:
            return self.exit_code
        return EXIT_INTERRUPTED if self.handled else 0

    def _selected(self, services: dict[str, Any]) -> set[str]:
        names = self.options["services"]
        for one in [*names, *self.flags["attach"], *self.flags["no_attach"], *filter(None, [self.flags["exit_code_from"]])]:
            if one not in services:
                raise NoSuchService(one, services)
        return set(names) if names else {name for name, service in services.items() if service.get("enabled", True)}

    def _shown(self, services: dict[str, Any], selected: set[str]) -> set[str]:
        """The services whose output is printed."""
        shown = set(self.flags["attach"])
        if not shown:
            shown = {name for name in selected if services[name].get("attach") is not False}
            left = list(shown) if self.flags["attach_dependencies"] else []
            while left:
                for needed in services[left.pop()].get("depends_on") or ():
                    if needed in services and needed not in shown:
                        shown.add(needed)
                        left.append(needed)
        return shown - set(self.flags["no_attach"])

    def _register(self, services: dict[str, Any]) -> None:
        """All that will speak, so that the prefixes are aligned from the first line on."""
        names: list[str] = []
        for name in sorted(self.follower.shown or ()):
            service = services[name]
            given = service.get("container_name")
            scale = self.options["scale"].get(name, service.get("scale"))
            names += [given] if given else [f"{name}-{number + 1}" for number in range(1 if scale is None else scale)]
        self.follower.printer.register(names)
        if names:
            click.echo(f"Attaching to {', '.join(names)}")

    def _pump(self, events: Events) -> None:
        while not self._finished():
            self._obey()
            if not self.loop.turn(TICK) and self.up is not None:
                self.bar.tick()
            if events.ended:
                raise ComposerError("the engine has stopped", hint="start it, and see: composer engine logs")
            if self.beside is not None and self.beside.error is not None:
                raise self.beside.error

    # Watch and keys.

    @contextmanager
    def _menu(self) -> Iterator[None]:
        """Keys are obeyed when somebody can press them: with --menu, or with --watch unless --no-menu."""
        from composer.cli.dev.keys import interactive, keys

        wish = self.flags["menu"] if self.flags["menu"] is not None else self.flags["watch"] or asked("COMPOSE_MENU")
        self.menu = bool(wish) and interactive()
        if not self.menu:
            yield
            return
        with keys():
            yield

    def _watch(self) -> None:
        """Begin to watch: the stack is up."""
        from composer.cli.dev.dev import Beside, Dev

        options = {**self.options, "build": False, "force_recreate": False, "renew_anon_volumes": False}
        self.beside = Beside(Dev(self.app, options, self.options["services"], quiet=self.flags["quiet_build"]))
        self.beside.start()

    def _press(self) -> None:
        from composer.cli.dev import keys

        for key in keys.pressed():
            if key == keys.DETACH and self.up is None:
                self.detached = True
            elif key == keys.QUIT:
                self.interrupts += 1
            elif key == keys.WATCH and self.beside is None and self.up is None:
                self._watch()
            elif self.beside is not None:
                self.beside.press(key)

    def _finished(self) -> bool:
        if self.detached:
            return True
        if self.up is not None or (self.stopping is not None and not self.stopping.done):
            return False
        if self.beside is not None and self.stopping is None:
            return False
        return not any(service in self.monitored for service, _ in self.follower.alive.values())

    def _progress(self, call: Call) -> None:
        """What a verb (`up`, or the `stop` of the end) says; its failure is raised."""
        descriptor = call.fileno()
        for line in call.ready():
            if line.get("kind") == "progress":
                self.bar.event(line)
        if call.done:
            self.loop.drop(descriptor)
            self.bar.close()
            call.close()
            came_up, self.up = call is self.up, None if call is self.up else self.up
            _ = call.result
            if came_up:
                self._is_up()
        elif call.fileno() != descriptor:  # it has been sent again, with more files
            self.loop.drop(descriptor)
            self._start(call)

    def _is_up(self) -> None:
        if self.flags["watch"]:
            self._watch()
        if self.menu:
            from composer.cli.dev.keys import offer

            self.app.warn(offer(watch=bool(self.flags["watch"])))

    def _start(self, call: Call) -> None:
        self.loop.add(call, lambda: self._progress(call))

    def _exited(self, service: str, container: str, code: int) -> None:
        """A container ended for good: is that the end of all?"""
        if self.flags["exit_code_from"] == service:
            self.exit_code = code
        abort = self.flags["abort_on_container_exit"] or (self.flags["abort_on_container_failure"] and code)
        if abort and self.stopping is None:
            if self.exit_code is None and not self.flags["exit_code_from"]:
                self.exit_code = code
            self.app.warn("Aborting on container exit...")
            self._stop("stop")

    def _obey(self) -> None:
        """Ctrl-C: the first stops, the second kills."""
        if self.interrupts == self.handled:
            return
        self.handled += 1
        if self.handled == 1:
            self.exit_code = EXIT_INTERRUPTED
            self.app.warn("Gracefully Stopping... press Ctrl+C again to force")
            self._stop("stop")
        elif self.handled == 2:
            self._stop("kill")
        else:
            raise KeyboardInterrupt

    def _stop(self, verb: str) -> None:
        if self.beside is not None:
            self.beside.stop()
        if self.up is not None:
            self.loop.drop(self.up.fileno())
            self.up.close()
            self.up = None
        options = {"services": self.options["services"], "timeout": self.options["timeout"]}
        call = Call(self.app, verb, options if verb == "stop" else {"services": self.options["services"], "signal": "SIGKILL"})
        self.stopping = call
        self._start(call)
