"""``composer container exec, attach, logs``."""

from __future__ import annotations

import sys

import click

from composer.cli.app import app
from composer.cli.attached import attach_to
from composer.cli.commands.exec import environment, execute
from composer.cli.env_file import read
from composer.cli.logs import LogPrinter, Wanted, open_logs
from composer.cli.terminal import detach_keys, is_terminal
from composer.cli.units import parse_time
from composer.errors import ComposerError


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("-d", "--detach", is_flag=True, help="Run the command in the background.")
@click.option("-e", "--env", multiple=True, metavar="KEY[=VALUE]", help="Set an environment variable.")
@click.option("--env-file", multiple=True, metavar="FILE", help="Read environment variables from a file.")
@click.option("-i", "--interactive", is_flag=True, help="Keep stdin open.")
@click.option("--privileged", is_flag=True, help="Give the process all rights.")
@click.option("-t", "--tty", is_flag=True, help="Allocate a pseudo-TTY.")
@click.option("-u", "--user", default="", metavar="USER[:GROUP]", help="Run as this user.")
@click.option("-w", "--workdir", default="", metavar="DIR", help="Working directory.")
@click.option("--detach-keys", "keys", default="ctrl-p,ctrl-q", metavar="KEYS", help="The keys that detach.")
@click.argument("container")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND [ARGS]...")
def exec_(
    detach: bool,
    env: tuple[str, ...],
    env_file: tuple[str, ...],
    interactive: bool,
    privileged: bool,
    tty: bool,
    user: str,
    workdir: str,
    keys: str,
    container: str,
    command: tuple[str, ...],
) -> int:
    """Run a command in a running container."""
    if tty and interactive and not detach and not is_terminal(0):
        raise ComposerError("the input device is not a TTY", hint="leave out -t")
    from_files = [f"{key}={value}" for path in env_file for key, value in read(path).items() if value is not None]
    config = {
        "AttachStdin": interactive and not detach,
        "AttachStdout": not detach,
        "AttachStderr": not detach,
        "Tty": tty,
        "Cmd": list(command),
        "Env": from_files + environment(env),
        "Privileged": privileged,
        "User": user,
        "WorkingDir": workdir,
    }
    return execute(app().client, container, config, detach=detach, keys=detach_keys(keys))


@click.command()
@click.argument("container")
@click.option("--no-stdin", is_flag=True, help="Do not attach stdin.")
@click.option("--sig-proxy/--no-sig-proxy", default=True, help="Pass signals on to the process.")
@click.option("--detach-keys", "keys", default="ctrl-p,ctrl-q", metavar="KEYS", help="The keys that detach.")
def attach(container: str, no_stdin: bool, sig_proxy: bool, keys: str) -> int:
    """Attach to a running container."""
    return attach_to(app().client, container, stdin=not no_stdin, proxy=sig_proxy, keys=detach_keys(keys))


@click.command()
@click.argument("container")
@click.option("--details", is_flag=True, hidden=True)
@click.option("-f", "--follow", is_flag=True, help="Follow the output.")
@click.option("--since", default=None, metavar="TIME", help="Lines since a time, or so long ago (42m).")
@click.option("-n", "--tail", default="all", metavar="N", help="Lines to show from the end.")
@click.option("-t", "--timestamps", is_flag=True, help="Show timestamps.")
@click.option("--until", default=None, metavar="TIME", help="Lines until a time, or so long ago.")
def logs(container: str, details: bool, follow: bool, since: str | None, tail: str, timestamps: bool, until: str | None) -> None:
    """Fetch the logs of a container."""
    wanted = Wanted(follow, tail, parse_time(since) if since else None, parse_time(until) if until else None)
    printer = LogPrinter(app().console, prefix=False, timestamps=timestamps)
    stream = open_logs(app().client, {"Id": container, "Names": [container]}, wanted)
    for line in stream.lines():
        printer.line(container, line)
        if follow:
            printer.flush()
    sys.stdout.flush()
