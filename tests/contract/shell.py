"""What the memory engine's processes do in the contract suite: the few commands that its scripts use, as a shell would run them."""

from __future__ import annotations

import asyncio
import shlex

from composer.engine.memory import MemoryProcess
from composer.engine.model.stream import STDERR, STDOUT

INT, TERM = 2, 15


class _Exit(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


async def shell(process: MemoryProcess) -> int:
    """A program (`composer.engine.memory.Program`): sh -c, sleep, cat, echo, printf, env, true, false."""
    try:
        return await _run(process, list(process.argv))
    except _Exit as left:
        return left.code


async def _run(process: MemoryProcess, argv: list[str]) -> int:
    stream = STDOUT
    if argv and argv[-1] in (">&2", "1>&2"):
        argv, stream = argv[:-1], STDERR
    name = argv[0].rpartition("/")[2]
    if name == "sh":
        return await _script(process, argv[2]) if argv[1:2] == ["-c"] else await _interactive(process)
    if name in ("sleep", "tail"):
        await asyncio.sleep(float(argv[1]) if name == "sleep" and argv[1] != "infinity" else 10**6)
        return 0
    if name == "idle":
        process.catches |= {TERM, INT}
        await process.signals.get()
        return 0
    if name == "cat":
        while data := await process.read():
            process.write(data)
        return 0
    if name == "env":
        process.write("".join(f"{item}\n" for item in process.env).encode())
        return 0
    if name in ("echo", "printf"):
        text = " ".join(argv[1:])
        process.write((text + "\n").encode() if name == "echo" else text.encode().decode("unicode_escape").encode(), stream)
        return 0
    if name in ("true", "false", "trap", "exit"):
        return _builtin(process, name, argv)
    return process.fail(f"sh: {name}: not found") and 127


def _builtin(process: MemoryProcess, name: str, argv: list[str]) -> int:
    if name == "trap":
        process.catches.add(TERM)
        return 0
    if name == "exit":
        raise _Exit(int(argv[1]) if len(argv) > 1 else 0)
    return 0 if name == "true" else 1


async def _script(process: MemoryProcess, text: str) -> int:
    code = 0
    for line in text.replace("\n", ";").split(";"):
        words = list(shlex.split(line))
        if not words:
            continue
        if words[0] == "exec":
            words = words[1:]
        code = await _run(process, words)
    return code


async def _interactive(process: MemoryProcess) -> int:
    pending, code = b"", 0
    while data := await process.read():
        pending += data
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            code = await _script(process, line.decode())
    return code
