"""``composer gitops sync``."""

from __future__ import annotations

import click

from composer.cli.app import app
from composer.cli.commands.gitops.show import ended_well, show_status


@click.command()
@click.argument("name")
@click.option("--retry", is_flag=True, help="Try quarantined commits again.")
@click.option("--accept-rewrite", is_flag=True, help="Accept that the history was rewritten.")
@click.option("--anytime", is_flag=True, help="Bring commits up outside of the sync windows, too.")
@click.option("--allow-empty", is_flag=True, help="Let a commit that emptied the set remove what runs.")
@click.option("--prune-volumes", is_flag=True, help="Remove the volumes that left the file, with their data.")
@click.option("-d", "--detach", is_flag=True, help="Do not wait for what comes of it.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print the status.")
def sync(name: str, form: str, **flags: bool) -> int:
    """Look at the repository now, and wait for what comes of it. Exit code 1 when the head is not what runs."""
    if flags["detach"] and flags["prune_volumes"]:
        raise click.UsageError("--prune-volumes and --detach are incompatible")
    one = app().client.post("/composer/v1/gitops/sync", {"name": name, **flags})
    show_status(one, form)
    return 0 if flags["detach"] or ended_well(one) else 1
