"""``composer gitops listen``."""

from __future__ import annotations

import click

from composer.cli.app import app


@click.command()
@click.argument("address", required=False, default="", metavar="[HOST:PORT | off]")
def listen(address: str) -> int:
    """Take webhooks (POST /hooks/NAME) and scrapes (GET /metrics) at an address of this machine, from now on. Without one: say which."""
    found = app().client.post("/composer/v1/gitops/listen", {"address": address})
    if found["address"]:
        click.echo(f"http://{found['address']}")
        return 0
    click.echo(f"not listening, although {found['wanted']} is wanted; see: composer engine logs" if found["wanted"] else "off")
    return 1 if found["wanted"] else 0
