"""What the shell's completion asks for: names that only the stack or the engine knows."""

from __future__ import annotations

import click

from composer.cli.app import App
from composer.errors import ComposerError


def services(ctx: click.Context) -> list[str]:
    """The names of the stack's services; none when there is no stack file, or no engine runs (it is not started for this)."""
    from composer.cli.address import connect
    from composer.cli.stack import load

    flags = ctx.find_root().params
    app = App()
    app.files, app.name = list(flags.get("files") or ()), flags.get("name") or ""
    app.directory, app.host = flags.get("directory") or "", flags.get("host")
    try:
        connect(app.address).close()
        return [str(service["name"]) for service in load(app)["services"]]
    except ComposerError:
        return []
    finally:
        app.close()
