"""docker run's --env-file and --label-file: a ``KEY=VALUE`` a line, taken as it is; ``#`` lines are comments; a key alone is looked up."""

from __future__ import annotations

import os

from composer.errors import ComposerError


def read(path: str) -> dict[str, str | None]:
    """The pairs of the file; None for a key alone that is not in the environment. Raises ComposerError."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ComposerError(f"open {path}: {getattr(error, 'strerror', None) or error}") from error
    found: dict[str, str | None] = {}
    for number, line in enumerate(lines, 1):
        text = line.lstrip()
        if not text or text.startswith("#"):
            continue
        key, equals, value = text.partition("=")
        if not key or any(letter.isspace() for letter in key.rstrip()):
            raise ComposerError(f"invalid env file ({path}): line {number}: variable '{key}' contains whitespaces")
        found[key.strip()] = value if equals else os.environ.get(key.strip())
    return found
