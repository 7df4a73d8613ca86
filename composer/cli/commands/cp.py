"""``composer cp``: files between here and a service's containers."""

from __future__ import annotations

import click

from composer.cli.app import App, app
from composer.cli.containers import Summary, name, of_project
from composer.cli.copy import Remote, into, out_of
from composer.cli.options import files
from composer.cli.resolve import container_of, resolve
from composer.errors import ComposerError


@click.command()
@files
@click.option("-a", "--archive", is_flag=True, help="Copy all uid and gid information.")
@click.option("-L", "--follow-link", is_flag=True, help="Follow symbolic links in SOURCE.")
@click.option("--index", type=int, default=0, metavar="N", help="Number of the container, if the service has several.")
@click.option("--all", "all_", is_flag=True, help="Include containers of `run`.")
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
def cp(source: str, target: str, archive: bool, follow_link: bool, index: int, all_: bool) -> None:
    """Copy files/folders between a service container and here: SERVICE:PATH PATH|- or PATH|- SERVICE:PATH."""
    application = app()
    from_service, from_path = split(source)
    to_service, to_path = split(target)
    if from_service and to_service:
        raise ComposerError("copying between services is not supported")
    if not from_service and not to_service:
        raise ComposerError("unknown copy direction", hint="name a service: SERVICE:PATH")
    rows = _containers(application, from_service or to_service, index, all_)
    if from_service:
        out_of(application.client, Remote(rows[0]["Id"], from_path, name(rows[0])), target, follow=follow_link)
        return
    for row in rows:
        into(application.client, source, Remote(row["Id"], to_path, name(row)), follow=follow_link, archive=archive)


def split(text: str) -> tuple[str, str]:
    """``SERVICE:PATH``; what begins like a path is one."""
    if text.startswith(("/", ".", "-")):
        return "", text
    service, colon, path = text.partition(":")
    return (service, path) if colon else ("", text)


def _containers(application: App, service: str, index: int, all_: bool) -> list[Summary]:
    stack = resolve(application)
    if index:
        return [container_of(application.client, stack, service, index, all=True)]
    rows = of_project(application.client, stack.name, all=True, oneoff=all_, services=[service])
    return rows or [container_of(application.client, stack, service, all=True)]
