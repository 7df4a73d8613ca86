"""The commands about services' images: pull, push, build, images."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.client import ApiError, Client, quote
from composer.cli.containers import Summary, name, of_project
from composer.cli.listing import dump, show
from composer.cli.options import files, refuse, services
from composer.cli.registry import split
from composer.cli.resolve import resolve
from composer.cli.stack import run
from composer.cli.units import image as human
from composer.cli.units import since, unix

COLUMNS = (
    ("CONTAINER", "ContainerName"),
    ("REPOSITORY", "Repository"),
    ("TAG", "Tag"),
    ("PLATFORM", "Platform"),
    ("IMAGE ID", "Short"),
    ("SIZE", "Human"),
    ("CREATED", "Since"),
)


@click.command()
@files
@services
@click.option("--ignore-buildable", is_flag=True, help="Not those that can be built.")
@click.option("--ignore-pull-failures", is_flag=True, help="Pull what can be pulled.")
@click.option("--include-deps", is_flag=True, help="Those of dependencies, too.")
@click.option("--policy", type=click.Choice(["missing", "always"]), default=None, help="Pull policy.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def pull(services: tuple[str, ...], quiet: bool, **flags: Any) -> int:
    """Pull service images."""
    options = {"services": list(services), **flags, "policy": flags["policy"] or ""}
    return int(run(app(), "pull", options, without=("",) if quiet else ()).get("exit", 0))


@click.command()
@files
@services
@click.option("--ignore-push-failures", is_flag=True, help="Push what can be pushed.")
@click.option("--include-deps", is_flag=True, help="Those of dependencies, too.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def push(services: tuple[str, ...], quiet: bool, **flags: Any) -> int:
    """Push service images."""
    options = {"services": list(services), **flags}
    return int(run(app(), "push", options, without=("",) if quiet else ()).get("exit", 0))


@click.command()
@files
@services
@click.option("--build-arg", "build_args", multiple=True, metavar="KEY[=VALUE]", help="Set a build argument.")
@click.option("--check", is_flag=True, help="Only check the build configuration.")
@click.option("-m", "--memory", default=None, metavar="SIZE", help="Memory limit (ignored, as by BuildKit).")
@click.option("--no-cache", is_flag=True, help="Build everything anew.")
@click.option("--pull", "pull_", is_flag=True, help="Always pull newer base images.")
@click.option("--push", "push_", is_flag=True, help="Push the images.")
@click.option("-q", "--quiet", is_flag=True, help="No output of the build.")
@click.option("--with-dependencies", is_flag=True, help="Build dependencies, too.")
@click.option("--force-rm", is_flag=True, hidden=True)
@click.option("--no-rm", is_flag=True, hidden=True)
@click.option("--compress", is_flag=True, hidden=True)
@click.option("--progress", default=None, hidden=True)
@refuse("--ssh", "this builder has no ssh mounts")
@refuse("--builder", "composer builds with its own builder")
@refuse("--provenance", "this builder makes no attestations")
@refuse("--sbom", "this builder makes no attestations")
def build(services: tuple[str, ...], build_args: tuple[str, ...], pull_: bool, push_: bool, quiet: bool, **flags: Any) -> int:
    """Build or rebuild services."""
    application = app()
    if flags["progress"]:
        application.console.progress = {"rawjson": "json"}.get(flags["progress"], flags["progress"])
    args = {key: value if equals else os.environ.get(key) for key, equals, value in (pair.partition("=") for pair in build_args)}
    options = {
        "services": list(services),
        "build_arg": {key: value for key, value in args.items() if value is not None},
        "no_cache": flags["no_cache"],
        "pull": pull_,
        "push": push_,
        "with_dependencies": flags["with_dependencies"],
    }
    if flags["check"]:
        options["check"] = True
    return int(run(application, "build", options, without=("",) if quiet else ()).get("exit", 0))


@click.command()
@files
@services
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", help="table or json.")
@click.option("-q", "--quiet", is_flag=True, help="Only the ids.")
def images(services: tuple[str, ...], form: str, quiet: bool) -> None:
    """List images used by the created containers."""
    application = app()
    stack = resolve(application, services)
    containers = of_project(application.client, stack.name, all=True, oneoff=True, services=services)
    rows = sorted((_row(application.client, one) for one in containers), key=lambda row: str(row["ContainerName"]))
    if quiet:
        sys.stdout.write("".join(f"{identity}\n" for identity in dict.fromkeys(str(row["ID"]).removeprefix("sha256:") for row in rows)))
    elif form == "json":
        keys = ("ID", "ContainerName", "Repository", "Tag", "Platform", "Size", "Created", "LastTagTime")
        sys.stdout.write(dump([{key: row[key] for key in keys} for row in rows]) + "\n")
    else:
        show(rows, COLUMNS)


def _row(client: Client, container: Summary) -> dict[str, Any]:
    """The image of one container; one that has been removed since has only its id."""
    try:
        image = client.get(f"/images/{quote(container['ImageID'])}/json")
    except ApiError as error:
        if error.status != 404:
            raise
        image = {"Id": container["ImageID"]}
    tags = image.get("RepoTags") or ()
    used = str(container.get("Image", ""))
    repository, tag = split(used if not tags or f"{used}:latest" in tags or used in tags else tags[0])
    parts = (image.get("Os", ""), image.get("Architecture", ""), image.get("Variant", ""))
    return {
        "ID": image["Id"],
        "Short": image["Id"].removeprefix("sha256:")[:12],
        "ContainerName": name(container),
        "Repository": repository if tags else "<none>",
        "Tag": tag if tags else "<none>",
        "Platform": "/".join(part for part in parts if part),
        "Size": image.get("Size", 0),
        "Human": human(image.get("Size", 0)),
        "Created": image.get("Created", ""),
        "LastTagTime": (image.get("Metadata") or {}).get("LastTagTime", ""),
        "Since": since(unix(image["Created"])) if image.get("Created") else "N/A",
    }
