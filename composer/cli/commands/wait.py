"""``composer wait``: until services' containers stop."""

from __future__ import annotations

import json
import sys

import click

from composer.cli.app import app
from composer.cli.containers import of_project, short_name
from composer.cli.http import Reply
from composer.cli.options import files
from composer.cli.resolve import resolve
from composer.cli.watch import Loop
from composer.errors import ComposerError


@click.command()
@files
@click.option("--down-project", is_flag=True, help="Take the stack down when the first container stops.")
@click.argument("services", nargs=-1, required=True, metavar="SERVICE...")
def wait(services: tuple[str, ...], down_project: bool) -> int:
    """Block until containers of all (or specified) services stop."""
    application = app()
    stack = resolve(application, services)
    rows = of_project(application.client, stack.name, services=services)
    if not rows:
        raise ComposerError(f'no containers for project "{stack.name}"', hint="is it up? see: composer ps -a")
    loop = Loop()
    codes: list[int] = []
    open_: set[str] = set()

    def ended(reply: Reply, key: str, name: str) -> None:
        body = reply.read()
        loop.drop(reply.fileno())
        open_.discard(key)
        codes.append(int(json.loads(body)["StatusCode"]))
        sys.stdout.write(f'container "{name}" exited with status code {codes[-1]}\n')
        sys.stdout.flush()

    for row in rows:
        reply = application.client.stream("POST", f"/containers/{row['Id']}/wait", {"condition": "not-running"})
        key = row["Id"]
        open_.add(key)
        if reply.connection.buffer:
            ended(reply, key, short_name(row))
        else:
            loop.add(reply, lambda reply=reply, key=key, name=short_name(row): ended(reply, key, name))  # type: ignore[misc]
    while open_ and not (down_project and codes):
        loop.turn()
    if down_project:
        from composer.cli.stack import run

        run(application, "down", {"services": []})
    return codes[0]
