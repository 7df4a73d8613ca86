"""A plan for its reader: a line for each thing that changes, why and when; then how much it is, and whether `up` would do it."""

from __future__ import annotations

from typing import Any

from composer.cli.console import BOLD, CYAN, DIM, GREEN, RED, YELLOW, Console

Result = dict[str, Any]
NOTHING = "nothing to do\n"
_COLOURS = {
    "pull": CYAN,
    "build": CYAN,
    "create": GREEN,
    "start": GREEN,
    "replace": YELLOW,
    "update": YELLOW,
    "restart": YELLOW,
    "stop": RED,
    "remove": RED,
}


def text(result: Result, console: Console, *, steps: bool = False) -> str:
    """``steps``: the single steps, in the order in which they may be done."""
    if not result.get("changed"):
        return NOTHING if not refused(result) else ""
    changes = result.get("changes") or ()
    lines = str(result.get("plan") or "").splitlines() if steps or not changes else [_line(change, console) for change in changes]
    return "\n".join([*lines, "", _sum(result, console)]) + "\n"


def refused(result: Result) -> bool:
    """Whether `up` would fail, as far as can be seen before."""
    return _count(result, "error") > 0


def _count(result: Result, severity: str) -> int:
    return sum(found.get("severity") == severity for found in result.get("findings") or ())


def _line(change: dict[str, str], console: Console) -> str:
    verb = console.paint(change["verb"], _COLOURS.get(change["verb"], ""), 1) if change["verb"] in _COLOURS else change["verb"]
    name = console.paint(change["name"], BOLD, 1)
    when = f" (starts when {change['when']})" if change.get("when") else ""
    return f"{verb} {change['kind']} {name}: {console.paint(change.get('cause', '') + when, DIM, 1)}"


def _sum(result: Result, console: Console) -> str:
    counts: dict[str, int] = result.get("summary") or {}
    words = ", ".join(f"{count} to {verb}" for verb, count in counts.items()) or "only waiting"
    errors, warnings = _count(result, "error"), _count(result, "warning")
    told = [f"{count} {what}{'s' if count > 1 else ''}" for count, what in ((errors, "error"), (warnings, "warning")) if count]
    plan = console.paint(f"Plan: {words}.", BOLD, 1)
    if errors:
        return f"{plan} {console.paint(' and '.join(told), RED, 1)} above: `up` would fail."
    return f"{plan} {console.paint(told[0], YELLOW, 1)} above." if told else plan
