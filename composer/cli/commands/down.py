"""``composer down``: nothing of the stack is left (volumes and images only when asked)."""

from __future__ import annotations

import click

from composer.cli.app import app
from composer.cli.options import asked, files, isolated, services, timeout
from composer.cli.stack import run


@click.command()
@files
@isolated(makes=False)
@services
@timeout
@click.option("--remove-orphans", is_flag=True, help="Remove containers of services that the file does not have.")
@click.option(
    "--rmi", type=click.Choice(["local", "all"]), default=None, help="Remove images; local: only those without a name of their own."
)
@click.option("-v", "--volumes", is_flag=True, help="Remove the file's named volumes and anonymous volumes.")
def down(services: tuple[str, ...], timeout: int | None, remove_orphans: bool, rmi: str | None, volumes: bool) -> int:
    """Stop and remove containers, networks."""
    application = app()
    options = {
        "services": list(services),
        "timeout": timeout,
        "remove_orphans": remove_orphans or asked("COMPOSE_REMOVE_ORPHANS"),
        "rmi": rmi or "",
        "volumes": volumes,
    }
    result = run(application, "down", options)
    if result.get("providers") and not application.dry_run:
        from composer.cli.provider import provide

        provide(application, result["providers"], "down")
    return int(result.get("exit", 0))
