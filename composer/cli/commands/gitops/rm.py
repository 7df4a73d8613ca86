"""``composer gitops rm``."""

from __future__ import annotations

import click

from composer.cli.app import app


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--down", is_flag=True, help="Remove its stacks, too.")
@click.option("-v", "--volumes", is_flag=True, help="With --down: the stacks' volumes, too.")
def rm(names: tuple[str, ...], down: bool, volumes: bool) -> None:
    """Follow sources no longer. Their stacks run on, unless --down."""
    if volumes and not down:
        raise click.UsageError("--volumes goes with --down")
    for name in names:
        found = app().client.post("/composer/v1/gitops/rm", {"name": name, "down": down, "volumes": volumes})
        gone = f"; removed: {', '.join(found['removed'])}" if found["removed"] else ""
        gone += f"; running on: {', '.join(found['kept'])}" if any(found["kept"]) else ""
        click.echo(f"{name} is not followed any more{gone}")
        if found["note"]:
            click.echo(f"  {found['note']}", err=True)
