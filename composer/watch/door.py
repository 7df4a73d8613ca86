"""What watch mode needs of the daemon and of who watches. Passed in: the CLI makes it of its client, tests of an engine in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from composer.watch.model import Exec, Subject
from composer.watch.pack import Parcel


@dataclass(frozen=True)
class Replica:
    """A running container of a service; ``name`` is short: "web-1"."""

    id: str
    service: str
    name: str


@dataclass(frozen=True)
class Turn:
    """A replica began (``began``) or ended to run."""

    replica: Replica
    began: bool


class Door(Protocol):
    """The daemon, as watch mode uses it. Every call may raise ComposerError."""

    async def replicas(self) -> Sequence[Replica]:
        """All that run."""
        ...

    async def turns(self) -> AsyncIterator[Turn]:
        """From now on (nothing is missed once this has returned); ends when the daemon does."""
        ...

    async def sync(self, containers: Sequence[str], parcel: Parcel) -> Mapping[str, str]:
        """Container -> what did not succeed; empty when all did."""
        ...

    async def signatures(self, container: str, trees: Mapping[str, Sequence[str]]) -> Mapping[str, Mapping[str, str]]: ...
    async def restart(self, service: str, one: Replica | None = None) -> None:
        """The service's containers, and what depends on their restart; ``one``: only that one."""
        ...

    async def exec(self, replica: Replica, command: Exec) -> int:
        """Its output is shown; its exit code."""
        ...

    async def rebuild(self, services: Collection[str]) -> Sequence[str]:
        """Build their images and bring them up; what was done, in words ("web-1 Recreated")."""
        ...

    async def load(self) -> Subject | None:
        """The stack as its files say now; None: they are wrong, and the diagnostics were shown."""
        ...

    async def apply(self, builds: Collection[str], removed: Collection[str]) -> Sequence[str]:
        """Bring the stack to where its files are, with these images built first and these services taken away; what was done, in words.

        Cancelled: waits end, what is being done is finished.
        """
        ...


class Voice(Protocol):
    """Who is told. ``line``: one line for each batch; ``warn``: something is wrong, and what to do about it."""

    def line(self, text: str) -> None: ...
    def warn(self, text: str, hint: str = "") -> None: ...
