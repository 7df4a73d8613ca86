"""The engine in memory: the one fake, kept true by the contract suite (tests/contract), which dockerd also passes.

It makes no process. What a container's process does is said by a ``program``: a coroutine function that gets a `MemoryProcess`
and returns the exit code, or None (the default): it runs until it is signalled, or until the test says ``engine.exit(ref, code)``.
Ids, addresses and, unless a clock is passed in, times are the same in each run.
"""

from composer.engine.memory.engine import MemoryEngine
from composer.engine.memory.process import MemoryProcess, Program

__all__ = ["MemoryEngine", "MemoryProcess", "Program"]
