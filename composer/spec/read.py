"""What a load is asked for, and the only place of this package that opens files.

A `Request` names files and holds the contents that are known so far; `load` answers `Need(paths)` for those it lacks. A client that
reads for itself (with its user's rights) sends them along; `load_from_disk` does the same in-process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

Loaded = TypeVar("Loaded")

MAX_FILE = 64 * 1024 * 1024
MAX_ROUNDS = 64  # a chain of includes this long is a mistake
NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml", "stack.yml", "stack.yaml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
    "stack.override.yml",
    "stack.override.yaml",
)


@dataclass(frozen=True, slots=True)
class Content:
    """What is at a path: `data`, or why there is none: missing, a directory, or unreadable (`problem` says how)."""

    data: bytes | None = None
    missing: bool = False
    directory: bool = False
    problem: str = ""

    @property
    def why(self) -> str:
        """The reason in words, when there is no data."""
        if self.directory:
            return "is a directory"
        return "not found" if self.missing else self.problem or "cannot be read"


MISSING = Content(missing=True)
DIRECTORY = Content(directory=True)


@dataclass(frozen=True, slots=True)
class Request:
    """What to load. Paths are absolute, but a file may be "-": standard input (its content is under the key "-").

    `files`: none means COMPOSE_FILE, or the default names in `cwd` and above. `name`, `directory`: "" when not given.
    `environment`: the client's.
    """

    files: tuple[str, ...] = ()
    name: str = ""
    directory: str = ""
    cwd: str = "/"
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    contents: Mapping[str, Content] = field(default_factory=dict, repr=False)

    def with_contents(self, more: Mapping[str, Content]) -> Request:
        """This request knowing more."""
        return replace(self, contents={**self.contents, **more})


@dataclass(frozen=True, slots=True)
class Need:
    """The load cannot go on without the contents of these paths."""

    paths: tuple[str, ...]


def read_content(path: str) -> Content:
    """What is at `path`; "-" is standard input. Never raises for what the file system says."""
    try:
        if path == "-":
            return _limited(sys.stdin.buffer.read(MAX_FILE + 1))
        with open(path, "rb") as file:
            return _limited(file.read(MAX_FILE + 1))
    except (FileNotFoundError, NotADirectoryError):
        return MISSING
    except IsADirectoryError:
        return DIRECTORY
    except OSError as error:
        return Content(problem=(error.strerror or str(error)).lower())
    except ValueError:
        return Content(problem="is no possible path")


def _limited(data: bytes) -> Content:
    return Content(data=data) if len(data) <= MAX_FILE else Content(problem=f"is larger than {MAX_FILE // 1024 // 1024} MiB")


def load_from_disk(request: Request, load: Callable[[Request], Loaded | Need], read: Callable[[str], Content] = read_content) -> Loaded:
    """Calls `load` until it needs nothing more, reading what it asks for."""
    for _ in range(MAX_ROUNDS):
        answer = load(request)
        if not isinstance(answer, Need):
            return answer
        request = request.with_contents({path: read(path) for path in answer.paths})
    raise RecursionError("the stack's files ask for more files without end")
