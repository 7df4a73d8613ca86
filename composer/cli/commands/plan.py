"""``composer plan``: what `up` would do, and why; nothing is touched."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.listing import dump
from composer.cli.options import files, isolated, scales, services, timeout
from composer.cli.plan_text import refused, text
from composer.cli.stack import run

CHANGES = 2  # --detailed-exitcode: there is something to do
_SHOWN = ("project", "changed", "summary", "changes", "actions", "findings", "notes")


@click.command()
@files
@isolated(makes=False)
@services
@timeout
@click.option("--detailed-exitcode", is_flag=True, help="0: nothing to do, 1: error, 2: something to do.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print the plan.")
@click.option("--steps", is_flag=True, help="Every step, in the order in which they may be done.")
@click.option("--scale", multiple=True, metavar="SERVICE=N", help="Number of containers of a service.")
@click.option("--remove-orphans", is_flag=True, help="Remove containers of services that the file does not have.")
@click.option("--force-recreate", is_flag=True, help="Recreate containers although nothing changed.")
@click.option("--no-recreate", is_flag=True, help="Keep existing containers although something changed.")
@click.option("--always-recreate-deps", is_flag=True, help="Recreate dependencies, too.")
@click.option("--no-deps", is_flag=True, help="Leave linked services alone.")
@click.option("--build", is_flag=True, help="Build images before starting containers.")
@click.option("--no-build", is_flag=True, help="Do not build an image.")
@click.option("--pull", type=click.Choice(["always", "missing", "never", "policy"]), default="policy", help="Pull images before running.")
@click.option("--git", "span", default="", metavar="BASE..HEAD", help="The plan of a pull request, as Markdown; needs no engine.")
def plan(
    services: tuple[str, ...], detailed_exitcode: bool, form: str, scale: tuple[str, ...], span: str, steps: bool, **flags: Any
) -> int:
    """Show what `up` would do, and why."""
    if span:
        from composer.cli.git_plan import git_plan

        if services or scale:
            raise click.UsageError("--git plans whole stacks: leave SERVICE and --scale out")
        return git_plan(app(), span, form, detailed=detailed_exitcode)
    pull = flags.pop("pull")
    options = {"services": list(services), "scale": scales(scale), "pull": "" if pull == "policy" else pull, **flags}
    application = app()
    result = run(application, "plan", options)
    if form == "json":
        sys.stdout.write(dump({key: value for key, value in result.items() if key in _SHOWN}) + "\n")
    else:
        sys.stdout.write(text(result, application.console, steps=steps))
    if refused(result):
        return 1
    return CHANGES if detailed_exitcode and result.get("changed") else 0
