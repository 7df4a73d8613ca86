"""``composer engine install`` and ``uninstall``: the systemd units."""

from __future__ import annotations

import sys

import click

from composer.daemon import install as units


@click.command()
@click.option("--start/--no-start", default=True, help="Start the daemon, too.")
def install(start: bool) -> None:
    """Install the daemon as a systemd service, and start it now and at boot."""
    for path in units.install(start=start):
        sys.stdout.write(f"wrote {path}\n")
    sys.stdout.write("enabled composer.socket and composer.service" + (", and started them" if start else "") + "\n")


@click.command()
def uninstall() -> None:
    """Stop the daemon and remove its systemd service; containers go on."""
    removed = units.uninstall()
    sys.stdout.write("".join(f"removed {path}\n" for path in removed) or "not installed\n")
