"""What `Containers.sync` answers. ``trees`` of a sync: target directory in the container -> what is removed beneath it."""

from __future__ import annotations

from composer.engine.model.wire import Wire


class Synced(Wire):
    """One container after a sync: how many files, links and directories were written and removed.

    ``problem``: the first thing that did not succeed, "" when all did; the others were done all the same.
    """

    container: str
    written: int = 0
    removed: int = 0
    problem: str = ""
