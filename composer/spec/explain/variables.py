"""Where a variable can come from, strongest first: the shell, the env files (the last one first), for an included file its own env files.

Source: Docker's documentation, "Environment variables precedence" for interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from composer.spec.dotenv import parse_env
from composer.spec.problems import Problems
from composer.spec.project import Frame, directory_of, env_paths
from composer.spec.read import Request
from composer.spec.shelf import Shelf
from composer.spec.trace import Trace
from composer.spec.tree import Node, Source

NAME = "COMPOSE_PROJECT_NAME"


@dataclass(frozen=True, slots=True)
class Origin:
    """One source that has the variable. `kind`: in words (`shell environment`, `--env-file`, ...); `place`: its line, when it has one.

    `settled`: composer made it, out of all that can name a stack.
    """

    kind: str
    value: str
    place: Node | None = None
    settled: bool = False


@dataclass(frozen=True, slots=True)
class EnvFile:
    """An env file that was asked for, and what is in it; no `places` when it does not exist."""

    kind: str
    path: str
    shown: str
    places: dict[str, Node]
    missing: bool = False


class Variables:
    """The sources of one load."""

    def __init__(self, request: Request, found: Frame, shelf: Shelf, trace: Trace) -> None:
        self.request = request
        self.frame = found
        self.shelf = shelf
        self.trace = trace
        self.files = self._root_files()
        self._included: dict[int, list[EnvFile]] = {}

    def _root_files(self) -> list[EnvFile]:
        first = self.request.directory or (directory_of(self.request.files, self.request) if self.request.files else self.request.cwd)
        found: dict[str, EnvFile] = {}
        for environment, directory in ((self.request.environment, first), (self.frame.environment, self.frame.directory)):
            paths, kind = env_paths(self.request, environment, directory)
            for one in self.read(paths, kind, self.request.environment):
                found.setdefault(one.path, one)
        return list(found.values())

    def read(self, paths: tuple[str, ...], kind: str, lookup: Mapping[str, str]) -> list[EnvFile]:
        """The env files, parsed in their order, so that a later one sees what an earlier one said."""
        done: list[EnvFile] = []
        before: dict[str, str] = {}
        for path in paths:
            content, shown = self.shelf.get(path), self.shelf.shown(path)
            places: dict[str, Node] = {}
            if content is not None and content.data is not None:
                before = parse_env(Source(shown, path, content.data, lookup=lookup), lookup, Problems(), before=before, places=places)
            done.append(EnvFile(kind, path, shown, places, content is None or content.data is None))
        return done

    def included(self, lookup: Mapping[str, str]) -> list[EnvFile]:
        """The env files of the includes whose files see `lookup`."""
        if id(lookup) not in self._included:
            found: dict[str, EnvFile] = {}
            for one in self.trace.included:
                if one.lookup is lookup:
                    for file in self.read(one.paths, f"env file of the include at {one.entry.mark}", one.outer):
                        found.setdefault(file.path, file)
            self._included[id(lookup)] = list(found.values())
        return self._included[id(lookup)]

    def outer(self, lookup: Mapping[str, str]) -> Mapping[str, str] | None:
        """The variables that an include's own are beneath; None for those of the first files."""
        return next((one.outer for one in self.trace.included if one.lookup is lookup and one.outer is not lookup), None)

    def sources(self, name: str, lookup: Mapping[str, str]) -> list[Origin]:
        """What has the variable, for a file that sees `lookup`; the first wins."""
        outer = self.outer(lookup)
        found = self.sources(name, outer) if outer is not None else self._root(name)
        for file in reversed(self.included(lookup)):
            if name in file.places:
                found.append(_of(file, name))
        return found

    def _root(self, name: str) -> list[Origin]:
        found: list[Origin] = []
        if name == NAME:
            found.append(Origin("stack's name, as it was settled", self.frame.environment[name], settled=True))
        if name in self.request.environment:
            found.append(Origin("shell environment", self.request.environment[name]))
        return found + [_of(file, name) for file in reversed(self.files) if name in file.places]


def _of(file: EnvFile, name: str) -> Origin:
    place = file.places[name]
    return Origin(file.kind, str(place.value), place)
