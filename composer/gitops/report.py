"""What is told to others: the status of a commit, by the APIs of GitHub, GitLab and Gitea/Forgejo, and a webhook of our own for each event.

Telling never holds a sync up and never fails one: it is done by a task of its own, tried a few times, bounded in number, and what could not
be told is logged. Source: GitHub REST "Create a commit status", GitLab "Set commit pipeline status", Gitea API "repoCreateStatus".
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from composer.errors import ComposerError
from composer.gitops.describe import describe_event
from composer.gitops.git.remote import secret
from composer.gitops.ground import Log
from composer.gitops.model import SYNCING, Event, Reporting, Source

if TYPE_CHECKING:
    import httpx

_TRIES, _FIRST_PAUSE, _SECONDS = 4, 0.5, 15.0
_WAITING = 200  # messages
_SUCCESS, _FAILURE, _PENDING = "success", "failure", "pending"
_STATES = {"synced": _SUCCESS, "failed": _FAILURE, "refused": _FAILURE, "waiting": _PENDING, "syncing": _PENDING}
_GITLAB = {_SUCCESS: "success", _FAILURE: "failed", _PENDING: "pending"}
_LENGTH = 140  # characters of a description


@dataclass(frozen=True)
class Message:
    """One HTTP request to be made."""

    url: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class Reporter:
    """`tell` returns at once; `run` sends until it is cancelled."""

    def __init__(self, log: Log, hide: Callable[[str], str]) -> None:
        self._log, self._hide = log, hide
        self._queue: asyncio.Queue[tuple[str, Message]] = asyncio.Queue(_WAITING)
        self.lost = 0

    def tell(self, source: Source, event: Event) -> None:
        """Queue what this event has to say. A full queue drops it, and says so."""
        try:
            messages = messages_of(source, event)
        except ComposerError as error:
            self._log.error("a report cannot be made", source=source.name, error=error.message)
            return
        for message in messages:
            try:
                self._queue.put_nowait((source.name, message))
            except asyncio.QueueFull:
                self.lost += 1
                self._log.error("a report is dropped: too many are waiting", source=source.name, url=message.url)

    async def run(self) -> None:
        import httpx

        async with httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False, trust_env=False) as client:
            while True:
                name, message = await self._queue.get()
                await self._send(client, name, message)
                self._queue.task_done()

    async def drain(self, seconds: float) -> None:
        """Give what is waiting a moment (the daemon ends)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._queue.join()

    async def _send(self, client: httpx.AsyncClient, name: str, message: Message) -> None:
        import httpx

        problem = ""
        for number in range(_TRIES):
            if number:
                await asyncio.sleep(_FIRST_PAUSE * 2 ** (number - 1))
            try:
                answer = await client.post(message.url, content=message.body, headers=dict(message.headers))
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                problem = f"{type(error).__name__}: {error}"
                continue
            if answer.status_code < 300:
                return
            problem = f"status {answer.status_code}: {answer.text[:200]}"
            if answer.status_code < 500 and answer.status_code != 429:
                break
        self.lost += 1
        self._log.error("a report could not be delivered", source=name, url=message.url, error=self._hide(problem))


def messages_of(source: Source, event: Event) -> list[Message]:
    """The requests that an event leads to. RemoteLost: the token's file cannot be read."""
    found = []
    state = _STATES.get(event.kind)
    if source.report.kind and state and event.commit:
        found.append(status(source.report, source.name, event, state))
    if source.notify:
        found += [_notice(source, event, url) for url in source.notify if event.kind != SYNCING]
    return found


def status(report: Reporting, name: str, event: Event, state: str) -> Message:
    """The request that sets the commit's status."""
    base, token = report.url.rstrip("/"), secret(report.token_file)
    context = f"composer/{name}" + (f"/{event.stack}" if event.stack and event.stack != name else "")
    text = (event.text.splitlines() or [""])[0] or ("live" if state == _SUCCESS else event.kind)
    description = text if len(text) <= _LENGTH else text[: _LENGTH - 3] + "..."
    if report.kind == "gitlab":
        url = f"{base}/projects/{quote(report.project, safe='')}/statuses/{event.commit}"
        body: dict[str, Any] = {"state": _GITLAB[state], "name": context, "description": description}
        headers = {"PRIVATE-TOKEN": token}
    else:
        url = f"{base}/repos/{quote(report.project, safe='/')}/statuses/{event.commit}"
        body = {"state": state, "context": context, "description": description}
        headers = {"Authorization": f"{'Bearer' if report.kind == 'github' else 'token'} {token}"}
        if report.kind == "github":
            headers |= {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    return Message(url, json.dumps(body).encode(), {"Content-Type": "application/json", "User-Agent": "composer", **headers})


def _notice(source: Source, event: Event, url: str) -> Message:
    """Our own webhook, signed as GitHub signs when there is a secret."""
    body = json.dumps({"source": source.name, "repo": source.repo, "ref": source.ref, **describe_event(event)}, sort_keys=True).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "composer", "X-Composer-Event": event.kind}
    if source.notify_secret_file:
        key = secret(source.notify_secret_file).encode()
        headers["X-Composer-Signature-256"] = f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}"
    return Message(url, body, headers)
