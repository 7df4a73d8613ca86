"""``composer port``: where a container's port is published."""

from __future__ import annotations

import sys

import click

from composer.cli.app import app
from composer.cli.containers import name
from composer.cli.options import files
from composer.cli.resolve import container_of, resolve
from composer.errors import ComposerError


@click.command()
@files
@click.option("--index", type=int, default=0, metavar="N", help="Number of the container, if the service has several.")
@click.option("--protocol", type=click.Choice(["tcp", "udp"]), default="tcp", help="tcp or udp.")
@click.argument("service")
@click.argument("private", type=int, metavar="PRIVATE_PORT")
def port(service: str, private: int, index: int, protocol: str) -> None:
    """Print the public port for a port binding."""
    application = app()
    stack = resolve(application)
    row = container_of(application.client, stack, service, index)
    found = [
        p for p in row.get("Ports") or () if p["PrivatePort"] == private and (p.get("Type") or "tcp") == protocol and p.get("PublicPort")
    ]
    if not found:
        raise ComposerError(f"no port {private}/{protocol} for container {name(row)}", hint=_published(row))
    first = min(found, key=lambda p: ":" in (p.get("IP") or ""))
    ip = first.get("IP") or "0.0.0.0"
    sys.stdout.write(f"{f'[{ip}]' if ':' in ip else ip}:{first['PublicPort']}\n")


def _published(row: dict[str, object]) -> str:
    from composer.cli.containers import ports

    return f"published are: {ports(row) or 'none'}"
