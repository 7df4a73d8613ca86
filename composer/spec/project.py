"""The frame of a stack: which files, which directory, which variables, which profiles, which name.

Precedence: flags, then the client's environment, then `.env` (or the files of `--env-file`), then what the stack file says. Source:
Docker's documentation, "Set or change pre-defined environment variables in Docker Compose" and "Specify a project name".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from composer.errors import SpecError
from composer.spec.problems import Problems
from composer.spec.read import NAMES, OVERRIDES, Request
from composer.spec.shelf import Shelf, parent
from composer.spec.tree import Base, Source

_YES = ("1", "t", "true", "y", "yes", "on")
_NAME = r"[a-z0-9][a-z0-9_-]*"


@dataclass(frozen=True, slots=True)
class Frame:
    """`environment`: what `${...}` sees. `name`: from the flag or a variable; "" leaves it to the file, and then to `default_name`."""

    files: tuple[str, ...]
    directory: str
    environment: dict[str, str]
    profiles: tuple[str, ...]
    name: str

    @property
    def base(self) -> Base:
        return Base(self.directory, self.environment.get("HOME", "/"))


def frame(request: Request, shelf: Shelf, problems: Problems) -> Frame | None:
    """The frame of `request`; None when contents are lacking. SpecError when there is no stack file."""
    environment = dict(request.environment)
    files = request.files
    directory = request.directory or (directory_of(files, request) if files else request.cwd)
    if not _read_env_files(request, environment, directory, shelf, problems):
        return None
    found = files or _from_variable(environment, request.cwd) or _search(directory, shelf, problems)
    if found is None:
        return None
    if not found:
        shown = ", ".join(NAMES)
        problems.error(
            "spec.no-file", "no configuration file provided: not found", hint=f"looked for {shown} here and above; or use -f FILE"
        )
        raise SpecError(problems.errors)
    directory = request.directory or directory_of(found, request)
    if not _read_env_files(request, environment, directory, shelf, problems):
        return None
    profiles = request.profiles or tuple(p.strip() for p in environment.get("COMPOSE_PROFILES", "").split(","))
    name = request.name or environment.get("COMPOSE_PROJECT_NAME", "")
    if name:
        check_name(name, problems)
    return Frame(tuple(found), directory, environment, profiles, name)


def directory_of(files: tuple[str, ...], request: Request) -> str:
    """The directory of the first file; for standard input the working directory."""
    return request.cwd if files[0] == "-" else parent(files[0])


def _from_variable(environment: Mapping[str, str], cwd: str) -> tuple[str, ...]:
    value = environment.get("COMPOSE_FILE", "")
    separator = environment.get("COMPOSE_PATH_SEPARATOR") or ":"
    base = Base(cwd, environment.get("HOME", "/"))
    return tuple(path if path == "-" else base.resolve(path) for path in value.split(separator) if path)


def _search(directory: str, shelf: Shelf, problems: Problems) -> tuple[str, ...] | None:
    while True:
        names = {posixpath.join(directory, name): shelf.is_file(posixpath.join(directory, name)) for name in NAMES}
        overrides = {posixpath.join(directory, name): shelf.is_file(posixpath.join(directory, name)) for name in OVERRIDES}
        if shelf.wanted:
            return None
        found = [path for path, there in names.items() if there]
        if found:
            if len(found) > 1:
                listed = ", ".join(shelf.shown(path) for path in found)
                problems.warn(
                    "spec.several-files", f"found several stack files: {listed}; using {shelf.shown(found[0])}", hint="say which with -f"
                )
            over = [path for path, there in overrides.items() if there]
            if len(over) > 1:
                listed = ", ".join(shelf.shown(path) for path in over)
                message = f"found several override files: {listed}; using {shelf.shown(over[0])}"
                problems.warn("spec.several-files", message, hint="name them all with -f, or in COMPOSE_FILE")
            return (found[0], *over[:1])
        if parent(directory) == directory:
            return ()
        directory = parent(directory)


def env_paths(request: Request, environment: Mapping[str, str], directory: str) -> tuple[tuple[str, ...], str]:
    """The files that variables come from, and what named them: `--env-file`, `COMPOSE_ENV_FILES`, or `.env`, which need not be there."""
    if request.env_files:
        return request.env_files, "--env-file"
    if environment.get("COMPOSE_ENV_FILES"):
        base = Base(request.cwd, environment.get("HOME", "/"))
        return tuple(base.resolve(path) for path in environment["COMPOSE_ENV_FILES"].split(",") if path), "COMPOSE_ENV_FILES"
    if environment.get("COMPOSE_DISABLE_ENV_FILE", "").lower() in _YES:
        return (), ""
    return (posixpath.join(directory, ".env"),), ".env"


def _read_env_files(request: Request, environment: dict[str, str], directory: str, shelf: Shelf, problems: Problems) -> bool:
    """Adds the variables of `.env`, or of the files that were named, which the environment does not have. False: contents are lacking."""
    paths, named = env_paths(request, environment, directory)
    found = read_env(paths, environment, shelf, problems, required=named != ".env")
    if found is None:
        return False
    for key, value in found.items():
        environment.setdefault(key, value)
    return True


def read_env(
    paths: tuple[str, ...], environment: Mapping[str, str], shelf: Shelf, problems: Problems, *, required: bool
) -> dict[str, str] | None:
    """The variables of env files, the later file's winning; None when contents are lacking."""
    found: dict[str, str] = {}
    contents = [(path, shelf.get(path)) for path in paths if path != "/dev/null"]
    for path, content in contents:
        if content is None:
            return None
        if content.data is None:
            if required or content.problem:
                problems.error("spec.env-file", f"couldn't find env file: {shelf.shown(path)} {content.why}")
            continue
        from composer.spec.dotenv import parse_env  # many a stack has none

        source = Source(shelf.shown(path), path, content.data)
        found = parse_env(source, environment, problems, before=found)
    return found


def check_name(name: str, problems: Problems) -> None:
    """An error when `name` cannot name a stack."""
    if not re.fullmatch(_NAME, name):
        message = (
            f'invalid project name "{name}": must consist only of lowercase alphanumeric characters, hyphens, and underscores '
            "as well as start with a letter or number"
        )
        problems.error("spec.project-name", message, hint=f"such as '{normalise(name)}'" if normalise(name) else "")


def normalise(name: str) -> str:
    """A name made fit: lower case, only letters, digits, `-` and `_`, beginning with a letter or digit."""
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")
