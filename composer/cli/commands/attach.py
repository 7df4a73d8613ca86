"""``composer attach``: our streams on a service's running container."""

from __future__ import annotations

import click

from composer.cli.app import app
from composer.cli.attached import attach_to
from composer.cli.options import files
from composer.cli.resolve import container_of, resolve
from composer.cli.terminal import detach_keys


@click.command()
@files
@click.option("--detach-keys", "keys", default="ctrl-p,ctrl-q", metavar="KEYS", help="The keys that detach.")
@click.option("--index", type=int, default=0, metavar="N", help="Number of the container, if the service has several.")
@click.option("--no-stdin", is_flag=True, help="Do not attach stdin.")
@click.option("--sig-proxy/--no-sig-proxy", default=True, help="Pass signals on to the process.")
@click.argument("service")
def attach(service: str, keys: str, index: int, no_stdin: bool, sig_proxy: bool) -> int:
    """Attach local standard input, output, and error streams to a service's running container."""
    application = app()
    stack = resolve(application)
    found = container_of(application.client, stack, service, index)
    return attach_to(application.client, found["Id"], stdin=not no_stdin, proxy=sig_proxy, keys=detach_keys(keys))
