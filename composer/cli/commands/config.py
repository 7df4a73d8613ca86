"""``composer config``: check the stack file and show it resolved. In a running daemon (it is warm), else in this process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from composer.cli.address import NoDaemon, connect
from composer.cli.app import App, app
from composer.cli.options import dry_run, files
from composer.errors import ComposerError

if TYPE_CHECKING:
    from composer.spec.read import Content

VIEWS = ("services", "volumes", "networks", "models", "profiles", "images", "variables", "environment")  # of several, the first


def _views(function: Any) -> Any:
    for view in reversed(VIEWS):
        function = click.option(f"--{view}", f"view_{view}", is_flag=True, help=f"Print the {view}, one a line.")(function)
    return function


@click.command()
@files
@dry_run
@click.argument("wanted", nargs=-1, metavar="[SERVICE]...")
@click.option("--format", "form", default="", metavar="FORMAT", help="yaml or json.")
@click.option("--hash", "hashes", default="", metavar="SERVICE", help="Print the services' configuration hashes ('*': all).")
@_views
@click.option("--no-interpolate", is_flag=True, help="Leave variables as they are.")
@click.option("--no-normalize", is_flag=True, help="Do not fill in defaults.")
@click.option("--no-path-resolution", is_flag=True, help="Leave paths as they are.")
@click.option("--no-consistency", is_flag=True, help="Do not check references between parts.")
@click.option("--no-env-resolution", is_flag=True, help="Do not resolve the services' env files.")
@click.option("--resolve-image-digests", is_flag=True, help="Pin image tags to digests.")
@click.option("--lock-image-digests", is_flag=True, help="Make an override file with the images' digests.")
@click.option("--explain", default="", metavar="PATH", help="Where a value came from: services.web.ports, services.*.image.")
@click.option("--explain-variable", default="", metavar="NAME", help="Every source of a variable, and every place that uses it.")
@click.option("-o", "--output", default="", metavar="FILE", help="Write to this file instead of stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Only check.")
def config(
    wanted: tuple[str, ...], output: str, form: str, hashes: str, quiet: bool, explain: str, explain_variable: str, **flags: bool
) -> int:
    """Parse, resolve and render the stack file in canonical format."""
    view = next((view for view in VIEWS if flags.pop(f"view_{view}")), "")
    flags = {key: value for key, value in flags.items() if not key.startswith("view_")}
    options: dict[str, Any] = {"services": list(wanted), "format": form, "view": view, "hashes": hashes, "quiet": quiet, **flags}
    options |= {"explain": explain, "explain_variable": explain_variable}
    application = app()
    text = _text(application, options)
    if output and not view and not hashes and not (quiet and not (explain or explain_variable)):  # as docker compose: lists go to stdout
        try:
            with open(output, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise ComposerError(f"open {output}: {(error.strerror or str(error)).lower()}", code="cli.output") from error
    else:
        sys.stdout.write(text)
    return 0


def _text(application: App, options: dict[str, Any]) -> str:
    if options["resolve_image_digests"] or options["lock_image_digests"]:
        return _pinned(application, options)
    try:
        connect(application.address).close()
    except NoDaemon:
        return _here(application, options)
    from composer.cli.stack import run

    return str(run(application, "config", options).get("text") or "")


def _pinned(application: App, options: dict[str, Any]) -> str:
    """With the digests of the images, which the engine asks their registries for; so there must be a daemon."""
    from composer.cli.stack import run

    digests: dict[str, str] = {}
    while True:
        found = run(application, "config", {**options, "digests": digests})
        lacking = [image for image in found.get("unpinned") or () if image not in digests]
        if not lacking:
            return str(found.get("text") or "")
        digests |= {image: _digest(application, image) for image in lacking}


def _digest(application: App, image: str) -> str:
    from composer.cli.client import ApiError, quote
    from composer.cli.registry import auth_header, split

    try:
        said = application.client.get(f"/distribution/{quote(image)}/json", headers=auth_header(split(image.removeprefix("docker.io/"))[0]))
    except ApiError as error:
        hint = error.hint or f"push it there, leave the flag out, or write it with its digest: {split(image)[0]}@sha256:..."
        raise ComposerError(f"failed to resolve digest for {image}: {error.message}", hint=hint, code="cli.digest") from error
    return str(said["Descriptor"]["digest"])


def _here(application: App, options: dict[str, Any]) -> str:
    """Without a daemon: the same, in this process."""
    from composer.cli.project import project
    from composer.cli.stack import diagnostic
    from composer.errors import SpecError
    from composer.spec.config import ConfigOptions
    from composer.spec.config import config as resolve
    from composer.spec.read import Request, load_from_disk

    part = project(application)
    request = Request(
        files=tuple(part["files"]),
        name=part["name"],
        directory=part["directory"],
        cwd=part["cwd"],
        profiles=tuple(part["profiles"]),
        env_files=tuple(part["env_files"]),
        environment=part["environment"],
        contents={path: _content(found) for path, found in part["contents"].items()},
    )
    wanted = ConfigOptions(**{**options, "services": tuple(options["services"])})
    try:
        found = load_from_disk(request, lambda one: resolve(one, wanted))
    except SpecError as error:
        for one in error.diagnostics:
            diagnostic(application, {"severity": one.severity, "text": one.render()})
        raise click.exceptions.Exit(error.exit_code) from error
    for warning in found.warnings:
        diagnostic(application, {"severity": "warning", "text": warning.render()})
    return str(found.text)


def _content(found: dict[str, Any]) -> Content:
    """What the client read, as the spec takes it."""
    from base64 import b64decode

    from composer.spec.read import Content

    data = found["text"].encode() if "text" in found else b64decode(found["base64"]) if "base64" in found else None
    return Content(data, bool(found.get("missing")), bool(found.get("directory")), str(found.get("problem") or ""))
