"""What `composer plan` prints."""

from __future__ import annotations

from typing import Any

from composer.cli.console import Console
from composer.cli.plan_text import refused, text

CHANGES = [
    {"verb": "create", "kind": "container", "name": "p-db-1", "cause": "it does not exist"},
    {"verb": "replace", "kind": "container", "name": "p-web-1", "cause": "image changed", "when": "p-db-1 is healthy"},
]
RESULT: dict[str, Any] = {"changed": True, "changes": CHANGES, "summary": {"create": 1, "replace": 1}, "plan": "one\ntwo", "findings": []}
PLAIN, COLOURED = Console("never"), Console("always")


def test_a_line_for_each_change() -> None:
    assert text(RESULT, PLAIN) == (
        "create container p-db-1: it does not exist\n"
        "replace container p-web-1: image changed (starts when p-db-1 is healthy)\n"
        "\n"
        "Plan: 1 to create, 1 to replace.\n"
    )
    assert text(RESULT, PLAIN, steps=True).startswith("one\ntwo\n\nPlan: ")
    assert text(RESULT, COLOURED).startswith("\x1b[32mcreate\x1b[0m container \x1b[1mp-db-1\x1b[0m: ")


def test_findings_are_counted() -> None:
    bad, odd = {"severity": "error"}, {"severity": "warning"}
    assert text({**RESULT, "findings": [odd]}, PLAIN).endswith("1 to replace. 1 warning above.\n")
    assert text({**RESULT, "findings": [bad, bad, odd]}, PLAIN).endswith("1 to replace. 2 errors and 1 warning above: `up` would fail.\n")
    assert refused({"findings": [odd, bad]})
    assert not refused({"findings": [odd]})


def test_nothing_to_do() -> None:
    assert text({"changed": False}, PLAIN) == "nothing to do\n"
