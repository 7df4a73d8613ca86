"""``composer engine start, stop, status, logs``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import click

from composer.cli.address import NoDaemon
from composer.cli.app import app
from composer.cli.listing import dump
from composer.cli.units import ago, binary
from composer.daemon.options import LOG, Options, options
from composer.errors import EXIT_FAILED, ComposerError

STOP_SECONDS = 30.0
NOT_RUNNING = 3  # as `systemctl status` has it


def _options() -> Options:
    return options(os.environ, host=app().address)


@click.command()
def start() -> None:
    """Start the daemon, if it does not run."""
    from composer.daemon.start import ensure

    found = _options()
    started = ensure(found)
    sys.stdout.write(f"{'started' if started else 'running already'} at {found.host}\n")


@click.command()
def stop() -> None:
    """Stop the daemon; containers go on."""
    found = _options()
    try:
        answer = app().quiet_client.post("/composer/v1/engine/stop", {})
    except NoDaemon:
        sys.stdout.write("not running\n")
        return
    _wait_for_end(int(answer["pid"]))
    sys.stdout.write(f"stopped at {found.host}\n")


def _wait_for_end(pid: int) -> None:
    """By pidfd: it is not our child."""
    import select

    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not select.select([descriptor], [], [], STOP_SECONDS)[0]:
            raise ComposerError(f"the daemon (pid {pid}) has not stopped within {STOP_SECONDS:g} s", hint="see: composer engine logs")
    finally:
        os.close(descriptor)


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def status(form: str) -> int:
    """Show whether it runs, and what it is. Exit code 3 when it does not."""
    try:
        answer: dict[str, Any] = app().quiet_client.get("/composer/v1/engine/status")
    except NoDaemon as error:
        sys.stdout.write((dump({"running": False, "host": error.address}) if form == "json" else f"not running at {error.address}") + "\n")
        return NOT_RUNNING
    if form == "json":
        sys.stdout.write(dump({"running": True, **answer}) + "\n")
        return 0
    lines = {
        "running at": answer["host"],
        "pid": answer["pid"],
        "version": answer["version"],
        "up": ago(answer["uptime"]).lower(),
        "memory": f"{binary(answer['memory'])} (at most {binary(answer['memory_peak'])})",
        "root": answer["root"],
        "run": answer["run"],
    }
    sys.stdout.write("".join(f"{title + ':':<12}{value}\n" for title, value in lines.items()))
    return 0


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("-n", "--tail", type=int, default=200, metavar="N", help="Lines from the end.")
@click.option("--format", "form", type=click.Choice(["auto", "console", "json"]), default="auto", help="auto: console on a terminal.")
def logs(follow: bool, tail: int, form: str) -> int:
    """Show the daemon's log."""
    path = _options().run / LOG
    shown = _for_people() if form == "console" or (form == "auto" and sys.stdout.isatty()) else bytes
    if not path.exists():
        if os.path.exists("/etc/systemd/system/composer.service"):
            command = ["journalctl", "-u", "composer.service", "-n", str(tail), *(["-f"] if follow else ["--no-pager"])]
            sys.stdout.flush()
            os.execvp(command[0], command)
        click.echo(f"there is no log at {path}", err=True)
        return EXIT_FAILED
    with open(path, "rb") as file:
        lines = file.readlines()
        sys.stdout.buffer.write(b"".join(map(shown, lines[max(0, len(lines) - tail) :] if tail >= 0 else lines)))
        while follow:
            sys.stdout.flush()
            if piece := file.readline():
                sys.stdout.buffer.write(shown(piece))
            else:
                time.sleep(0.2)
    return 0


def _for_people() -> Callable[[bytes], bytes]:
    """What makes a readable line of a line of JSON; other lines stay as they are."""
    import json

    from composer.daemon.logs import console

    render = console(colors=sys.stdout.isatty())

    def shown(line: bytes) -> bytes:
        try:
            fields = json.loads(line)
        except ValueError:
            return line
        return f"{render(None, '', fields)}\n".encode() if isinstance(fields, dict) and "event" in fields else line

    return shown
