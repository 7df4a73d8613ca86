"""A process that does not exist: what its program writes, reads and is told, and the streams that are attached to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from composer.engine.errors import InvalidArgument
from composer.engine.model import LogFrame
from composer.engine.model.stream import STDERR, STDOUT

_NAMES = """HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU
    URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"""
SIGNALS: Mapping[str, int] = {name: number for number, name in enumerate(_NAMES.split(), start=1)}
_HARMLESS = frozenset({SIGNALS[name] for name in ("CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "WINCH")})

Program = Callable[["MemoryProcess"], Awaitable[int]]


def signal_number(text: str) -> int:
    """ "SIGTERM", "term", "15" -> 15. Raises InvalidArgument."""
    number = int(text) if text.isdigit() else SIGNALS.get(text.upper().removeprefix("SIG"), 0)
    if not 1 <= number <= 64:
        raise InvalidArgument(f"invalid signal: {text}")
    return number


class MemoryStream:
    """One client's end of a process (interface: `composer.engine.model.Stream`)."""

    def __init__(self, process: MemoryProcess, *, stdin: bool) -> None:
        self._process = process
        self._stdin = stdin
        self._frames: asyncio.Queue[LogFrame | None] = asyncio.Queue()

    async def __aiter__(self) -> AsyncIterator[LogFrame]:
        while (frame := await self._frames.get()) is not None:
            yield frame

    def put(self, frame: LogFrame | None) -> None:
        """A frame of output; None: no more will come."""
        self._frames.put_nowait(frame)

    async def write(self, data: bytes) -> None:
        if self._stdin:
            self._process.feed(data)

    async def close_stdin(self) -> None:
        if self._stdin:
            self._process.feed(b"")

    async def close(self) -> None:
        self._process.detach(self)


class MemoryProcess:
    """A container's or an exec's process. Programs use `read`, `write` and `signals`; ``end`` ends it from outside."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Sequence[str],
        *,
        tty: bool,
        stdin: bool,
        wrote: Callable[[int, bytes], None],
        ended: Callable[[int], None],
    ) -> None:
        self.argv = tuple(argv)
        self.env = tuple(env)
        self.tty = tty
        self.size = (0, 0)  # height, width of its terminal
        self.signals: asyncio.Queue[int] = asyncio.Queue()  # those that a program with `catches` is told
        self.catches: set[int] = set()  # signal numbers that do not end it
        self._wrote = wrote
        self._ended = ended
        self._input: asyncio.Queue[bytes] | None = asyncio.Queue() if stdin else None
        self._streams: list[MemoryStream] = []
        self._task: asyncio.Task[None] | None = None
        self._code: int | None = None
        self._over = asyncio.Event()
        self._begun = False

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._code

    def run(self, program: Program | None) -> None:
        if program is not None:
            self._task = asyncio.ensure_future(self._run(program))

    async def _run(self, program: Program) -> None:
        self._begun = True
        self.end(await program(self))

    async def read(self) -> bytes:
        """What a client wrote to its standard input; b"" at the end of it."""
        return await self._input.get() if self._input is not None else b""

    def write(self, data: bytes, stream: int = STDOUT) -> None:
        number = STDOUT if self.tty else stream
        self._wrote(number, data)
        for client in self._streams:
            client.put(LogFrame(number, data))

    def fail(self, message: str) -> int:
        """Write to the standard error; 1 as exit code."""
        self.write(message.encode() + b"\n", STDERR)
        return 1

    def feed(self, data: bytes) -> None:
        if self._input is not None:
            self._input.put_nowait(data)

    def attach(self, *, stdin: bool, replay: Sequence[LogFrame] = ()) -> MemoryStream:
        stream = MemoryStream(self, stdin=stdin)
        for frame in replay:
            stream.put(LogFrame(frame.stream, frame.data))
        if self._code is not None:
            stream.put(None)
        else:
            self._streams.append(stream)
        return stream

    def detach(self, stream: MemoryStream) -> None:
        if stream in self._streams:
            self._streams.remove(stream)
        stream.put(None)

    def signal(self, number: int) -> None:
        """Deliver it: what is not caught and not harmless ends the process with 128 + number."""
        if self._task is not None and not self._begun:
            asyncio.get_running_loop().call_soon(self.signal, number)  # its first steps (traps) come first
        elif number in self.catches and number != SIGNALS["KILL"]:
            self.signals.put_nowait(number)
        elif number not in _HARMLESS:
            self.end(128 + number)

    def end(self, code: int) -> None:
        """It is over: streams end, the record hears of it. A second end is nothing."""
        if self._code is not None:
            return
        self._code = code
        if self._task is not None and self._task is not _current():
            self._task.cancel()
        for stream in self._streams:
            stream.put(None)
        self._streams.clear()
        self._over.set()
        self._ended(code)

    async def wait(self) -> int:
        await self._over.wait()
        return self._code or 0


def _current() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # called from outside a loop, by a test that is not async
        return None
