"""``composer ls``: the stacks that there are."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.containers import ONEOFF, PROJECT, Summary, label
from composer.cli.each import filters as parse
from composer.cli.listing import dump, show

COLUMNS = (("NAME", "Name"), ("STATUS", "Status"), ("CONFIG FILES", "ConfigFiles"))
FILES = "com.docker.compose.project.config_files"


@click.command()
@click.option("-a", "--all", "all_", is_flag=True, help="Stopped ones, too.")
@click.option("--filter", "filters", multiple=True, metavar="name=PATTERN", help="Filter by name.")
@click.option("--format", "form", default="table", metavar="FORMAT", help="table or json.")
@click.option("-q", "--quiet", is_flag=True, help="Only the names.")
def ls(all_: bool, filters: tuple[str, ...], form: str, quiet: bool) -> None:
    """List running compose projects."""
    rows = app().client.get("/containers/json", {"all": all_, "filters": {"label": [PROJECT]}})
    found = [row for row in stacks(rows) if _matches(str(row["Name"]), parse(filters) or {})]
    if quiet:
        sys.stdout.write("".join(f"{row['Name']}\n" for row in found))
    elif form == "json":
        sys.stdout.write(dump(found) + "\n")
    else:
        show(found, COLUMNS, form)


def stacks(rows: list[Summary]) -> list[dict[str, Any]]:
    """A row for each project among the containers."""
    projects: dict[str, list[Summary]] = {}
    for row in rows:
        projects.setdefault(label(row, PROJECT), []).append(row)
    return [
        {
            "Name": name,
            "Status": _status([str(row.get("State", "")) for row in group]),
            "ConfigFiles": ",".join(dict.fromkeys(text for row in group for text in label(row, FILES).split(",") if text)) or "N/A",
        }
        for name, group in sorted(projects.items())
    ]


def _status(states: list[str]) -> str:
    """``exited(1), running(2)``."""
    return ", ".join(f"{state}({states.count(state)})" for state in sorted(set(states)))


def _matches(name: str, wanted: dict[str, list[str]]) -> bool:
    import re

    for key in wanted:
        if key != "name":
            raise click.UsageError(f"invalid filter '{key}'")
    try:
        return not wanted or any(re.search(pattern, name) for pattern in wanted["name"])
    except re.error as error:
        raise click.UsageError(f"invalid pattern in --filter: {error}") from error


__all__ = ["ONEOFF", "ls", "stacks"]
