"""The parts of Docker's API that this engine does not have, each refused by name (501), not by "page not found"."""

from __future__ import annotations

from composer.daemon.request import Request
from composer.daemon.response import Answer
from composer.daemon.router import Function, Route
from composer.engine.errors import Unsupported

_WITHOUT = {
    "session": ("a BuildKit session", "build with DOCKER_BUILDKIT=0, or with composer build"),
    "grpc": ("a BuildKit session", "build with DOCKER_BUILDKIT=0, or with composer build"),
    "plugins": ("plugins", None),
    "swarm": ("swarm mode", None),
    "nodes": ("swarm mode (nodes)", None),
    "services": ("swarm mode (services)", None),
    "tasks": ("swarm mode (tasks)", None),
    "secrets": ("swarm mode (secrets)", "a stack file's secrets are given to its services as files"),
    "configs": ("swarm mode (configs)", "a stack file's configs are given to its services as files"),
}


def routes() -> list[Route]:
    found = []
    for head, (what, hint) in _WITHOUT.items():
        for method in ("GET", "POST", "DELETE"):
            found += [Route(method, f"/{head}", _refuse(what, hint)), Route(method, f"/{head}/{{rest:path}}", _refuse(what, hint))]
    checkpoints = _refuse("checkpoints", None)
    return [
        *found,
        Route("GET", "/containers/{id}/checkpoints", checkpoints),
        Route("POST", "/containers/{id}/checkpoints", checkpoints),
        Route("DELETE", "/containers/{id}/checkpoints/{name}", checkpoints),
    ]


def _refuse(what: str, hint: str | None) -> Function:
    async def refuse(request: Request) -> Answer:
        raise Unsupported(f"{what}: not supported by this engine", hint=hint)

    return refuse
