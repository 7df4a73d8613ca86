"""Which paths changed, in batches, by watchfiles (inotify): 30 ms of quiet end a batch, 150 ms bound it; nothing chatty starves the rest.

Events are hints: who gets a path looks at it. Where inotify's limits are reached, the sysctl is named and the trees are polled. An overflow
of the kernel's queue is not told by watchfiles, so a large batch means "look at everything" (`Batch.everything`).
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from composer.errors import ComposerError
from composer.watch.cover import Cover

QUIET, BOUND = 30, 150  # milliseconds
LARGE = 2000  # paths in one batch: the kernel's queue (16,384 events) may have run over
_ENDING = 2.0  # seconds that a watching thread may take to end
_ATTEMPTS = 5  # to watch directories that come and go meanwhile
_POLL = 400  # milliseconds between two looks when polling
LIMITS = {28: "fs.inotify.max_user_watches", 24: "fs.inotify.max_user_instances"}


class Unwatchable(ComposerError):
    """The trees can neither be watched nor polled."""

    code = "watch.unwatchable"


@dataclass(frozen=True)
class Batch:
    paths: frozenset[str]
    everything: bool = False


class Source:
    """``cover``: what to watch now; `refresh` after it has changed. `batches` ends with `close`. ``warn``: told when a limit is reached."""

    def __init__(self, cover: Callable[[], Cover], warn: Callable[[str, str], None]) -> None:
        self._cover = cover
        self._warn = warn
        self._queue: asyncio.Queue[Batch | None] = asyncio.Queue()
        self._ears: list[_Ear] = []
        self._polling = False
        self.covered = Cover()

    async def batches(self) -> AsyncIterator[Batch]:
        while (batch := await self._queue.get()) is not None:
            while not self._queue.empty() and (more := self._queue.get_nowait()) is not None:
                batch = Batch(batch.paths | more.paths, batch.everything or more.everything)
            yield batch

    def put(self, batch: Batch) -> None:
        """As if the kernel had told it."""
        self._queue.put_nowait(batch)

    def covers(self, paths: frozenset[str]) -> bool:
        """Is what is watched still right after changes at these paths? Not when a directory came to, or left, one that is watched alone."""
        flat, deep = self.covered.flat, self.covered.deep
        return not any(path in flat or path in deep or (os.path.dirname(path) in flat and os.path.isdir(path)) for path in paths)

    async def refresh(self) -> bool:
        """Watch what the cover says now; False: it was watched already. New ears listen before the old ones go. Raises Unwatchable."""
        for attempt in range(1, _ATTEMPTS + 1):
            wanted = await asyncio.to_thread(self._cover)
            if wanted == self.covered and self._ears:
                return False
            try:
                ears = await self._listen(wanted)
            except FileNotFoundError as error:  # a directory went away in this moment
                if attempt == _ATTEMPTS:
                    raise Unwatchable(f"cannot watch {error.filename or error}: it comes and goes") from error
                continue
            before, self._ears = self._ears, ears
            self.covered = wanted
            await asyncio.to_thread(_let_go, before)
            return True
        return False

    async def probe(self, paths: frozenset[str]) -> None:
        """Are new directories still watched? watchfiles does not say when the kernel has refused one, so another watch is tried."""
        if self._polling or not (found := next((path for path in paths if os.path.isdir(path)), "")):
            return
        try:
            notify = await asyncio.to_thread(RustNotify, [found], False, False, _POLL, False, False)
        except (OSError, WatchfilesRustInternalError) as error:
            if limit_of(error):
                self._fall_back(error)
        else:
            await asyncio.to_thread(notify.close)

    async def close(self) -> None:
        await asyncio.to_thread(_let_go, self._ears)
        self._ears = []
        self._queue.put_nowait(None)

    async def _listen(self, wanted: Cover) -> list[_Ear]:
        ears: list[_Ear] = []
        loop = asyncio.get_running_loop()

        def told(batch: Batch) -> None:
            loop.call_soon_threadsafe(self._queue.put_nowait, batch)

        def failed(error: BaseException) -> None:
            loop.call_soon_threadsafe(self._fall_back, error)

        try:
            for paths, deep in ((wanted.flat, False), (wanted.deep, True)):
                if paths:
                    notify = await asyncio.to_thread(self._notify, sorted(paths), deep)
                    ears.append(_Ear(notify, told, failed))
        except BaseException:
            await asyncio.to_thread(_let_go, ears)
            raise
        return ears

    def _notify(self, paths: list[str], deep: bool) -> RustNotify:
        try:
            # were permissions ignored, watchfiles would ignore every error, the limits', too
            return RustNotify(paths, False, self._polling, _POLL, deep, False)
        except FileNotFoundError:
            raise
        except (OSError, WatchfilesRustInternalError) as error:
            sysctl = limit_of(error)
            if sysctl and not self._polling:
                self._tell(sysctl)
                return self._notify(paths, deep)
            raise Unwatchable(f"cannot watch {paths[0]}: {error}") from error

    def _tell(self, sysctl: str) -> None:
        self._polling = True
        hint = f"raise it, as root: sysctl -w {sysctl}={_double(sysctl)}"
        self._warn(f"the limit {sysctl} is reached: files are polled, which is slower and costs more", hint)

    def _fall_back(self, error: BaseException) -> None:
        """A new directory could not be watched: what is there is looked at, and everything is polled from now on."""
        sysctl = limit_of(error) or "fs.inotify.max_user_watches"
        if not self._polling:
            self._tell(sysctl)
        self.covered = Cover()
        self._queue.put_nowait(Batch(frozenset(), everything=True))


def limit_of(error: BaseException) -> str:
    """The sysctl that an error of inotify means; "" when it is another one."""
    number = getattr(error, "errno", None)
    if number in LIMITS:
        return LIMITS[number]
    text = str(error)
    if ("inotify" in text and "limit" in text) or "MaxFilesWatch" in text:
        return LIMITS[28]
    return next((name for code, name in LIMITS.items() if f"os error {code})" in text), "")


def _double(sysctl: str) -> int:
    try:
        with open("/proc/sys/" + sysctl.replace(".", "/"), encoding="ascii") as file:
            return 2 * int(file.read())
    except (OSError, ValueError):
        return 524288


class _Ear:
    """A thread that waits for changes. Waking once in 30 ms costs it less than 0.1 % of a core."""

    def __init__(self, notify: RustNotify, told: Callable[[Batch], None], failed: Callable[[BaseException], None]) -> None:
        self._notify = notify
        self._told = told
        self._failed = failed
        self._unwanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._unwanted.is_set():
                found = self._notify.watch(BOUND, QUIET, 0, self._unwanted)
                if isinstance(found, set) and found:
                    self._told(Batch(frozenset(path for _, path in found), everything=len(found) >= LARGE))
                elif found in ("signal", "stop"):
                    return
        except (OSError, RuntimeError, WatchfilesRustInternalError) as error:
            if not self._unwanted.is_set():
                self._failed(error)

    def stop(self) -> None:
        self._unwanted.set()

    def join(self) -> None:
        self._thread.join(_ENDING)
        self._notify.close()


def _let_go(ears: list[_Ear]) -> None:
    for ear in ears:
        ear.stop()
    for ear in ears:
        ear.join()
