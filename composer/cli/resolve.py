"""Which project a command that only looks is about: by its name when that is given alone, else by its files (docker compose's rule)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from composer.cli.app import App
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
