"""Starting a created container with its streams tied to ours, and waiting for its end: `run`, `container run`, `container start -a`.

The order matters: attach, then ask for the wait, then start; so no output and no end is missed.
"""

from __future__ import annotations

import sys

from composer.cli.client import ApiError, Client, command_error
from composer.cli.session import Session
from composer.errors import EXIT_FAILED

DAEMON_FAILED = 125  # docker run's own failures, as against the container's
CONFLICT, NOT_FOUND = 409, 404


class Launch:
    """``stdin``: is ours given to it? ``keys``: what detaches. ``removes``: the engine removes it when it ends. ``proxy``: pass signals on.

    ``failed``: the exit code when it cannot be started; None: as docker run has it (125, 126, 127).
    """

    def __init__(
        self,
        client: Client,
        container: str,
        *,
        tty: bool,
        stdin: bool,
        keys: bytes,
        removes: bool = False,
        proxy: bool = True,
        failed: int | None = None,
    ) -> None:
        self.client = client
        self.container = container
        self.tty = tty
        self.stdin = stdin
        self.keys = keys
        self.removes = removes
        self.proxy = proxy
        self.failed = failed

    def start(self) -> None:
        """Only start it. Raises ApiError with the exit code that docker run has for it."""
        try:
            self.client.post(f"/containers/{self.container}/start")
        except ApiError as error:
            error.exit_code = DAEMON_FAILED
            command_error(error)
            error.exit_code = error.exit_code if self.failed is None else self.failed
            self._gone()
            raise

    def run(self) -> int:
        """Attach, start, and be its terminal until it ends; its exit code (0 when the user detaches)."""
        reply = self.client.hijack(
            f"/containers/{self.container}/attach", {"stream": True, "stdin": self.stdin, "stdout": True, "stderr": True}
        )
        condition = {"condition": "removed" if self.removes else "next-exit"}
        ended = self.client.stream("POST", f"/containers/{self.container}/wait", condition)  # its head says: the wait has begun
        self.start()
        session = Session(
            reply,
            tty=self.tty,
            stdin=self.stdin,
            keys=self.keys,
            resize=self._resize,
            forward=self._forward if self.proxy and not self.tty else None,
        )
        session.run()
        if session.detached:
            sys.stderr.write("\r\n")
            return 0
        answer = ended.json() or {}
        if (answer.get("Error") or {}).get("Message"):
            raise ApiError(500, answer["Error"]["Message"])
        return int(answer.get("StatusCode", EXIT_FAILED))

    def _resize(self, rows: int, columns: int) -> None:
        self._unless_ended(f"/containers/{self.container}/resize", {"h": rows, "w": columns})

    def _forward(self, name: str) -> None:
        self._unless_ended(f"/containers/{self.container}/kill", {"signal": name})

    def _unless_ended(self, path: str, query: dict[str, object]) -> None:
        try:
            self.client.post(path, query=query)
        except ApiError as error:
            if error.status not in (CONFLICT, NOT_FOUND):
                raise

    def _gone(self) -> None:
        """It has not run, so the engine does not remove it; somebody else may have done that."""
        if not self.removes:
            return
        try:
            self.client.delete(f"/containers/{self.container}", {"force": True, "v": True})
        except ApiError as error:
            if error.status not in (CONFLICT, NOT_FOUND):
                raise
