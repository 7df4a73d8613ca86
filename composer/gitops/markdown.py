"""A preview as Markdown, for a comment on a pull request: what happens to what and why, the settings that differ, the whole plan."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from composer.gitops.desired import Desired
from composer.gitops.mask import Mask
from composer.gitops.preview import Change, Preview
from composer.reconcile.model import Action
from composer.spec.emit import to_yaml
from composer.spec.normal import to_normal

_SIGNS = {"create": "➕", "replace": "♻️", "remove": "🗑️", "start": "▶️", "update": "✏️"}
_ORDER = ("remove", "replace", "create", "update", "start")
_LINES = 400  # of the settings that differ, for each stack


def markdown(found: Preview) -> str:
    """The whole text, ending in a line's end. Secrets that were decrypted are masked."""
    parts = [f"## composer plan `{found.base[:12]}` → `{found.head[:12]}`"]
    changed = [change for change in found.changes if change]
    if not changed:
        parts.append("Nothing to do: no stack changes.")
    for change in changed:
        parts += _change(change)
    same = [change.name for change in found.changes if not change]
    if changed and same:
        parts.append(f"Unchanged: {', '.join(f'`{name}`' for name in same)}.")
    mask = Mask()
    for change in found.changes:
        for one in (change.before, change.after):
            mask.learn(one.hidden if one is not None else ())
    return mask.hide("\n\n".join(parts)) + "\n"


def _change(change: Change) -> list[str]:
    if change.wrong:
        text = "\n".join(change.wrong)
        return [f"### ❌ `{change.name}` cannot be brought up", f"```\n{text}\n```", "What runs would stay as it is."]
    rows = _rows(change)
    parts = [f"### `{change.name}`: {_summary(rows, change)}"]
    if rows:
        lines = [f"| {_SIGNS.get(verb, '')} {verb} | {what} | {_cell(why)} |" for verb, what, why in rows]
        parts.append("\n".join(["| | what | why |", "|---|---|---|", *lines]))
    parts += [f"🔨 `{name}` is built again: its build context changed." for name in change.built]
    parts += [f"⚠️ volume `{name}` leaves the file; it is kept with its data until somebody removes it." for name in change.left]
    parts += [f"ℹ️ {note}" for note in change.plan.notes]
    diff = _diff(change.before, change.after)
    if diff:
        parts.append("<details><summary>Settings that differ</summary>\n\n```diff\n" + "\n".join(diff) + "\n```\n\n</details>")
    if change.plan:
        parts.append(
            f"<details><summary>The whole plan, {len(change.plan.actions)} steps</summary>\n\n```\n{change.plan}\n```\n\n</details>"
        )
    return parts


def _rows(change: Change) -> list[tuple[str, str, str]]:
    """A row for each object: what makes and removes the same container is a replacement."""
    by_name: dict[tuple[str, str], list[Action]] = {}
    for action in change.plan.actions:
        name = f"{change.name}-{action.service}-{action.number}" if action.ref.kind == "container" and action.number else action.ref.name
        by_name.setdefault((action.ref.kind, name), []).append(action)
    rows = []
    for (kind, name), actions in by_name.items():
        verb = _verb(actions)
        if verb:
            rows.append((verb, f"{kind} `{name}`", next((one.cause for one in actions if one.cause), "")))
    return sorted(rows, key=lambda row: (_ORDER.index(row[0]), row[1]))


def _verb(actions: Sequence[Action]) -> str:
    verbs = {action.verb for action in actions}
    if "roll" in verbs or ("create" in verbs and verbs & {"remove", "rename"}):
        return "replace"
    for verb in ("create", "remove"):
        if verb in verbs:
            return verb
    if verbs & {"update", "connect", "rename", "admit"}:
        return "update"
    return "start" if verbs & {"start", "restart"} else ""


def _summary(rows: Sequence[tuple[str, str, str]], change: Change) -> str:
    counts = [(verb, sum(row[0] == verb for row in rows)) for verb in _ORDER]
    words = [f"{count} to {verb}" for verb, count in counts if count]
    if change.after is None:
        return "the stack is removed" + (f" ({', '.join(words)})" if words else "")
    return ", ".join([*(["new stack"] if change.before is None else []), *words]) or "no container changes"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _diff(before: Desired | None, after: Desired | None) -> list[str]:
    """Of the normal form, as the files say it. Only where both are there: a new or a removed stack is its whole file."""
    if before is None or after is None or before.written is None or after.written is None:
        return []
    first, second = (to_yaml(to_normal(one.written, "yaml")).splitlines() for one in (before, after) if one.written is not None)
    lines = list(difflib.unified_diff(first, second, "base", "head", lineterm="", n=2))
    return lines if len(lines) <= _LINES else [*lines[:_LINES], f"... {len(lines) - _LINES} more lines"]
