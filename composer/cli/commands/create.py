"""``composer create``: `up` without the start."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.options import asked, dry_run, files, isolated, scales, services
from composer.cli.stack import run


@click.command()
@files
@isolated(makes=True)
@dry_run
@services
@click.option("--build", is_flag=True, help="Build images before creating containers.")
@click.option("--no-build", is_flag=True, help="Do not build an image.")
@click.option("--force-recreate", is_flag=True, help="Recreate containers although nothing changed.")
@click.option("--no-recreate", is_flag=True, help="Keep existing containers although something changed.")
@click.option("--pull", type=click.Choice(["always", "missing", "never", "build", "policy"]), default="policy", help="Pull images first.")
@click.option("--quiet-pull", is_flag=True, help="Pull without showing progress.")
@click.option("--remove-orphans", is_flag=True, help="Remove containers of services that the file does not have.")
@click.option("--scale", multiple=True, metavar="SERVICE=N", help="Number of containers of a service.")
@click.option("-y", "--yes", is_flag=True, help="Assume yes where a question would be asked (none is).")
def create(services: tuple[str, ...], scale: tuple[str, ...], pull: str, quiet_pull: bool, yes: bool, **flags: Any) -> int:
    """Create containers for a service."""
    if flags["build"] and flags["no_build"]:
        raise click.UsageError("--build and --no-build are incompatible")
    if flags["force_recreate"] and flags["no_recreate"]:
        raise click.UsageError("--force-recreate and --no-recreate are incompatible")
    application = app()
    options = {
        "services": list(services),
        "scale": scales(scale),
        "pull": "" if pull in ("policy", "build") else pull,
        "build": flags.pop("build") or pull == "build",
        "dry_run": application.dry_run,
        **flags,
        "remove_orphans": flags["remove_orphans"] or asked("COMPOSE_REMOVE_ORPHANS"),
        "ignore_orphans": asked("COMPOSE_IGNORE_ORPHANS"),
    }
    if application.dry_run:
        from composer.cli.plan_text import refused, text

        result = run(application, "plan", {**options, "no_start": True})
        sys.stdout.write(text(result, application.console))
        return 1 if refused(result) else 0
    return int(run(application, "create", options, without=("Pull",) if quiet_pull else ()).get("exit", 0))
