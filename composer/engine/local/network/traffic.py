"""Which containers get new connections: those that share host ports with others of their *group*, and those that stand *aside*.

A container that was never shared out is its own: it carries its published ports and names from its start to its end, as in Docker. Members
of a group hold the same host ports together; a port leads to those of them that *carry* now, in turn. Aside stands who is not to be
reached yet, or any more: no port, and no name but its own, leads there. The rows outlive the daemon and the container's restarts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from composer.engine.local.state import State, Table
from composer.engine.model.wire import Wire

Well = Callable[[str], bool]  # container id -> it runs, and its health check (if any) says that it is healthy


class TrafficRow(Wire):
    """``group``: "" shares with nobody."""

    container: str = ""
    group: str = ""
    aside: bool = False


class Traffic:
    """The rows, and the judgement. ``well`` is set by the engine, as the network knows no health."""

    def __init__(self, state: State) -> None:
        self._rows = Table(state, "traffic", encode=TrafficRow.to_wire, decode=TrafficRow.from_wire)
        self.well: Well = _always
        self.now: frozenset[str] = frozenset()  # who carried when the rules were made last

    def __contains__(self, container: str) -> bool:
        return container in self._rows

    def group(self, container: str) -> str:
        row = self._rows.get(container)
        return row.group if row else ""

    def is_aside(self, container: str) -> bool:
        row = self._rows.get(container)
        return row is not None and row.aside

    def aside(self) -> frozenset[str]:
        """All that stand aside."""
        return frozenset(row.container for row in self._rows if row.aside)

    async def put(self, container: str, *, group: str | None = None, aside: bool | None = None) -> bool:
        """Change what is given, durably. Whether anything changed."""
        before = self._rows.get(container) or TrafficRow(container=container)
        after = before.replace(
            group=before.group if group is None else group,
            aside=before.aside if aside is None else aside,
        )
        if after == before:
            return False
        await self._rows.put(container, after)
        return True

    async def drop(self, container: str) -> None:
        """The container is gone. Missing is fine."""
        if container in self._rows:
            await self._rows.delete(container, durable=False)

    async def sweep(self, known: Collection[str]) -> None:
        """Rows of containers that are no more: the daemon was killed between their end and its note."""
        for row in list(self._rows):
            if row.container not in known:
                await self.drop(row.container)

    def carrying(self, live: Iterable[str]) -> frozenset[str]:
        """Of the sandboxes that are open, those to which published ports lead.

        In a group these are the well ones. When none is well, all that are not aside: a port that might answer is better than none.
        """
        found: set[str] = set()
        groups: dict[str, list[str]] = {}
        for container in live:
            row = self._rows.get(container)
            if row is None or not (row.aside or row.group):
                found.add(container)
            elif not row.aside:
                groups.setdefault(row.group or container, []).append(container)
        for members in groups.values():
            found.update(self._chosen(members))
        return frozenset(found)

    def _chosen(self, members: Collection[str]) -> Collection[str]:
        return [member for member in members if self.well(member)] or members


def _always(_: str) -> bool:
    return True
