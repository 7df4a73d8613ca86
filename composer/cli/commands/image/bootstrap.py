"""``composer image bootstrap``: a base image out of the distribution's own packages, without any registry."""

from __future__ import annotations

import click

from composer.cli.app import app
from composer.cli.stack import run


@click.command()
@click.argument("name", metavar="DISTRIBUTION:SUITE")
@click.option("--force", is_flag=True, help="Make it anew although it is there.")
def bootstrap(name: str, force: bool) -> int:
    """Make a base image with mmdebstrap: debian:bookworm-slim, debian:trixie-slim, ubuntu:noble ..."""
    application = app()
    if not force:
        from composer.cli.client import ApiError, quote

        try:
            application.client.get(f"/images/{quote(name)}/json")
        except ApiError as error:
            if error.status != 404:
                raise
        else:
            application.warn(f"{name} is already there (--force makes it anew)")
            return 0
    return int(run(application, "bootstrap", {"ref": name}).get("exit", 0))
