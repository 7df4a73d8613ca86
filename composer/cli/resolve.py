"""Which project a command that only looks is about: by its name when that is given alone, else by its files (docker compose's rule)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from composer.cli.app import App
from composer.cli.client import Client
from composer.cli.containers import NUMBER, Summary, label, of_project
from composer.errors import ComposerError


@dataclass(frozen=True)
class Project:
    """``services``: name -> what `load` says of it; None when no file was read."""

    name: str
    services: dict[str, dict[str, object]] | None = None


class NoSuchService(ComposerError):
    """A service is named that the stack file does not have."""

    code = "cli.no-such-service"

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        names = ", ".join(sorted(known))
        super().__init__(f"no such service: {name}", hint=f"the stack has: {names}" if names else None)


def resolve(app: App, wanted: Iterable[str] = ()) -> Project:
    """The project; raises NoSuchService when its file does not have one of ``wanted``."""
    if app.named:
        return Project(app.named)
    from composer.cli.stack import load

    found = load(app)
    services = {str(service["name"]): service for service in found["services"]}
    for name in wanted:
        if name not in services:
            raise NoSuchService(name, services)
    return Project(str(found["name"]), services)


def container_of(client: Client, stack: Project, service: str, index: int = 0, *, all: bool = False) -> Summary:
    """The service's container number ``index`` (0: the first); ``all``: a stopped one, too.

    A service that the file does not have (any more) is found as long as it has containers. Raises ComposerError in docker compose's words.
    """
    rows = of_project(client, stack.name, all=all, services=[service])
    if index:
        rows = [row for row in rows if label(row, NUMBER) == str(index)]
    if rows:
        return rows[0]
    if stack.services is not None and service not in stack.services:
        raise NoSuchService(service, stack.services)
    raise ComposerError(f'service "{service}" is not running' + (f" container #{index}" if index else ""), code="cli.not-running")
