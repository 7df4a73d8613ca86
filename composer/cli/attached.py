"""Attaching to a container that runs already."""

from __future__ import annotations

import sys

from composer.cli.client import ApiError, Client
from composer.cli.session import Session
from composer.errors import ComposerError


def attach_to(client: Client, container: str, *, stdin: bool, proxy: bool, keys: bytes) -> int:
    """Be its terminal until it ends (then: its exit code) or the user detaches (then 0). Raises ComposerError when it does not run."""
    about = client.get(f"/containers/{container}/json")
    state, config = about["State"], about["Config"]
    if not state.get("Running"):
        raise ComposerError("cannot attach to a stopped container, start it first")
    if state.get("Paused"):
        raise ComposerError("cannot attach to a paused container, unpause it first")
    identity, tty = about["Id"], bool(config.get("Tty"))
    ended = client.stream("POST", f"/containers/{identity}/wait", {"condition": "not-running"})
    with_stdin = stdin and bool(config.get("OpenStdin"))
    reply = client.hijack(f"/containers/{identity}/attach", {"stream": True, "stdin": with_stdin, "stdout": True, "stderr": True})

    def forward(name: str) -> None:
        client.post(f"/containers/{identity}/kill", query={"signal": name})

    session = Session(
        reply,
        tty=tty,
        stdin=with_stdin,
        keys=keys,
        resize=lambda rows, columns: client.post(f"/containers/{identity}/resize", query={"h": rows, "w": columns}),
        forward=forward if proxy and not tty else None,
    )
    session.run()
    if session.detached:
        sys.stderr.write("\r\n")
        return 0
    try:
        return int((ended.json() or {}).get("StatusCode", 0))
    except ApiError as error:
        raise ComposerError(error.message) from error
