"""Where the daemon listens: -H, COMPOSER_HOST, else the socket in the run directory (COMPOSER_RUN, /run/composer)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from composer.cli.http import Connection
from composer.errors import ComposerError, UsageError

CONNECT_SECONDS = 5.0


class NoDaemon(ComposerError):
    """Nothing listens at the address; ``address`` is that address."""

    code = "cli.no-daemon"

    def __init__(self, address: str, reason: str, hint: str) -> None:
        super().__init__(f"cannot reach the composer engine at {address}: {reason}", hint=hint)
        self.address = address


def address(given: str | None, environment: Mapping[str, str]) -> str:
    """``unix:///path`` or ``tcp://host:port``."""
    found = given or environment.get("COMPOSER_HOST")
    if not found:
        found = "unix://" + os.path.join(environment.get("COMPOSER_RUN") or "/run/composer", "composer.sock")
    if found.startswith("/"):
        found = "unix://" + found
    if not found.startswith(("unix://", "tcp://")):
        raise UsageError(f"'{found}' is no address of an engine", hint="use unix:///PATH or tcp://HOST:PORT")
    return found


def connect(where: str) -> Connection:
    """A new connection to the daemon at ``where``. Raises NoDaemon."""
    try:
        sock, host = _socket(where)
    except PermissionError as error:
        raise NoDaemon(where, "permission denied", "run it as root, or join the socket's group: see composer doctor") from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoDaemon(where, "it is not running", "start it: composer engine start") from error
    except (OSError, ValueError) as error:
        raise NoDaemon(where, str(error), "is the address right? (-H, COMPOSER_HOST)") from error
    sock.settimeout(None)
    return Connection(sock, host)


def _socket(where: str) -> tuple[socket.socket, str]:
    """A connected socket, and the name for the header Host."""
    if not where.startswith("unix://"):
        host = where[len("tcp://") :]
        name, _, port = host.rpartition(":")
        return socket.create_connection((name.strip("[]") or "127.0.0.1", int(port)), CONNECT_SECONDS), host
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(CONNECT_SECONDS)
    try:
        sock.connect(where[len("unix://") :])
    except BaseException:
        sock.close()
        raise
    return sock, "composer"
