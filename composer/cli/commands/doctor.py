"""``composer doctor``: what this machine lacks, and the command that mends it. Exit code 1 when something needed is lacking."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict

import click

from composer.cli.app import app
from composer.cli.checks import Check, all_checks
from composer.cli.console import GREEN, RED, YELLOW
from composer.cli.listing import dump
from composer.errors import EXIT_FAILED


@click.command()
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def doctor(form: str) -> int:
    """Say what this machine lacks, and how to mend it."""
    from composer.daemon.options import options

    application = app()
    checks = list(all_checks(options(os.environ).root, application.address))
    if form == "json":
        sys.stdout.write(dump([asdict(check) for check in checks]) + "\n")
    else:
        for check in checks:
            sys.stdout.write(_line(check) + "\n")
    lacking = [check for check in checks if not check.ok and check.needed]
    if form == "text":
        sys.stdout.write(f"\n{len(lacking)} of what is needed is lacking\n" if lacking else "\nall that is needed is there\n")
    return EXIT_FAILED if lacking else 0


def _line(check: Check) -> str:
    console = app().console
    if check.ok:
        return f" {console.paint('✔', GREEN, 1)} {check.name}: {check.found}"
    mark, colour = ("✘", RED) if check.needed else ("!", YELLOW)
    return f" {console.paint(mark, colour, 1)} {check.name}: {check.found}\n     mend it: {check.remedy}"
