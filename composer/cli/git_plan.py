"""``composer plan --git BASE..HEAD``: the plan of a pull request as Markdown, in a checkout; no engine, nothing is touched."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from composer.cli.app import App
from composer.cli.listing import dump
from composer.engine.errors import InvalidArgument
from composer.gitops.checkout import Checkout
from composer.gitops.markdown import markdown
from composer.gitops.model import Source
from composer.gitops.preview import Preview, looking, preview
from composer.gitops.secrets import opener

CHANGES, WRONG = 2, 1


def git_plan(app: App, span: str, form: str, *, detailed: bool) -> int:
    """Print it; the exit code: 1 when a stack of the head is wrong, 2 with ``detailed`` when there is something to do."""
    found = asyncio.run(_preview(app, span))
    sys.stdout.write(dump(_json(found)) + "\n" if form == "json" else markdown(found))
    if any(change.wrong for change in found.changes):
        return WRONG
    return CHANGES if detailed and any(found.changes) else 0


async def _preview(app: App, span: str) -> Preview:
    here = Path(os.path.realpath(app.cwd))
    checkout = await Checkout.at(here)
    try:
        files = tuple(_inside(checkout, here / name) for name in app.files)
        where = here / app.directory if app.directory else here
        path = _inside(checkout, where)
        key = os.environ.get("SOPS_AGE_KEY_FILE", "")
        keys = (key,) if key else ()
        home = (checkout.top / files[0]).parent if files else where
        source = Source(home.name, "file:///", stack=app.name, env=dict(os.environ), profiles=tuple(app.profiles))
        return await preview(checkout, span, "" if path == "." else path, files, source, looking(keys, opener(keys)))
    finally:
        checkout.close()


def _inside(checkout: Checkout, path: Path) -> str:
    """The path in the repository. InvalidArgument: it is outside."""
    normal = Path(os.path.normpath(path))
    if not normal.is_relative_to(checkout.top):
        raise InvalidArgument(f"{path} is outside of the checkout {checkout.top}")
    return str(normal.relative_to(checkout.top))


def _json(found: Preview) -> dict[str, object]:
    stacks = [
        {
            "stack": change.name,
            "actions": change.plan.to_json(),
            "wrong": list(change.wrong),
            "built": list(change.built),
            "volumes_left": list(change.left),
        }
        for change in found.changes
    ]
    return {"base": found.base, "head": found.head, "stacks": stacks}
