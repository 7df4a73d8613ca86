"""``composer exec``: a command in a service's running container."""

from __future__ import annotations

import os
import sys

import click

from composer.cli.app import app
from composer.cli.client import ApiError, Client, command_error
from composer.cli.options import files
from composer.cli.resolve import container_of, resolve
from composer.cli.session import Session
from composer.cli.terminal import detach_keys, is_terminal
from composer.errors import ComposerError

ENDING_SECONDS = 10.0


@click.command("exec", context_settings={"allow_interspersed_args": False})
@files
@click.option("-d", "--detach", is_flag=True, help="Run the command in the background.")
@click.option("-e", "--env", multiple=True, metavar="KEY[=VALUE]", help="Set an environment variable.")
@click.option("--index", type=int, default=0, metavar="N", help="Number of the container, if the service has several.")
@click.option("-T", "--no-tty", "no_tty", is_flag=True, default=None, help="No pseudo-TTY (the default when stdout is none).")
@click.option("--privileged", is_flag=True, help="Give the process all rights.")
@click.option("-u", "--user", default="", metavar="USER[:GROUP]", help="Run as this user.")
@click.option("-w", "--workdir", default="", metavar="DIR", help="Working directory of the command.")
@click.option("-i", "--interactive", is_flag=True, hidden=True)
@click.option("-t", "--tty", is_flag=True, hidden=True)
@click.argument("service")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND [ARGS]...")
def exec_(
    detach: bool,
    env: tuple[str, ...],
    index: int,
    no_tty: bool | None,
    privileged: bool,
    user: str,
    workdir: str,
    interactive: bool,
    tty: bool,
    service: str,
    command: tuple[str, ...],
) -> int:
    """Execute a command in a running container of a service."""
    application = app()
    stack = resolve(application)
    found = container_of(application.client, stack, service, index)
    wants_tty = not detach and not no_tty and is_terminal(1) and is_terminal(0)
    config = {
        "AttachStdin": not detach,
        "AttachStdout": not detach,
        "AttachStderr": not detach,
        "Tty": wants_tty,
        "Cmd": list(command),
        "Env": environment(env),
        "Privileged": privileged,
        "User": user,
        "WorkingDir": workdir,
    }
    return execute(application.client, found["Id"], config, detach=detach, keys=detach_keys("ctrl-p,ctrl-q"))


def environment(pairs: tuple[str, ...]) -> list[str]:
    """``KEY`` alone takes the value that it has here, and is left out when it has none."""
    return [pair if "=" in pair else f"{pair}={os.environ[pair]}" for pair in pairs if "=" in pair or pair in os.environ]


def execute(client: Client, container: str, config: dict[str, object], *, detach: bool, keys: bytes) -> int:
    """Create the exec, start it, be its terminal; its exit code (0 when detached)."""
    made = client.post(f"/containers/{container}/exec", config)["Id"]
    tty = bool(config["Tty"])
    if detach:
        try:
            client.post(f"/exec/{made}/start", {"Detach": True, "Tty": tty})
        except ApiError as error:
            raise command_error(error) from error
        return 0
    try:
        reply = client.hijack(f"/exec/{made}/start", body={"Detach": False, "Tty": tty})
    except ApiError as error:
        raise command_error(error) from error
    session = Session(
        reply,
        tty=tty,
        stdin=bool(config["AttachStdin"]),
        keys=keys,
        resize=lambda rows, columns: client.post(f"/exec/{made}/resize", query={"h": rows, "w": columns}),
    )
    session.run()
    if session.detached:
        sys.stderr.write("\r\n")
        return 0
    return exit_code(client, made)


def exit_code(client: Client, made: str) -> int:
    """Of an exec whose output has ended; a moment later so has the process."""
    import time

    end = time.monotonic() + ENDING_SECONDS
    while True:
        state = client.get(f"/exec/{made}/json")
        if state.get("ExitCode") is not None and not state.get("Running"):
            return int(state["ExitCode"])
        if time.monotonic() > end:
            raise ComposerError("the command's output has ended, but it still runs", hint="its exit code is not known")
        time.sleep(0.01)
