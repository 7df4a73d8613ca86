"""The nouns: what somebody asked to be followed (`Source`), what is known of the remote (`Standing`), what became of each stack (`App`).

All are values that go into the daemon's state as JSON. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

from composer.gitops.git.address import address
from composer.gitops.git.remote import Remote

INTERVAL, GATE = 60.0, 300.0
LARGEST = 1 << 30
_BAD_KEPT = 20

# Phases of an app.
NEW, WAITING, SYNCING, GATING, HEALTHY = "new", "waiting", "syncing", "checking", "healthy"
FAILED, ROLLED_BACK, HELD, REFUSED = "failed", "rolled back", "held", "refused"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reporting:
    """Where commit statuses go. ``kind``: github, gitlab or gitea; ``url``: the API's base; ``project``: OWNER/NAME."""

    kind: str = ""
    url: str = ""
    project: str = ""
    token_file: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """One repository that is followed. ``stack``: the stack's name ("" = the file's own, else the source's). ``interval``: seconds
    between two looks, 0: only when told. ``gate``: seconds that a stack has to become healthy. ``signers``: the texts of the keys that a
    commit must be signed with. ``windows``: when commits may be brought up (`window`). Paths of credentials are absolute."""

    name: str
    repo: str
    ref: str = "main"
    path: str = "stack.yml"
    stack: str = ""
    interval: float = INTERVAL
    user: str = ""
    token_file: str = ""
    ssh_key: str = ""
    known_hosts: str = ""
    ca_file: str = ""
    signers: tuple[str, ...] = ()
    age_keys: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    gate: float = GATE
    rollback: bool = True
    prune: bool = True
    allow_empty: bool = False
    allow_rewrite: bool = False
    windows: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    hook_secret_file: str = ""
    notify: tuple[str, ...] = ()
    notify_secret_file: str = ""
    report: Reporting = field(default_factory=Reporting)
    largest: int = LARGEST
    created: float = 0.0

    @property
    def remote(self) -> Remote:
        return Remote(address(self.repo), self.user, self.token_file, self.ssh_key, self.known_hosts, self.ca_file)


@dataclass(frozen=True, slots=True)
class Suspension:
    """``until``: 0 = until somebody resumes."""

    reason: str = ""
    since: float = 0.0
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """``head``: the commit that the ref named when last seen; ``accepted``: the last head that followed from its predecessor;
    ``problem``: why the remote or its head is not followed now ("" = it is), since ``problem_since``."""

    head: str = ""
    tag: str = ""
    subject: str = ""
    seen: float = 0.0
    checked: float = 0.0
    accepted: str = ""
    problem: str = ""
    problem_kind: str = ""
    problem_since: float = 0.0
    verified: str = ""  # who signed the head
    held: str = ""  # the window that is waited for

    def trouble(self, kind: str, text: str, now: float) -> Standing:
        """The same with a problem; its beginning stays while it is the same kind."""
        since = self.problem_since if self.problem_kind == kind else now
        return replace(self, problem=text, problem_kind=kind, problem_since=since)

    def sound(self) -> Standing:
        return replace(self, problem="", problem_kind="", problem_since=0.0)


@dataclass(frozen=True, slots=True)
class App:
    """One stack. ``folder``: in a directory of stacks, its folder. ``applied``: the commit that the stack was brought to, or is being
    brought to; ``healthy``: the last that passed its gate; ``bad``: commit -> why it is quarantined. ``revision``: the stack's as the
    daemon stored it. ``left``: volumes that left the file and are kept. ``secrets``: whether files of it lie on tmpfs."""

    stack: str
    folder: str = ""
    applied: str = ""
    healthy: str = ""
    phase: str = NEW
    message: str = ""
    since: float = 0.0
    bad: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    left: tuple[str, ...] = ()
    secrets: bool = False
    content: tuple[str, ...] = ()  # the object ids that its applied and healthy commits mount

    def quarantined(self, commit: str, why: str) -> App:
        kept = {**dict(list(self.bad.items())[-_BAD_KEPT + 1 :]), commit: why}
        return replace(self, bad=kept)

    def pardoned(self) -> App:
        """Nothing is quarantined any more."""
        return replace(self, bad={})


@dataclass(frozen=True, slots=True)
class Row:
    """All that is remembered of a source, written as one."""

    source: Source
    standing: Standing = field(default_factory=Standing)
    suspension: Suspension | None = None
    apps: Mapping[str, App] = field(default_factory=dict)  # by folder; "" for a single stack

    def with_app(self, app: App) -> Row:
        return replace(self, apps={**self.apps, app.folder: app})

    def without_app(self, folder: str) -> Row:
        return replace(self, apps={key: app for key, app in self.apps.items() if key != folder})


def encode(row: Row) -> dict[str, Any]:
    return asdict(row)


def decode(doc: Mapping[str, Any]) -> Row:
    """What `encode` wrote, also by an older version: what it lacks has its default, what is unknown is left out."""
    source = {**doc["source"], "report": _made(Reporting, doc["source"].get("report") or {})}
    apps = {key: _made(App, value) for key, value in (doc.get("apps") or {}).items()}
    suspension = _made(Suspension, doc["suspension"]) if doc.get("suspension") else None
    return Row(_made(Source, source), _made(Standing, doc.get("standing") or {}), suspension, apps)


def _made(kind: type[T], values: Mapping[str, Any]) -> T:
    names = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items() if key in names})


@dataclass(frozen=True, slots=True)
class Event:
    """A line of a source's history. ``kind``: synced, failed, rolled back, refused, quarantined, removed, pruned, suspended, resumed,
    remote lost, remote back, rewritten, waiting. ``changes``: what was done, a line each."""

    time: float
    kind: str
    stack: str = ""
    commit: str = ""
    subject: str = ""
    text: str = ""
    cause: str = ""  # interval, webhook, by hand, start, drift
    seconds: float = 0.0
    changes: tuple[str, ...] = ()


def encode_event(event: Event) -> dict[str, Any]:
    return asdict(event)


def decode_event(doc: Mapping[str, Any]) -> Event:
    return _made(Event, doc)
