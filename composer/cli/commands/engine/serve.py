"""``composer engine serve``: the daemon itself, in the foreground."""

from __future__ import annotations

import os

import click

from composer.cli.app import app


@click.command()
@click.option("--root", default="", metavar="DIR", help="State that survives a reboot (COMPOSER_ROOT, /var/lib/composer).")
@click.option("--run", default="", metavar="DIR", help="State that does not (COMPOSER_RUN, /run/composer).")
@click.option("--host", default="", metavar="ADDRESS", help="Where to listen: unix:///PATH (COMPOSER_HOST).")
@click.option("--pool", default="", metavar="CIDR", help="Addresses for networks without a subnet (COMPOSER_POOL).")
@click.option("--pool6", default="", metavar="CIDR", help="The same for IPv6 (COMPOSER_POOL6).")
@click.option("--cgroup", default="", metavar="PATH", help="The cgroup beneath which containers live (COMPOSER_CGROUP).")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default=None, help="How much is logged.")
@click.option("--log-format", type=click.Choice(["auto", "console", "json"]), default=None, help="json unless on a terminal.")
@click.option("--resync", default="", metavar="SECONDS", help="Between two looks at everything (COMPOSER_RESYNC, 60).")
def serve(
    root: str, run: str, host: str, pool: str, pool6: str, cgroup: str, log_level: str | None, log_format: str | None, resync: str
) -> int:
    """Run the daemon in the foreground."""
    from composer.daemon.main import main
    from composer.daemon.options import options

    found = options(
        os.environ,
        root=root,
        run=run,
        host=host or app().host or "",
        pool=pool,
        pool6=pool6,
        cgroup=cgroup,
        log_level=log_level or "",
        log_format=log_format or "",
        resync=resync,
    )
    return main(found)
