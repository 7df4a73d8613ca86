"""Every finding is in the table of docs/plan.md, and nothing else is."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

HOUSE = Path(__file__).parents[3]
VARIANTS = {
    "plan.{kind}-file": ("secret", "config"),
    "plan.{kind}-content": ("secret", "config"),
    "plan.image-{fact.kind}": ("absent", "denied", "unreachable"),
}


def test_every_code_is_documented() -> None:
    source = "".join(path.read_text() for path in (HOUSE / "composer/reconcile/precheck").glob("*.py"))
    written = set(re.findall(r'f?"(plan\.[a-z{}.-]+)"', source))
    codes = set(
        chain.from_iterable([re.sub(r"\{.*\}", word, code) for word in VARIANTS[code]] if "{" in code else [code] for code in written)
    )
    table = (HOUSE / "docs/plan.md").read_text().partition("| code |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(plan\.[a-z-]+)`", table)) == codes
