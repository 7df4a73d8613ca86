"""A watch at the terminal: in the foreground (`composer watch`), or in a thread beside the logs (`composer up --watch`)."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from composer.cli.app import App
from composer.cli.dev import keys
from composer.cli.dev.door import Daemon
from composer.cli.dev.voice import Terminal
from composer.cli.resolve import NoSuchService
from composer.cli.stack import Refused
from composer.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from composer.watch.watching import Watching

STOPPING = 15.0  # seconds that the end of a watch may take


class Dev:
    """``options``: those of `up` when the stack's files change; ``services``: whose rules hold (none: all)."""

    def __init__(self, app: App, options: Mapping[str, Any], services: Sequence[str], *, quiet: bool = False, prune: bool = True) -> None:
        self.voice = Terminal(app, quiet=quiet)
        self.door = Daemon(app, self.voice, options, prune=prune)
        self.services = services
        self.watching: Watching | None = None

    async def run(self) -> None:
        """Until cancelled. Refused: the stack's files are wrong; NoSuchService."""
        subject = await self.door.load()
        if subject is None:
            raise Refused("", None, EXIT_USAGE)
        for name in self.services:
            if name not in subject.services:
                raise NoSuchService(name, subject.services)
        self.watching = Watching(subject, self.door, self.voice, frozenset(self.services) or None)
        told = sorted(name for name, service in subject.services.items() if service.rules and (not self.services or name in self.services))
        enabled = "Watch enabled" + (f" for {', '.join(told)}" if told else ": no service has `develop.watch`, the stack's files only")
        try:
            await self.watching.run(lambda: self.voice.note(enabled))
        except BaseExceptionGroup as errors:
            raise _innermost(errors) from errors

    def press(self, key: str) -> None:
        """A key that concerns the watch."""
        if self.watching is None:
            return
        if key == keys.WATCH:
            self.voice.note("Watch disabled" if self.watching.pause() else "Watch enabled")
        elif key == keys.REBUILD:
            self.voice.note("Rebuilding")
            self.watching.rebuild()


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def watch(dev: Dev) -> int:
    """In the foreground, until a key (d, q) or a signal ends it; the exit code."""
    with keys.keys() if keys.interactive() else nullcontext():
        return asyncio.run(_until_ended(dev))


async def _until_ended(dev: Dev) -> int:
    loop = asyncio.get_running_loop()
    work = asyncio.ensure_future(dev.run())
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        work.cancel()

    def key() -> None:
        for one in keys.pressed():
            if one in (keys.DETACH, keys.QUIT):
                end(EXIT_OK)
            else:
                dev.press(one)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, EXIT_INTERRUPTED)
    listens = keys.interactive()
    if listens:
        loop.add_reader(0, key)
        dev.voice.note(keys.offer(watch=True))
    try:
        await work
    except asyncio.CancelledError:
        if not codes:
            raise
    finally:
        if listens:
            loop.remove_reader(0)
    return codes[0] if codes else EXIT_OK


class Beside:
    """A watch in a thread of its own. ``error``: what ended it before its time."""

    def __init__(self, dev: Dev) -> None:
        self.dev = dev
        self.error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dev", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._begun.wait(STOPPING)

    def press(self, key: str) -> None:
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self.dev.press, key)

    def stop(self) -> None:
        """End it and wait for that, not for ever."""
        if self._loop is not None and self._task is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join(STOPPING)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except asyncio.CancelledError:
            return
        except BaseException as error:  # noqa: BLE001 (it is raised by who started the thread)
            self.error = error

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._begun.set()
        await self.dev.run()
