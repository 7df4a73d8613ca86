"""The contents at hand during one load, and the list of those that are wanted."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from composer.spec.read import Content, Request


class Shelf:
    """Looks contents up; what is not there is noted in `wanted`."""

    def __init__(self, request: Request) -> None:
        self.contents: Mapping[str, Content] = request.contents
        self.cwd = request.cwd
        self.wanted: dict[str, None] = {}

    def get(self, path: str) -> Content | None:
        """What is at `path`, or None: it will be asked for."""
        found = self.contents.get(path)
        if found is None:
            self.wanted[path] = None
        return found

    def shown(self, path: str) -> str:
        """A path as the user would write it: relative when it is beneath the working directory."""
        if path == "-":
            return "<stdin>"
        root = self.cwd if self.cwd.endswith("/") else self.cwd + "/"
        return path[len(root) :] if path.startswith(root) and len(path) > len(root) else path

    def is_file(self, path: str) -> bool | None:
        """Is there a file at `path`? None: not known yet."""
        found = self.get(path)
        return None if found is None else found.data is not None


def parent(path: str) -> str:
    return posixpath.dirname(path) or "/"
