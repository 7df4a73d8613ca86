"""`drift`: what was not as it should be, since when, found by what, and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.journal import ENGINE, Drift
from composer.daemon.stack_api.stacks import Stacks
from composer.daemon.stack_api.subject import subject

Line = dict[str, Any]


async def drift(stacks: Stacks, call: Call) -> Line:
    """``services``; ``check``: look at everything now; ``open``: only what lasts; ``tail``: the newest N."""
    about = await subject(stacks, call)
    if call.options.flag("check"):
        await stacks.look_now(about.name)
    wanted = set(call.options.names("services"))
    found = [one for one in stacks.journal.drifts.of(about.name) if not wanted or one.service in wanted]
    if not wanted:
        found += stacks.journal.drifts.of(ENGINE)
    if call.options.flag("open"):
        found = [one for one in found if not one.ended]
    found.sort(key=lambda one: one.since)
    tail = call.options.number("tail")
    rows = [row(one) for one in (found if tail is None or tail < 0 else found[max(0, len(found) - tail) :])]
    return {"project": about.name, "known": stacks.store.known(about.name), "drift": rows}


def row(one: Drift) -> Line:
    """As JSON: docker's way of naming, times RFC 3339."""
    return {
        "Service": one.service,
        "Subject": one.subject,
        "What": one.what,
        "Kind": one.kind or "difference",
        "Found": one.found,
        "Since": stamp(one.since),
        "Result": one.result,
        "Ended": stamp(one.ended) if one.ended else "",
        "Took": round(one.took, 3),
        "Detail": one.detail,
        "Seen": one.count,
    }


def stamp(seconds: float) -> str:
    """RFC 3339, UTC, milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
