"""``composer image ls``."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.each import filters as parse
from composer.cli.listing import show
from composer.cli.units import image as human
from composer.cli.units import since, stamp

COLUMNS = (("REPOSITORY", "Repository"), ("TAG", "Tag"), ("IMAGE ID", "ID"), ("CREATED", "CreatedSince"), ("SIZE", "Size"))
WITH_DIGEST = (*COLUMNS[:2], ("DIGEST", "Digest"), *COLUMNS[2:])


@click.command()
@click.argument("repository", required=False)
@click.option("-a", "--all", "all_", is_flag=True, help="Intermediate images, too.")
@click.option("--digests", is_flag=True, help="Show digests.")
@click.option("-f", "--filter", "filters", multiple=True, metavar="KEY=VALUE", help="Filter by dangling, label, reference, before, since.")
@click.option("--format", "form", default="table", metavar="FORMAT", help="table, json, or a Go template.")
@click.option("--no-trunc", is_flag=True, help="Do not truncate output.")
@click.option("-q", "--quiet", is_flag=True, help="Only the ids.")
def ls(repository: str | None, all_: bool, digests: bool, filters: tuple[str, ...], form: str, no_trunc: bool, quiet: bool) -> None:
    """List images."""
    wanted = parse(filters) or {}
    if repository:
        wanted.setdefault("reference", []).append(repository)
    found = app().client.get("/images/json", {"all": all_, "digests": digests, "filters": wanted or None})
    rows = [row for image in sorted(found, key=lambda one: -one.get("Created", 0)) for row in _rows(image, no_trunc, digests)]
    if quiet:
        sys.stdout.write("".join(f"{row['ID']}\n" for row in rows))
    else:
        show(rows, WITH_DIGEST if digests else COLUMNS, form)


def _rows(image: dict[str, Any], no_trunc: bool, digests: bool) -> list[dict[str, Any]]:
    """A row for each name of the image; `<none>` for one without."""
    identity = image["Id"] if no_trunc else image["Id"].removeprefix("sha256:")[:12]
    digest_of = {text.rpartition("@")[0]: text.rpartition("@")[2] for text in image.get("RepoDigests") or ()}
    base = {
        "ID": identity,
        "CreatedSince": since(image.get("Created", 0)),
        "CreatedAt": stamp(image.get("Created", 0)),
        "Size": human(image.get("Size", 0)),
        "VirtualSize": human(image.get("Size", 0)),
        "SharedSize": "N/A",
        "UniqueSize": "N/A",
        "Containers": "N/A" if image.get("Containers", -1) < 0 else str(image["Containers"]),
    }
    names = [name for name in image.get("RepoTags") or () if name != "<none>:<none>"]
    if not names:
        repository, digest = next(iter(digest_of.items()), ("<none>", "<none>"))
        return [{**base, "Repository": repository, "Tag": "<none>", "Digest": digest}]
    return [
        {**base, "Repository": r, "Tag": t, "Digest": digest_of.get(r, "<none>")} for r, _, t in (n.rpartition(":") for n in sorted(names))
    ]
