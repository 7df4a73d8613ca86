"""A source and its events as the JSON that clients show: plain words, times in seconds since the epoch, no secret."""

from __future__ import annotations

from typing import Any

from composer.gitops.model import FAILED, GATING, HELD, REFUSED, ROLLED_BACK, SYNCING, WAITING, App, Event, Row

_WORST = (FAILED, ROLLED_BACK, REFUSED, HELD, WAITING, GATING, SYNCING)


def describe(row: Row, now: float, next_look: float, busy: bool) -> dict[str, Any]:
    """All that `status` shows."""
    source, standing = row.source, row.standing
    found: dict[str, Any] = {
        "name": source.name,
        "state": state(row),
        "repo": source.repo,
        "ref": source.ref,
        "path": source.path,
        "head": standing.head,
        "subject": standing.subject,
        "verified": standing.verified,
        "seen": standing.seen,
        "checked": standing.checked,
        "next": next_look if source.interval and row.suspension is None and not busy else 0.0,
        "interval": source.interval,
        "webhook": bool(source.hook_secret_file),
        "signed": bool(source.signers),
        "after": list(source.after),
        "windows": list(source.windows),
        "problem": standing.problem,
        "problem_kind": standing.problem_kind,
        "problem_since": standing.problem_since,
        "stacks": [_app(app, standing.accepted, source.name) for _, app in sorted(row.apps.items())],
    }
    if row.suspension is not None:
        found["suspended"] = {"reason": row.suspension.reason, "since": row.suspension.since, "until": row.suspension.until}
    return found


def state(row: Row) -> str:
    """One word or two for the list."""
    if row.suspension is not None:
        return "suspended"
    if row.standing.problem:
        return row.standing.problem_kind
    phases = {app.phase for app in row.apps.values()}
    for phase in _WORST:
        if phase in phases:
            return phase
    return "synced" if row.apps else "new"


def _app(app: App, accepted: str, source_name: str) -> dict[str, Any]:
    return {
        "stack": app.stack or app.folder or source_name,
        "folder": app.folder,
        "phase": app.phase,
        "commit": app.applied,
        "healthy": app.healthy,
        "behind": bool(accepted) and app.applied != accepted,
        "message": app.message,
        "since": app.since,
        "quarantined": [{"commit": commit, "reason": reason} for commit, reason in app.bad.items()],
        "volumes_left": list(app.left),
    }


def describe_event(event: Event) -> dict[str, Any]:
    return {
        "time": event.time,
        "kind": event.kind,
        "stack": event.stack,
        "commit": event.commit,
        "subject": event.subject,
        "text": event.text,
        "cause": event.cause,
        "seconds": event.seconds,
        "changes": list(event.changes),
    }
