"""``composer system df``."""

from __future__ import annotations

from typing import Any

import click

from composer.cli.app import app
from composer.cli.listing import show
from composer.cli.units import image as human

COLUMNS = (("TYPE", "Type"), ("TOTAL", "TotalCount"), ("ACTIVE", "Active"), ("SIZE", "Size"), ("RECLAIMABLE", "Reclaimable"))


@click.command()
@click.option("--format", "form", default="table", metavar="FORMAT", help="table, json, or a Go template.")
@click.option("-v", "--verbose", is_flag=True, help="Each object on its own.")
def df(form: str, verbose: bool) -> None:
    """Show disk usage."""
    answer = app().client.get("/system/df")
    if verbose:
        _verbose(answer)
        return
    show([_images(answer), _containers(answer), _volumes(answer), _cache(answer)], COLUMNS, form)


def _row(kind: str, total: int, active: int, size: int, free: int) -> dict[str, Any]:
    share = f" ({100 * free // size}%)" if size else ""
    return {"Type": kind, "TotalCount": str(total), "Active": str(active), "Size": human(size), "Reclaimable": human(free) + share}


def _images(answer: dict[str, Any]) -> dict[str, Any]:
    images = answer.get("Images") or []
    used = [one for one in images if (one.get("Containers") or 0) > 0]
    size = answer.get("LayersSize") or sum(one.get("Size", 0) for one in images)
    free = max(0, size - sum(one.get("Size", 0) for one in used))
    return _row("Images", len(images), len(used), size, free)


def _containers(answer: dict[str, Any]) -> dict[str, Any]:
    rows = answer.get("Containers") or []
    running = [row for row in rows if row.get("State") in ("running", "paused", "restarting")]
    size = sum(row.get("SizeRw") or 0 for row in rows)
    return _row("Containers", len(rows), len(running), size, size - sum(row.get("SizeRw") or 0 for row in running))


def _volumes(answer: dict[str, Any]) -> dict[str, Any]:
    rows = answer.get("Volumes") or []
    usage = [(row.get("UsageData") or {}) for row in rows]
    used = [one for one in usage if one.get("RefCount", 0) > 0]
    size = sum(max(0, one.get("Size", 0)) for one in usage)
    return _row("Local Volumes", len(rows), len(used), size, size - sum(max(0, one.get("Size", 0)) for one in used))


def _cache(answer: dict[str, Any]) -> dict[str, Any]:
    rows = answer.get("BuildCache") or []
    used = [row for row in rows if row.get("InUse")]
    size = sum(row.get("Size", 0) for row in rows)
    return _row("Build Cache", len(rows), len(used), size, size - sum(row.get("Size", 0) for row in used))


def _verbose(answer: dict[str, Any]) -> None:
    images = [
        {"Name": ", ".join(one.get("RepoTags") or ["<none>"]), "Id": one["Id"][7:19], "Size": human(one.get("Size", 0))}
        for one in answer.get("Images") or ()
    ]
    show(images, (("IMAGE", "Name"), ("IMAGE ID", "Id"), ("SIZE", "Size")))
    click.echo()
    volumes = [
        {"Name": row["Name"], "Size": human(max(0, (row.get("UsageData") or {}).get("Size", 0)))} for row in answer.get("Volumes") or ()
    ]
    show(volumes, (("VOLUME NAME", "Name"), ("SIZE", "Size")))
