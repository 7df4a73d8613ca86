"""`why SERVICE`: in one screen why it runs, waits, was made anew or died, and which line of which file says so."""

from __future__ import annotations

import asyncio
from typing import Any

from composer.daemon.stack_api import because
from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.drift import row, stamp
from composer.daemon.stack_api.journal import Work
from composer.daemon.stack_api.loader import Loaded
from composer.daemon.stack_api.places import Places
from composer.daemon.stack_api.stacks import Stacks
from composer.daemon.stack_api.store import StackRow
from composer.engine.model import Container, LogOptions
from composer.errors import ComposerError
from composer.reconcile import labels
from composer.reconcile.model import Live, Ref
from composer.reconcile.observe import container_live, observe
from composer.reconcile.operate import replicas
from composer.spec.model import Service
from composer.spec.problems import did_you_mean
from composer.spec.schedule import schedule_of

Line = dict[str, Any]
_LINES = 5  # of its output
_LAST = 5  # things that were done
_MEANT = ("up", "create", "start", "scale", "stop", "kill", "pause", "unpause", "rm", "restart", "down", "rollback")


async def why(stacks: Stacks, call: Call) -> Line:
    """``service``. The result's ``why``; see `_Asked`."""
    loaded = await stacks.load(call)
    name = call.options.text("service")
    services = {**loaded.stack.services, **loaded.stack.disabled_services}
    have = await observe(stacks.engine, loaded.stack.name)
    known = {*services, *(live.service for live in replicas(loaded.stack.name, have))}
    if name not in known:
        raise ComposerError(
            f"no such service: {name}", hint=did_you_mean(name, sorted(known), listed="there are: "), code="no-such-service"
        )
    return {"project": loaded.stack.name, "why": await _Asked(stacks, loaded, name, have, services.get(name)).answer()}


class _Asked:
    """One question about one service. ``service``: None for an orphan, of which only containers are left."""

    def __init__(self, stacks: Stacks, loaded: Loaded, name: str, have: dict[Ref, Live], service: Service | None) -> None:
        self.stacks, self.loaded, self.name, self.have, self.service = stacks, loaded, name, have, service
        self.stack = loaded.stack.name
        self.row: StackRow = stacks.store.row(self.stack)
        self.works = list(reversed(stacks.journal.works.of(self.stack)))
        self.places: Places

    async def answer(self) -> Line:
        self.places = Places(await self.stacks.loader.tree(self.loaded))
        found = await self.stacks.engine.containers.list(
            all=True, filters={"label": [f"{labels.PROJECT}={self.stack}", f"{labels.SERVICE}={self.name}", f"{labels.ONEOFF}=False"]}
        )
        found = sorted(found, key=lambda one: container_live(one).number)
        containers = await asyncio.gather(*(self._container(one) for one in found))
        lives = [container_live(one) for one in found]
        needs = self._needs()
        wanted = self.row.scale.get(self.name, self.service.replicas if self.service is not None else 0)
        meant = self._meant()
        answer: Line = {
            "stack": self.stack,
            "service": self.name,
            "at": self.places.of("services", self.name),
            "image": self.service.image if self.service is not None else "",
            "scale": wanted,
            "meant": meant,
            "waits_for": needs,
            "containers": list(containers),
            "done": self._done(),
            "drift": [row(one) for one in self.stacks.journal.drifts.of(self.stack) if one.service == self.name][-_LAST:],
        }
        answer["profiles"] = self._profiles()
        answer["schedule"] = self._schedule()
        answer["summary"] = because.summary(answer, lives)
        return answer

    def _profiles(self) -> Line | None:
        if self.service is None or self.name in self.loaded.stack.services or not self.service.profiles:
            return None
        return {"names": list(self.service.profiles), "at": self.places.of("services", self.name, "profiles")}

    def _schedule(self) -> Line | None:
        schedule = schedule_of(self.service) if self.service is not None else None
        if schedule is None:
            return None
        return {"cron": schedule.cron, "timezone": schedule.timezone, "at": self.places.of("services", self.name, "x-schedule")}

    def _meant(self) -> Line:
        """What the stack's own commands want of it, and which one said so, when."""
        found = next((w for w in self.works if w.by in _MEANT and (not w.services or self.name in w.services)), None)
        wish = self.row.intent.get(self.name, "")
        return {
            "wish": wish,
            "by": found.by if found else "",
            "at": stamp(found.at) if found else "",
            "outcome": found.outcome if found else "",
        }

    def _needs(self) -> list[Line]:
        """What it depends on, and whether that is so."""
        needs = []
        for other, need in (self.service.depends_on if self.service is not None else {}).items():
            lives = replicas(self.stack, self.have, [other])
            met, now = because.condition(need.condition, lives)
            needs.append(
                {
                    "service": other,
                    "condition": need.condition,
                    "required": need.required,
                    "met": met,
                    "now": now,
                    "at": self.places.of("services", self.name, "depends_on", other),
                }
            )
        return needs

    async def _container(self, container: Container) -> Line:
        live, state = container_live(container), container.state
        ailing = live.state != "running" or live.health == "unhealthy"
        attribute = "healthcheck" if live.health == "unhealthy" else "restart"
        return {
            "name": live.ref.name,
            "id": live.id[:12],
            "state": live.state,
            "started": live.started,
            "finished": live.finished,
            "exit_code": live.exit_code,
            "oom": live.oom,
            "error": state.error,
            "health": live.health,
            "failing": state.health.failing_streak if state.health is not None else 0,
            "probe": live.probe,
            "restarts": live.restarts,
            "next_start": live.next_start,
            "policy": str(live.limits.get("restart", "")).partition(":")[0] or "no",
            "by_request": live.by_request,
            "text": because.state(live),
            "at": self.places.of("services", self.name, attribute) if ailing else "",
            "output": await self._output(live) if ailing and live.started else [],
        }

    async def _output(self, live: Live) -> list[str]:
        try:
            data = b"".join([frame.data async for frame in self.stacks.engine.containers.logs(live.id, LogOptions(tail=_LINES))])
        except ComposerError as error:
            return [f"(its output cannot be read: {error.message})"]
        return data.decode(errors="replace").splitlines()[-_LINES:]

    def _done(self) -> list[Line]:
        """What was done to it last, by whom, why, and which lines of the files that is about."""
        found: list[Line] = []
        for work in self.works:
            for deed in work.deeds:
                if deed.service == self.name and len(found) < _LAST:
                    found.append({**_deed(work), "verb": deed.verb, "subject": deed.subject, "cause": deed.cause, "result": deed.result})
                    found[-1] |= {"detail": deed.detail, "places": self.places.of_cause(self.name, deed.cause)}
        return found


def _deed(work: Work) -> Line:
    return {"at": stamp(work.at), "by": work.by, "revision": work.revision[:12]}
