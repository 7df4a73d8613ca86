"""How far the daemon is, shown as docker compose shows it: live on a terminal, else a line for each change, on stderr.

An event is ``{"id": "Container shop-web-1", "status": "Starting", "done": false, "error": false, "detail": ""}``.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Protocol

from composer.cli.console import BLUE, CYAN, GREEN, RED, RESET, Console, size

Event = dict[str, Any]
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Progress(Protocol):
    """One way to show events; ``tick`` is called about ten times a second while nothing happens."""

    def event(self, event: Event) -> None: ...
    def tick(self) -> None: ...
    def close(self) -> None: ...


def progress(console: Console, *, dry_run: bool = False, title: str = "Running") -> Progress:
    """The way that fits ``console``."""
    style = console.style
    if style == "tty":
        return Live(console, title, dry_run)
    if style == "quiet":
        return Quiet()
    return Json() if style == "json" else Plain(dry_run)


class Quiet:
    def event(self, event: Event) -> None:
        pass

    def tick(self) -> None:
        pass

    def close(self) -> None:
        pass


class Json(Quiet):
    """A JSON object a line."""

    def event(self, event: Event) -> None:
        row = {"id": event.get("id"), "status": event.get("status"), "details": event.get("detail") or None}
        if event.get("error"):
            row["error"] = True
        sys.stderr.write(json.dumps({name: value for name, value in row.items() if value is not None}) + "\n")
        sys.stderr.flush()


class Plain(Quiet):
    """`` Container shop-web-1  Started``, each change once."""

    def __init__(self, dry_run: bool) -> None:
        self.prefix = "DRY-RUN MODE - " if dry_run else ""
        self.last: dict[str, tuple[str, str]] = {}

    def event(self, event: Event) -> None:
        name, status, detail = str(event.get("id", "")), str(event.get("status", "")), str(event.get("detail") or "")
        if self.last.get(name) == (status, detail):
            return
        before, self.last[name] = self.last.get(name, ("", "")), (status, detail)
        if status != before[0] or event.get("error"):
            sys.stderr.write(f"{self.prefix} {name}  {status}{' ' + detail if detail else ''}".rstrip() + "\n")
        elif detail and not _counts(detail):
            sys.stderr.write("".join(f" {name}  {line}\n" for line in detail.splitlines()))
        sys.stderr.flush()


def _counts(detail: str) -> bool:
    """Is it a byte count or a bar, of which a pipe wants not every step?"""
    return detail.endswith("B") or detail.startswith("[") or "%" in detail


class Live(Quiet):
    """A block of lines that is drawn anew; what does not fit on the screen is summed up in the first line."""

    def __init__(self, console: Console, title: str, dry_run: bool) -> None:
        self.colours = console.colours(2)
        self.title = ("DRY-RUN MODE - " if dry_run else "") + title
        self.rows: dict[str, Event] = {}
        self.began: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.drawn = 0
        self.turn = 0
        self.last_draw = 0.0

    def event(self, event: Event) -> None:
        name, now = str(event.get("id", "")), time.monotonic()
        self.began.setdefault(name, now)
        if event.get("done") or event.get("error"):
            self.ended[name] = now
        else:
            self.ended.pop(name, None)
        self.rows[name] = event
        if now - self.last_draw > 0.04:
            self.draw()

    def tick(self) -> None:
        self.turn += 1
        self.draw()

    def close(self) -> None:
        if self.rows:
            self.draw(last=True)
            sys.stderr.write("\x1b[?25h")
            sys.stderr.flush()
            self.drawn = 0
            self.rows, self.began, self.ended = {}, {}, {}

    def draw(self, last: bool = False) -> None:
        height, width = size()
        rows = list(self.rows.items())
        head = f"[+] {self.title} {len(self.ended)}/{len(rows)}"
        if not last and len(rows) > height - 3:
            rows.sort(key=lambda row: row[0] in self.ended)
            rows = rows[: height - 3]
        longest = max((len(name) for name, _ in rows), default=0)
        lines = [head] + [self._row(name, event, longest, width) for name, event in rows]
        up = f"\x1b[{self.drawn}A" if self.drawn else "\x1b[?25l"
        sys.stderr.write(up + "".join(f"\r{line}\x1b[K\n" for line in lines) + "\x1b[J")
        sys.stderr.flush()
        self.drawn, self.last_draw = len(lines), time.monotonic()

    def _row(self, name: str, event: Event, longest: int, width: int) -> str:
        ended = self.ended.get(name)
        seconds = f"{(ended or time.monotonic()) - self.began[name]:.1f}s"
        if event.get("error"):
            mark, colour = "✘", RED
        elif ended is not None:
            mark, colour = "✔", GREEN
        else:
            mark, colour = SPINNER[self.turn % len(SPINNER)], CYAN
        detail = str(event.get("detail") or "").strip().rpartition("\n")[2]
        text = f"{name:<{longest}}  {event.get('status', '')}{' ' + detail if detail else ''}"
        room = width - len(seconds) - 6
        text = text[: max(room, 10)].ljust(min(max(room, 10), longest + 24))
        if not self.colours:
            return f" {mark} {text} {seconds}"
        return f" {colour}{mark}{RESET} {text} {BLUE}{seconds}{RESET}"
