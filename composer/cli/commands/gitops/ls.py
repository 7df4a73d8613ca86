"""``composer gitops ls``."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.commands.gitops.show import ago
from composer.cli.listing import show

COLUMNS = (("NAME", "Name"), ("STATE", "State"), ("STACKS", "Stacks"), ("COMMIT", "Commit"), ("REF", "Ref"), ("CHECKED", "Checked"))


@click.command()
@click.option("--format", "form", default="table", metavar="FORMAT", help="table, json, or a Go template.")
@click.option("-q", "--quiet", is_flag=True, help="Only the names.")
def ls(form: str, quiet: bool) -> None:
    """List the sources that are followed."""
    found = app().client.post("/composer/v1/gitops/ls")
    if quiet:
        sys.stdout.write("".join(f"{one['name']}\n" for one in found))
    else:
        show([_row(one) for one in found], COLUMNS, form)


def _row(one: dict[str, Any]) -> dict[str, Any]:
    commits = {stack["commit"][:8] for stack in one["stacks"] if stack["commit"]}
    return {
        "Name": one["name"],
        "State": one["state"],
        "Stacks": ",".join(stack["stack"] for stack in one["stacks"]) or "-",
        "Commit": ",".join(sorted(commits)) or "-",
        "Ref": one["ref"],
        "Checked": ago(one["checked"]),
        "Repo": one["repo"],
        "Path": one["path"],
        "Problem": one["problem"],
    }
