"""The six kinds of engine errors; each is one HTTP status of the Docker Engine API, so an error survives the socket."""

from __future__ import annotations

from composer.errors import ComposerError


class EngineError(ComposerError):
    """Something failed in the engine that is none of the kinds below (HTTP 500)."""

    code = "engine.failed"
    status = 500


class NotFound(EngineError):
    """No such container, image, network, volume or exec (404)."""

    code = "engine.not-found"
    status = 404


class Conflict(EngineError):
    """The name is taken, the object is in use, or its state forbids the operation (409)."""

    code = "engine.conflict"
    status = 409


class NotRunning(Conflict):
    """The operation needs a running container (409)."""

    code = "engine.not-running"


class InvalidArgument(EngineError):
    """The request itself is wrong (400)."""

    code = "engine.invalid-argument"
    status = 400


class Unauthorized(EngineError):
    """A registry refused the credentials (401, said as 500 by Docker's API with the registry's words)."""

    code = "engine.unauthorized"
    status = 500


class Unavailable(EngineError):
    """Something that the engine needs is missing or cannot be reached now (503)."""

    code = "engine.unavailable"
    status = 503


class Unsupported(EngineError):
    """A feature that this engine does not have, refused by name (501)."""

    code = "engine.unsupported"
    status = 501


class CommandNotFound(InvalidArgument):
    """The container's command does not exist (exit code 127)."""

    code = "engine.command-not-found"
    exit_code = 127


class CommandNotExecutable(InvalidArgument):
    """The container's command exists and may not be executed (exit code 126)."""

    code = "engine.command-not-executable"
    exit_code = 126
