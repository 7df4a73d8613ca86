"""``composer image build``: an image from a Dockerfile, with docker build's flags. The context is packed here, without what .dockerignore
leaves out, and sent to the engine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from composer.cli.app import app
from composer.cli.commands.image.archive import pieces
from composer.cli.copy import from_thread
from composer.cli.jsonstream import follow
from composer.cli.options import refuse
from composer.cli.units import parse_size
from composer.errors import UsageError

OUTSIDE = ".composer-dockerfile"  # what a Dockerfile from outside the context is called in the tar
ID = "ID"


@click.command()
@click.option("--add-host", "hosts", multiple=True, metavar="HOST:IP", help="Add a line to /etc/hosts.")
@click.option("--build-arg", "args", multiple=True, metavar="KEY[=VALUE]", help="Set a build argument.")
@click.option("-f", "--file", "dockerfile", default=None, metavar="FILE", help="The Dockerfile (PATH/Dockerfile).")
@click.option("--iidfile", default=None, metavar="FILE", help="Write the image's id to this file.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Set a label.")
@click.option("--network", default="default", metavar="MODE", help="Network of RUN: default, none, host.")
@click.option("--no-cache", is_flag=True, help="Build everything anew.")
@click.option("--platform", default=None, metavar="OS/ARCH", help="The platform.")
@click.option("--pull", is_flag=True, help="Always pull newer base images.")
@click.option("-q", "--quiet", is_flag=True, help="Only the image's id.")
@click.option("--shm-size", default="", metavar="SIZE", help="Size of /dev/shm.")
@click.option("-t", "--tag", "tags", multiple=True, metavar="NAME[:TAG]", help="The image's name.")
@click.option("--target", default="", metavar="STAGE", help="Stop at this stage.")
@click.option("--progress", default=None, hidden=True)
@click.option("--load", is_flag=True, hidden=True)
@click.option("--rm/--no-rm", default=True, hidden=True)
@refuse("--push", "push the image afterwards: composer image push")
@refuse("--ssh", "this builder has no ssh mounts")
@refuse("--secret", "secrets are for stacks: build.secrets in the stack file")
@refuse("--provenance", "this builder makes no attestations")
@refuse("--sbom", "this builder makes no attestations")
@click.argument("context", metavar="PATH|-")
def build(context: str, dockerfile: str | None, iidfile: str | None, quiet: bool, **flags: Any) -> None:
    """Build an image from a Dockerfile."""
    application = app()
    upload, name = _context(context, dockerfile)
    args = {key: value if equals else os.environ.get(key) for key, equals, value in (pair.partition("=") for pair in flags["args"])}
    query = {
        "t": list(flags["tags"]),
        "dockerfile": name,
        "buildargs": args or None,
        "labels": dict(pair.partition("=")[::2] for pair in flags["labels"]) or None,
        "target": flags["target"] or None,
        "nocache": flags["no_cache"] or None,
        "pull": flags["pull"] or None,
        "networkmode": flags["network"],
        "platform": flags["platform"],
        "shmsize": parse_size(flags["shm_size"]) if flags["shm_size"] else None,
        "extrahosts": list(flags["hosts"]),
        "q": quiet or None,
    }
    aux = follow(application.client.stream("POST", "/build", query, upload=upload), application.console, quiet=quiet)
    made = next((str(one[ID]) for one in reversed(aux) if isinstance(one, dict) and ID in one), "")
    if quiet:
        sys.stdout.write(made + "\n")
    if iidfile:
        with open(iidfile, "w", encoding="ascii") as file:
            file.write(made)


def _context(context: str, dockerfile: str | None) -> tuple[Iterator[bytes], str]:
    """The context's tar, and the Dockerfile's name in it. Raises UsageError."""
    if context == "-":
        return pieces(sys.stdin.buffer), dockerfile or "Dockerfile"
    if "://" in context or context.startswith("git@"):
        raise UsageError(f"{context}: a remote build context is not supported", hint="clone it, and give the directory")
    if not os.path.isdir(context):
        raise UsageError(f'unable to prepare context: path "{context}" not found')
    path = os.path.abspath(dockerfile) if dockerfile else os.path.join(os.path.abspath(context), "Dockerfile")
    if not os.path.isfile(path):
        raise UsageError(f"unable to evaluate symlinks in Dockerfile path: {path}: no such file or directory", hint="give it by -f FILE")
    root = os.path.abspath(context)
    inside = os.path.relpath(path, root)
    outside = inside.startswith("../")
    ignore = _included(root, inside)
    return from_thread(lambda sink: _pack(root, path if outside else None, ignore, sink)), OUTSIDE if outside else inside


def _pack(root: str, outside: str | None, include: Callable[[str], bool], sink: Any) -> None:
    from composer.engine.local.archive import pack

    folder = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        if outside is None:
            pack(folder, "/", sink, name="", include=include)
            return
        import tarfile

        # one tar behind the other would end at the first one's end: the Dockerfile is written by hand in front, unfinished
        with open(outside, "rb") as file:
            member = tarfile.TarInfo(OUTSIDE)
            data = file.read()
            member.size, member.mode = len(data), 0o644
            sink.write(member.tobuf(tarfile.PAX_FORMAT) + data + b"\0" * (-len(data) % tarfile.BLOCKSIZE))
        pack(folder, "/", sink, name="", include=include)
    finally:
        os.close(folder)


def _included(root: str, dockerfile: str) -> Callable[[str], bool]:
    """What goes along: all that .dockerignore (or DOCKERFILE.dockerignore) does not leave out."""
    from composer.engine.ignore import Ignore

    lines: list[str] = []
    for name in (f"{dockerfile}.dockerignore", ".dockerignore"):
        try:
            with open(os.path.join(root, name), encoding="utf-8") as file:
                lines = file.read().splitlines()
            break
        except FileNotFoundError:
            continue
    ignore = Ignore(lines)
    always = {dockerfile, ".dockerignore"}

    def include(path: str) -> bool:
        path = path.strip("/")
        if not path or path in always or not ignore.excludes(path):
            return True
        return (ignore.takes_back or any(one.startswith(path + "/") for one in always)) and os.path.isdir(os.path.join(root, path))

    return include
