"""The daemon's part that knows stacks: the engine, the store, the loader, whose turn it is, and the controller."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from composer.daemon.stack_api.call import Call, Line
from composer.daemon.stack_api.isolation import Isolation
from composer.daemon.stack_api.journal import Journal
from composer.daemon.stack_api.loader import Loaded, Loader, NeedFiles
from composer.daemon.stack_api.providers import NeedProviders
from composer.daemon.stack_api.reconciled import reconciled
from composer.daemon.stack_api.revisions import Revisions
from composer.daemon.stack_api.store import StackRow, Store
from composer.daemon.stack_api.turns import Turns
from composer.engine.errors import Unavailable
from composer.engine.interface import Engine
from composer.engine.local.seal import KEY_FILE, Seal
from composer.engine.local.state import State
from composer.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, ComposerError, SpecError, UsageError
from composer.reconcile.execute import Cancelled
from composer.reconcile.render import Site

if TYPE_CHECKING:
    from composer.daemon.stack_api.jobs.jobs import Jobs

Verb = Callable[["Stacks", Call], Coroutine[Any, Any, Line | None]]
_END: Line = {}
_MANY = 1000  # lines that may wait for a slow client
_CLOSING = 20.0  # seconds for the work at hand when the daemon ends


class Log(Protocol):
    def info(self, event: str, /, **fields: object) -> object: ...
    def error(self, event: str, /, **fields: object) -> object: ...


@dataclass(frozen=True)
class Place:
    """Where things are: ``directory``: stacks/ beneath the daemon's root; ``boot``: the machine's boot id; ``version``: composer's;
    ``socket``: where the engine listens, "" unknown."""

    directory: Path
    version: str = ""
    boot: str = ""
    socket: str = ""


class _Lines:
    """The lines of an answer on their way to the client."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Line] = asyncio.Queue()
        self._drained = asyncio.Event()

    def put(self, line: Line) -> None:
        self._queue.put_nowait(line)

    async def get(self) -> list[Line]:
        """All that wait, at least one: a hundred containers that start are a few packets, not four hundred."""
        found = [await self._queue.get()]
        while not self._queue.empty():
            found.append(self._queue.get_nowait())
        self._drained.set()
        return found

    async def room(self) -> None:
        while self._queue.qsize() >= _MANY:
            self._drained.clear()
            await self._drained.wait()


class Stacks:
    """Made by the daemon, one for each engine. `answer` serves one call; `close` lets what is at work come to an end."""

    def __init__(self, engine: Engine, state: State, place: Place, log: Log) -> None:
        self.engine = engine
        self.place = place
        self.log = log
        self.store = Store(state, place.directory)
        self.seal = Seal(place.directory.parent / KEY_FILE)
        self.loader = Loader(self._site, self.seal.open)
        self.journal = Journal(state)
        self.isolation = Isolation(state, engine)
        self.revisions = Revisions(state, place.directory)
        self.turns = Turns()
        self.changed: Callable[[str, frozenset[str]], None] = _nobody  # the controller, when there is one
        self.later: Callable[[str, float], None] = _never
        self.jobs: Jobs | None = None  # the scheduled services, when the daemon runs them
        self.look_now: Callable[[str], Coroutine[Any, Any, None]] = _nothing
        self._tasks: set[asyncio.Task[None]] = set()

    def _site(self, name: str) -> Site:
        return Site(version=self.place.version, content=str(self.store.content(name)), socket=self.place.socket)

    async def load(self, call: Call) -> Loaded:
        """The stack of the call: from its files, or from the store when it names one without files. Warnings are told."""
        found, missing = await self._find(call)
        if found is None:
            raise missing or UsageError("no configuration file provided: not found", code="spec.no-file")
        return found

    async def find(self, call: Call) -> Loaded | None:
        """As `load`; None when there are no files and the stack of that name is not stored. UsageError when there is no name either."""
        found, missing = await self._find(call)
        if found is None and not name_of(call) and missing is not None:
            raise missing
        return found

    async def _find(self, call: Call) -> tuple[Loaded | None, SpecError | None]:
        missing: SpecError | None = None
        try:
            found = await self.isolation.apply(call, await self.loader.load(call.project), self.loader)
            found = await self._provided(call, found)
        except SpecError as error:
            if not _no_file(error):
                raise
            missing = error
            stored = self.store.request(name_of(call))
            if stored is None:
                return None, missing
            profiles = sorted({*(stored.get("profiles") or ()), *(call.project.get("profiles") or ())})
            found = await self.loader.load({**stored, "profiles": profiles})
        for warning in found.stack.warnings:
            call.diagnose(warning)
        return found, missing

    async def _provided(self, call: Call, loaded: Loaded) -> Loaded:
        """With what providers have said the last time, unless the client has run them now."""
        if "provided" in call.project or all(service.provider is None for service in loaded.stack.services.values()):
            return loaded
        said = (self.store.request(loaded.stack.name) or {}).get("provided")
        return await self.loader.load({**loaded.project, "provided": said}) if said else loaded

    async def mean(self, call: Call, row: StackRow) -> None:
        """Take note of an intent that takes things away: with a full disk it is done all the same, as that is what gives room."""
        try:
            await self.store.keep(row)
        except Unavailable as error:
            call.warn(f"{error.message}; it is done, but not remembered should the daemon end")

    # Answers.

    async def answer(self, verb: Verb, body: Mapping[str, Any]) -> AsyncIterator[Line]:
        """The lines of the answer; the last one is the result, or what is needed."""
        batches = self.batches(verb, body)
        try:
            async for lines in batches:
                for line in lines:
                    yield line
        finally:
            await batches.aclose()

    async def batches(self, verb: Verb, body: Mapping[str, Any]) -> AsyncGenerator[list[Line], None]:
        """As `answer`, those lines together that are there at the same time."""
        lines = _Lines()
        call = Call(body, lines.put)
        call.room = lines.room
        task = asyncio.create_task(call.run(self._work(verb, call)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: lines.put(_END))
        try:
            while True:
                found = await lines.get()
                ended = found[-1] is _END
                if len(found) > ended:
                    yield found[:-1] if ended else found
                if ended:
                    return
        finally:
            call.cancel()

    async def carry_out(self, verb: Verb, call: Call) -> None:
        """A call of the daemon's own, to its end; its lines, the result last, go to the call's ``emit``."""
        await call.run(self._work(verb, call))

    async def _work(self, verb: Verb, call: Call) -> None:
        try:
            result = await self._told(verb, call)
        except NeedFiles as need:
            call.emit({"kind": "need", "paths": list(need.paths)})
        except NeedProviders as need:
            call.emit({"kind": "need", "providers": need.providers})
        except SpecError as error:
            for found in error.diagnostics:
                call.diagnose(found)
            call.emit({"kind": "result", "exit": EXIT_USAGE, "message": ""})
        except ComposerError as error:
            call.emit(failure(error))
        except Exception as error:
            self.log.error("a stack's command failed", exc_info=error)
            call.emit({"kind": "result", "exit": EXIT_FAILED, "message": f"internal error ({type(error).__name__}); see the daemon's log"})
        else:
            call.emit({"kind": "result", "exit": EXIT_OK, **(result or {})})

    async def _told(self, verb: Verb, call: Call) -> Line | None:
        """Do it; what it did to stacks is told, whatever came of it."""
        by = {"remove": "rm"}.get(verb.__name__, verb.__name__)
        try:
            return await verb(self, call)
        finally:
            services = call.options.names("services") if call.did else ()
            for name in dict.fromkeys(name for name, _ in call.did):
                outcomes = [outcome for stack, found in call.did if stack == name for outcome in found]
                await reconciled(self, name, by, call.began, outcomes, services=services)

    async def close(self) -> None:
        """Interrupt what is at work and wait for its end."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING):
                    await asyncio.gather(*tasks, return_exceptions=True)


def name_of(call: Call) -> str:
    """The stack's name as far as the command line and the environment say it; "" leaves it to the files."""
    environment = call.project.get("environment") or {}
    return str(call.project.get("name") or environment.get("COMPOSE_PROJECT_NAME") or "")


def _no_file(error: SpecError) -> bool:
    return any(found.code == "spec.no-file" for found in error.diagnostics)


def failure(error: ComposerError) -> Line:
    """The result line of an error."""
    code = EXIT_USAGE if isinstance(error, UsageError | SpecError) else EXIT_FAILED
    if isinstance(error, Cancelled):
        code = 130
    line: Line = {"kind": "result", "exit": code, "message": error.message, "code": error.code}
    return line | {"hint": error.hint} if error.hint else line


def _nobody(_name: str, _failed: frozenset[str]) -> None:
    return


def _never(_name: str, _seconds: float) -> None:
    return


async def _nothing(_name: str) -> None:
    return
