"""``composer container start``, with -a and -i."""

from __future__ import annotations

import click

from composer.cli.app import app
from composer.cli.each import each
from composer.cli.launch import Launch
from composer.cli.terminal import detach_keys


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="CONTAINER...")
@click.option("-a", "--attach", is_flag=True, help="Attach to its output, and pass signals on.")
@click.option("-i", "--interactive", is_flag=True, help="Attach its stdin, too.")
@click.option("--detach-keys", "keys", default="ctrl-p,ctrl-q", metavar="KEYS", help="The keys that detach.")
def start(names: tuple[str, ...], attach: bool, interactive: bool, keys: str) -> int:
    """Start stopped containers."""
    application = app()
    if attach or interactive:
        if len(names) > 1:
            raise click.UsageError("you cannot start and attach multiple containers at once")
        config = application.client.get(f"/containers/{names[0]}/json")["Config"]
        stdin = interactive and bool(config.get("OpenStdin"))
        return Launch(application.client, names[0], tty=bool(config.get("Tty")), stdin=stdin, keys=detach_keys(keys)).run()

    def one(ref: str) -> None:
        application.client.post(f"/containers/{ref}/start")

    return each(application, names, one)
