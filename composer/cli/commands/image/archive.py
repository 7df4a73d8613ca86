"""``composer image load``, ``save`` and ``import``: tars."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import IO

import click

from composer.cli.app import app
from composer.cli.jsonstream import follow
from composer.cli.terminal import is_terminal
from composer.errors import ComposerError, UsageError

PIECE = 1 << 20


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file's bytes for an upload."""
    while piece := file.read(PIECE):
        yield piece


def source(path: str | None) -> IO[bytes]:
    """The file to read: stdin for None and ``-``. Raises UsageError."""
    if path in (None, "-"):
        if is_terminal(0):
            raise UsageError("requested load from stdin, but stdin is empty", hint="give a file: -i FILE")
        return sys.stdin.buffer
    try:
        return open(path, "rb")
    except OSError as error:
        raise ComposerError(f"open {path}: {(error.strerror or str(error)).lower()}") from error


@click.command()
@click.option("-i", "--input", "path", default=None, metavar="FILE", help="Read from this file instead of stdin.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("--platform", default=None, hidden=True)
def load(path: str | None, quiet: bool, platform: str | None) -> None:
    """Load images from a tar archive or stdin."""
    application = app()
    with source(path) as file:
        reply = application.client.stream("POST", "/images/load", {"quiet": quiet}, upload=pieces(file))
        follow(reply, application.console)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="IMAGE...")
@click.option("-o", "--output", default=None, metavar="FILE", help="Write to this file instead of stdout.")
@click.option("--platform", default=None, hidden=True)
def save(names: tuple[str, ...], output: str | None, platform: str | None) -> None:
    """Save images to a tar archive (to stdout by default)."""
    if output is None and is_terminal(1):
        raise UsageError("cowardly refusing to save to a terminal", hint="use -o FILE, or redirect")
    to_file(app().client.stream("GET", "/images/get", {"names": list(names)}).pieces(), output)


def to_file(parts: Iterator[bytes], output: str | None) -> None:
    """Into a file that appears when it is whole, or to stdout."""
    if output is None or output == "-":
        for part in parts:
            sys.stdout.buffer.write(part)
        return
    temporary = f"{output}.{os.getpid()}.part"
    try:
        with open(temporary, "wb") as file:
            for part in parts:
                file.write(part)
        os.replace(temporary, output)
    except OSError as error:
        raise ComposerError(f"cannot write {output}: {error.strerror or error}") from error
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


@click.command("import")
@click.argument("path", metavar="FILE|-")
@click.argument("name", required=False, default="", metavar="[REPOSITORY[:TAG]]")
@click.option("-c", "--change", "changes", multiple=True, metavar="INSTRUCTION", help="Apply a Dockerfile instruction (CMD, ENV ...).")
@click.option("-m", "--message", default="", help="Commit message.")
@click.option("--platform", default=None, metavar="OS/ARCH", help="The platform of the image.")
def import_(path: str, name: str, changes: tuple[str, ...], message: str, platform: str | None) -> None:
    """Make an image of a root file system's tar."""
    application = app()
    repository, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "")
    query = {"fromSrc": "-", "repo": repository, "tag": tag, "message": message, "changes": list(changes), "platform": platform}
    with source(path) as file:
        follow(application.client.stream("POST", "/images/create", query, upload=pieces(file)), application.console)
