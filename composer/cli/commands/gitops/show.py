"""How a source looks on a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

from composer.cli.listing import dump

BAD = frozenset({"failed", "rolled back", "refused", "quarantined"})


def ago(moment: float) -> str:
    """ "12 seconds ago"; "never" for 0."""
    if not moment:
        return "never"
    return f"{span(max(0.0, time.time() - moment))} ago"


def span(seconds: float) -> str:
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {name}s"
    return f"{int(seconds)} second{'' if int(seconds) == 1 else 's'}"


def clock(moment: float) -> str:
    """Local time, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def show_status(one: dict[str, Any], form: str = "") -> None:
    """All of a source, as text or JSON."""
    if form == "json":
        sys.stdout.write(dump(one) + "\n")
        return
    lines = [f"{one['name']}: {one['state']}"]
    lines.append(f"  follows   {one['repo']} {one['ref']} {one['path']}")
    lines += _head(one)
    lines += _standing(one)
    for stack in one["stacks"]:
        lines += _stack(stack)
    sys.stdout.write("\n".join(lines) + "\n")


def _head(one: dict[str, Any]) -> list[str]:
    lines = []
    if one["head"]:
        lines.append(f"  head      {one['head'][:12]} {one['subject']}, seen {ago(one['seen'])}")
    if one["verified"]:
        lines.append(f"  signed    by {one['verified']}")
    how = [f"every {span(one['interval'])}" if one["interval"] else "no interval", *(["webhook"] if one["webhook"] else [])]
    when = f", next in {span(max(0.0, one['next'] - time.time()))}" if one["next"] else ""
    lines.append(f"  looks     {', '.join(how)}; checked {ago(one['checked'])}{when}")
    if one["windows"]:
        lines.append(f"  windows   {'; '.join(one['windows'])}")
    if one["after"]:
        lines.append(f"  after     {', '.join(one['after'])}")
    return lines


def _standing(one: dict[str, Any]) -> list[str]:
    lines = []
    if suspended := one.get("suspended"):
        until = f"until {clock(suspended['until'])}" if suspended["until"] else "until it is resumed"
        lines.append(f"  suspended {until}: {suspended['reason'] or 'no reason given'}")
    if one["problem"]:
        lines.append(f"  problem   {one['problem']}, since {clock(one['problem_since'])}")
    return lines


def _stack(stack: dict[str, Any]) -> list[str]:
    commit = stack["commit"][:12] or "nothing yet"
    behind = ", behind the head" if stack["behind"] else ""
    lines = [f"  stack {stack['stack'] or '?'}: {stack['phase']} at {commit}{behind}"]
    if stack["healthy"] and stack["healthy"] != stack["commit"]:
        lines.append(f"    last healthy {stack['healthy'][:12]}")
    if stack["message"]:
        lines.append("    " + stack["message"].replace("\n", "\n    "))
    for bad in stack["quarantined"]:
        lines.append(f"    quarantined {bad['commit'][:12]}: {bad['reason'].splitlines()[0] if bad['reason'] else ''}")
    if stack["volumes_left"]:
        lines.append(f"    volumes that left the file and are kept: {', '.join(stack['volumes_left'])}")
    return lines


def ended_well(one: dict[str, Any]) -> bool:
    """Whether a sync left everything as the head says, or waits for what it was told to wait for."""
    return not one["problem"] and not any(stack["phase"] in BAD for stack in one["stacks"])
