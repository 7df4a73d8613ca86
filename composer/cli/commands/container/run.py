"""``composer container run`` and ``create``, with docker run's flags."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from composer.cli.app import App, app
from composer.cli.client import ApiError, command_error
from composer.cli.commands.container.run_options import OPTIONS, configuration
from composer.cli.launch import CONFLICT, DAEMON_FAILED, NOT_FOUND, Launch
from composer.cli.terminal import detach_keys, is_terminal
from composer.errors import ComposerError

SETTINGS = {"allow_interspersed_args": False}


def _with_options(function: Any) -> Any:
    for decorate in reversed(OPTIONS):
        function = decorate(function)
    return function


@click.command(context_settings=SETTINGS)
@click.option("-d", "--detach", is_flag=True, help="Run in the background and print the container's id.")
@click.option("--sig-proxy/--no-sig-proxy", default=True, help="Pass signals on to the process.")
@click.option("--detach-keys", "keys", default="ctrl-p,ctrl-q", metavar="KEYS", help="The keys that detach.")
@_with_options
@click.argument("image")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND] [ARGS]...")
def run(image: str, command: tuple[str, ...], detach: bool, sig_proxy: bool, keys: str, **flags: Any) -> int:
    """Create and run a new container from an image."""
    application = app()
    stdin = flags["interactive"] and not detach
    if flags["tty"] and stdin and not is_terminal(0):
        raise _own(ComposerError("the input device is not a TTY", hint="leave out -t"))
    body = configuration(image, command, flags, attach=not detach)
    made = _create(application, image, body, flags)
    try:
        launch = Launch(
            application.client,
            made,
            tty=flags["tty"],
            stdin=stdin,
            keys=detach_keys(keys),
            removes=flags["rm"],
            proxy=sig_proxy,
        )
    except ValueError as error:
        raise _own(ComposerError(f"invalid detach keys: {error}")) from error
    if not detach:
        return launch.run()
    launch.start()
    sys.stdout.write(made + "\n")
    return 0


@click.command(context_settings=SETTINGS)
@_with_options
@click.argument("image")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND] [ARGS]...")
def create(image: str, command: tuple[str, ...], **flags: Any) -> None:
    """Create a new container."""
    application = app()
    body = configuration(image, command, flags, attach=True)
    sys.stdout.write(_create(application, image, body, flags) + "\n")


def _create(application: App, image: str, body: dict[str, Any], flags: dict[str, Any]) -> str:
    """The new container's id; a missing image is pulled, as --pull says."""
    if flags["pull"] == "always":
        _pull(application, image, flags)
    query = {"name": flags["name"] or None, "platform": flags["platform"]}
    try:
        answer = application.client.post("/containers/create", body, query)
    except ApiError as error:
        if error.status != NOT_FOUND or "image" not in error.message.lower() or flags["pull"] == "never":
            raise _own(error) from error
        application.warn(f"Unable to find image '{image}' locally")
        _pull(application, image, flags)
        try:
            answer = application.client.post("/containers/create", body, query)
        except ApiError as again:
            raise _own(again) from again
    for warning in answer.get("Warnings") or ():
        application.warn(f"WARNING: {warning}")
    if flags["cidfile"]:
        _write_id(flags["cidfile"], answer["Id"])
    return str(answer["Id"])


def _write_id(path: str, identity: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except OSError as error:
        raise _own(ComposerError(f"container ID file {path}: {error.strerror or error}")) from error
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(identity)


def _pull(application: App, image: str, flags: dict[str, Any]) -> None:
    from composer.cli.jsonstream import follow
    from composer.cli.registry import auth_header, split

    repository, tag = split(image)
    query = {"fromImage": repository, "tag": tag, "platform": flags["platform"]}
    try:
        reply = application.client.stream("POST", "/images/create", query, headers=auth_header(repository))
        follow(reply, application.console, quiet=flags["quiet"])
    except ApiError as error:
        raise _own(error) from error


def _own(error: Any) -> Any:
    """docker run's failure, not the container's: exit code 125."""
    error.exit_code = DAEMON_FAILED
    return error


__all__ = ["CONFLICT", "command_error", "create", "run"]
