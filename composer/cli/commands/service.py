"""The commands that change a service's state: start, stop, restart, kill, pause, unpause, rm, scale."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.options import files, scales, services, timeout
from composer.cli.stack import run


def _do(verb: str, services: tuple[str, ...], **options: Any) -> int:
    application = app()
    full = {"services": list(services), **options}
    return int(run(application, verb, full).get("exit", 0))


@click.command()
@files
@services
@click.option("--wait", is_flag=True, help="Wait until services are running or healthy.")
@click.option("--wait-timeout", type=int, default=0, metavar="SECONDS", help="Longest time to wait for that.")
def start(services: tuple[str, ...], wait: bool, wait_timeout: int) -> int:
    """Start services."""
    return _do("start", services, wait=wait, wait_timeout=wait_timeout or None)


@click.command()
@files
@services
@timeout
def stop(services: tuple[str, ...], timeout: int | None) -> int:
    """Stop services."""
    return _do("stop", services, timeout=timeout)


@click.command()
@files
@services
@timeout
@click.option("--no-deps", is_flag=True, help="Do not restart dependent services.")
def restart(services: tuple[str, ...], timeout: int | None, no_deps: bool) -> int:
    """Restart service containers."""
    return _do("restart", services, timeout=timeout, no_deps=no_deps)


@click.command()
@files
@services
@click.option("-s", "--signal", default="SIGKILL", metavar="SIGNAL", help="The signal (SIGKILL).")
@click.option("--remove-orphans", is_flag=True, help="Remove containers of services that the file does not have.")
def kill(services: tuple[str, ...], signal: str, remove_orphans: bool) -> int:
    """Force stop service containers."""
    return _do("kill", services, signal=signal, remove_orphans=remove_orphans)


@click.command()
@files
@services
def pause(services: tuple[str, ...]) -> int:
    """Pause services."""
    return _do("pause", services)


@click.command()
@files
@services
def unpause(services: tuple[str, ...]) -> int:
    """Unpause services."""
    return _do("unpause", services)


@click.command()
@services
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.option("-s", "--stop", "stop_first", is_flag=True, help="Stop the containers first.")
@click.option("-v", "--volumes", is_flag=True, help="Remove their anonymous volumes, too.")
@click.option("-a", "--all", "all_", is_flag=True, hidden=True)
def rm(services: tuple[str, ...], force: bool, stop_first: bool, volumes: bool, all_: bool) -> int:
    """Remove stopped service containers."""
    from composer.cli.containers import name, of_project
    from composer.cli.resolve import resolve

    application = app()
    stack = resolve(application, services)
    rows = of_project(application.client, stack.name, all=True, services=services)
    gone = [name(row) for row in rows if stop_first or row.get("State") not in ("running", "paused", "restarting")]
    if not gone:
        application.warn("No stopped containers")
        return 0
    question = f"Going to remove {', '.join(gone)}"
    if force:
        click.echo(question)
    elif not _agrees(question):
        return 0
    return _do("rm", services, force=True, stop=stop_first, volumes=volumes)


def _agrees(question: str) -> bool:
    """The user's answer; in a pipe its first line, and without one it is no."""
    if sys.stdin.isatty():
        return click.confirm(f"? {question}", err=True)
    click.echo(question)
    return sys.stdin.readline().strip().lower() in ("1", "t", "true", "y", "yes", "on")


@click.command()
@files
@click.option("--no-deps", is_flag=True, help="Do not start linked services.")
@click.argument("pairs", nargs=-1, required=True, metavar="SERVICE=N...")
def scale(pairs: tuple[str, ...], no_deps: bool) -> int:
    """Scale services."""
    return _do("scale", (), scale=scales(pairs), no_deps=no_deps)
