"""``composer run``: a one-off command on a service."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.commands.exec import environment
from composer.cli.env_file import read
from composer.cli.launch import Launch
from composer.cli.options import files
from composer.cli.stack import run as call
from composer.cli.terminal import detach_keys, is_terminal
from composer.errors import EXIT_FAILED


@click.command(context_settings={"allow_interspersed_args": False})
@files
@click.option("--build", is_flag=True, help="Build the image first.")
@click.option("--cap-add", multiple=True, metavar="CAP", help="Add a capability.")
@click.option("--cap-drop", multiple=True, metavar="CAP", help="Drop a capability.")
@click.option("-d", "--detach", is_flag=True, help="Run in the background and print the container's id.")
@click.option("--entrypoint", default=None, metavar="COMMAND", help="Another entrypoint.")
@click.option("-e", "--env", multiple=True, metavar="KEY[=VALUE]", help="Set an environment variable.")
@click.option("--env-from-file", multiple=True, metavar="FILE", help="Set environment variables from a file.")
@click.option("-i", "--interactive/--no-interactive", default=True, help="Keep stdin open (default).")
@click.option("-l", "--label", multiple=True, metavar="KEY=VALUE", help="Add a label.")
@click.option("--name", default="", metavar="NAME", help="The container's name.")
@click.option("-T", "--no-TTY", "--no-tty", "no_tty", is_flag=True, default=None, help="No pseudo-TTY (default when stdout is none).")
@click.option("-t", "--tty", is_flag=True, hidden=True)
@click.option("--no-deps", is_flag=True, help="Do not start linked services.")
@click.option("-p", "--publish", multiple=True, metavar="PORTS", help="Publish a port.")
@click.option("--pull", type=click.Choice(["always", "missing", "never", "policy"]), default="policy", help="Pull the image first.")
@click.option("-q", "--quiet", is_flag=True, help="Nothing but the command's output.")
@click.option("--quiet-build", is_flag=True, help="Build without output.")
@click.option("--quiet-pull", is_flag=True, help="Pull without progress.")
@click.option("--remove-orphans", is_flag=True, help="Remove containers of services that the file does not have.")
@click.option("--rm", is_flag=True, help="Remove the container when it ends.")
@click.option("-P", "--service-ports", is_flag=True, help="Publish the service's ports.")
@click.option("--use-aliases", is_flag=True, help="Answer to the service's network aliases.")
@click.option("-u", "--user", default="", metavar="USER[:GROUP]", help="Run as this user.")
@click.option("-v", "--volume", multiple=True, metavar="VOLUME", help="Mount a volume or a path.")
@click.option("-w", "--workdir", default="", metavar="DIR", help="Working directory.")
@click.argument("service")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND] [ARGS]...")
def run(service: str, command: tuple[str, ...], **flags: Any) -> int:
    """Run a one-off command on a service."""
    application = app()
    detach = flags["detach"]
    tty = not detach and not flags["no_tty"] and is_terminal(0) and is_terminal(1)
    options = {
        "service": service,
        "command": list(command) or None,
        "entrypoint": flags["entrypoint"],
        "env": [*from_files(flags["env_from_file"]), *environment(flags["env"])],
        "labels": list(flags["label"]),
        "publish": list(flags["publish"]),
        "volumes": [absolute(text, application.cwd) for text in flags["volume"]],
        "tty": tty,
        "interactive": flags["interactive"] and not detach,
        "pull": "" if flags["pull"] == "policy" else flags["pull"],
        "cap_add": list(flags["cap_add"]),
        "cap_drop": list(flags["cap_drop"]),
        **{
            key: flags[key]
            for key in ("build", "detach", "name", "no_deps", "remove_orphans", "rm", "service_ports", "use_aliases", "user", "workdir")
        },
    }
    quiet = [word for word, key in (("Pull", "quiet_pull"), ("Build", "quiet_build")) if flags[key]]
    result = call(application, "run", options, without=("",) if flags["quiet"] else tuple(quiet))
    launch = Launch(
        application.client,
        str(result["id"]),
        tty=bool(result.get("tty", tty)),
        stdin=bool(result.get("stdin", options["interactive"])),
        keys=detach_keys("ctrl-p,ctrl-q"),
        removes=flags["rm"],
        failed=EXIT_FAILED,
    )
    if not detach:
        return launch.run()
    launch.start()
    sys.stdout.write(f"{result.get('name') or result['id']}\n")
    return 0


def from_files(paths: tuple[str, ...]) -> list[str]:
    """The variables of env files, as ``KEY=VALUE``."""
    return [f"{key}={value}" for path in paths for key, value in read(path).items() if value is not None]


def absolute(text: str, cwd: str) -> str:
    """``./a:/b`` with its source made absolute; names of volumes stay."""
    source, colon, rest = text.partition(":")
    if colon and source.startswith((".", "~")):
        source = os.path.normpath(os.path.join(cwd, os.path.expanduser(source)))
    return source + colon + rest
