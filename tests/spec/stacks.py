"""Loading stacks from text, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping

from composer.errors import SpecError
from composer.spec.load import Options, load
from composer.spec.model import Stack
from composer.spec.read import MISSING, Content, Need, Request, load_from_disk

ROOT = "/w/shop"


def request(files: Mapping[str, str | bytes], /, *names: str, **parts: object) -> Request:
    """A request for files beneath ROOT; the first is loaded unless `names` says otherwise."""
    contents = {f"{ROOT}/{name}": Content(text if isinstance(text, bytes) else text.encode()) for name, text in files.items()}
    chosen = tuple(f"{ROOT}/{name}" for name in names or list(files)[:1])
    given: dict[str, object] = {"files": chosen, "cwd": ROOT, "environment": {"HOME": "/home/me"}, "contents": contents, **parts}
    return Request(**given)  # type: ignore[arg-type]


def stack(files: Mapping[str, str | bytes] | str, /, *names: str, options: Options | None = None, **parts: object) -> Stack:
    """The stack; what is not in `files` does not exist."""
    asked = request({"stack.yml": files} if isinstance(files, str) else files, *names, **parts)
    loaded = load_from_disk(asked, lambda one: load(one, options), lambda path: MISSING)
    assert isinstance(loaded, Stack)
    return loaded


def mistakes(files: Mapping[str, str | bytes] | str, /, *names: str, **parts: object) -> list[str]:
    """`line:column code` of each error, `file:line:column code` for files other than stack.yml."""
    try:
        stack(files, *names, **parts)
    except SpecError as error:
        return [
            f"{str(d.mark).removeprefix('stack.yml:')} {d.code}" if d.mark else d.code for d in error.diagnostics if d.severity == "error"
        ]
    return []


__all__ = ["MISSING", "ROOT", "Need", "mistakes", "request", "stack"]
