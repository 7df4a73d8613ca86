"""``composer container cp, export, commit``."""

from __future__ import annotations

import sys

import click

from composer.cli.app import app
from composer.cli.commands.cp import split
from composer.cli.commands.image.archive import to_file
from composer.cli.copy import Remote, into, out_of
from composer.cli.terminal import is_terminal
from composer.errors import ComposerError, UsageError


@click.command()
@click.option("-a", "--archive", is_flag=True, help="Copy all uid and gid information.")
@click.option("-L", "--follow-link", is_flag=True, help="Follow symbolic links in SOURCE.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
def cp(source: str, target: str, archive: bool, follow_link: bool, quiet: bool) -> None:
    """Copy files/folders between a container and here: CONTAINER:PATH PATH|- or PATH|- CONTAINER:PATH."""
    client = app().client
    from_container, from_path = split(source)
    to_container, to_path = split(target)
    if from_container and to_container:
        raise ComposerError("copying between containers is not supported")
    if from_container:
        out_of(client, Remote(from_container, from_path), target, follow=follow_link)
    elif to_container:
        into(client, source, Remote(to_container, to_path), follow=follow_link, archive=archive)
    else:
        raise UsageError("must specify at least one container source", hint="name a container: CONTAINER:PATH")


@click.command()
@click.option("-o", "--output", default=None, metavar="FILE", help="Write to this file instead of stdout.")
@click.argument("container")
def export(container: str, output: str | None) -> None:
    """Write a container's file system as a tar."""
    export_to(container, output)


def export_to(container: str, output: str | None) -> None:
    if output is None and is_terminal(1):
        raise UsageError("cowardly refusing to save to a terminal", hint="use -o FILE, or redirect")
    to_file(app().client.stream("GET", f"/containers/{container}/export").pieces(), output)


@click.command()
@click.option("-a", "--author", default=None, metavar="NAME", help="The author.")
@click.option("-c", "--change", "changes", multiple=True, metavar="INSTRUCTION", help="Apply a Dockerfile instruction.")
@click.option("-m", "--message", default=None, help="Commit message.")
@click.option("-p", "--pause/--no-pause", default=True, help="Pause the container meanwhile.")
@click.argument("container")
@click.argument("name", required=False, default="", metavar="[REPOSITORY[:TAG]]")
def commit(container: str, name: str, author: str | None, changes: tuple[str, ...], message: str | None, pause: bool) -> None:
    """Make an image of a container's changes."""
    commit_to(container, name, author, changes, message, pause)


def commit_to(container: str, name: str, author: str | None, changes: tuple[str, ...], message: str | None, pause: bool) -> None:
    repository, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "")
    query = {"container": container, "repo": repository, "tag": tag, "author": author, "comment": message, "pause": pause}
    answer = app().client.post("/commit", {}, {**query, "changes": "\n".join(changes) or None})
    sys.stdout.write(answer["Id"] + "\n")
