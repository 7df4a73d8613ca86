"""`GET /images/json` and `POST /images/prune`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from composer.engine.filters.words import Filters, check, flag, labels_match, words
from composer.engine.model import ImageSummary

KEYS = words("before dangling label reference since until")
PRUNE_KEYS = words("dangling label label! until")


def select(found: Iterable[ImageSummary], filters: Filters | None, *, created: Callable[[str], int]) -> list[ImageSummary]:
    """``created``: when the image that ``before`` or ``since`` names was made, in seconds (NotFound). Raises InvalidArgument."""
    wanted = check(filters, KEYS)
    dangling = flag(wanted, "dangling")
    before = [created(ref) for ref in wanted.get("before", ())]
    since = [created(ref) for ref in wanted.get("since", ())]
    return [
        one
        for one in found
        if (dangling is None or (not one.repo_tags) is dangling)
        and all(one.created < time for time in before)
        and all(one.created > time for time in since)
        and labels_match(one.labels, wanted)
        and ("reference" not in wanted or any(reference_matches(tag, wanted["reference"]) for tag in one.repo_tags))
    ]


def reference_matches(tag: str, patterns: Sequence[str]) -> bool:
    """Docker's ``reference`` filter: a shell pattern on ``name:tag`` or on ``name``; ``*`` stops at a slash."""
    name = tag.rpartition(":")[0]
    for pattern in patterns:
        expression = re.compile("".join(_glob(part) for part in re.findall(r"\[[^\]]*\]|.", pattern)))
        if expression.fullmatch(tag) or expression.fullmatch(name):
            return True
    return False


def _glob(part: str) -> str:
    if part == "*":
        return "[^/]*"
    if part == "?":
        return "[^/]"
    return part if len(part) > 1 else re.escape(part)
