"""The verbs on stacks as gitops has them (`composer.gitops.ground.Stacks`): the same `up` and `down` that a client calls."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from composer.daemon.stack_api.call import Call, Line
from composer.daemon.stack_api.down import down
from composer.daemon.stack_api.precheck import Refused
from composer.daemon.stack_api.stacks import Stacks, Verb
from composer.daemon.stack_api.up import plan_verb, up
from composer.engine.errors import EngineError
from composer.errors import EXIT_INTERRUPTED, EXIT_USAGE, ComposerError
from composer.gitops.ground import Project, Replica, Result
from composer.reconcile import labels
from composer.reconcile.observe import observe
from composer.spec.read import NAMES, OVERRIDES

_DONE = ("Created", "Recreated", "Removed", "Started", "Restarted", "Built", "Pulled")


class GitopsStacks:
    """ground.Stacks over the daemon's."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks

    async def up(self, project: Project, *, prune: bool, build: bool, cut: asyncio.Event) -> Result:
        options = {"remove_orphans": prune, "ignore_orphans": not prune, "build": build}
        return await self._do(up, project, options, cut)

    async def down(self, name: str, *, volumes: bool) -> Result:
        nowhere = {f"/{file}": {"missing": True} for file in (*NAMES, *OVERRIDES, ".env")}  # the stored stack of that name is meant
        return await self._do(down, {"name": name, "contents": nowhere, "cwd": "/"}, {"volumes": volumes, "remove_orphans": True})

    async def plan(self, project: Project, *, prune: bool) -> Sequence[str]:
        lines: list[Line] = []
        await self._stacks.carry_out(plan_verb, Call({"project": dict(project), "options": {"remove_orphans": prune}}, lines.append))
        last = lines[-1]
        if last.get("exit"):
            raise ComposerError(str(last.get("message") or "the plan cannot be made"))
        return str(last.get("plan") or "").splitlines()

    async def _do(self, verb: Verb, project: Project, options: dict[str, Any], cut: asyncio.Event | None = None) -> Result:
        lines: list[Line] = []
        call = Call({"project": dict(project), "options": options}, lines.append)
        work = asyncio.create_task(self._stacks.carry_out(verb, call))
        ears = [asyncio.create_task(cut.wait())] if cut is not None else []
        try:
            await asyncio.wait([work, *ears], return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                call.cancel()
                await asyncio.wait([work])
        except asyncio.CancelledError:  # the daemon ends: the work comes to an end in good order
            call.cancel()
            await asyncio.wait([work])
            raise
        finally:
            for ear in ears:
                ear.cancel()
        with suppress(asyncio.CancelledError):
            work.result()
        return _result(lines, call.cancelled)

    async def replicas(self, name: str) -> Sequence[Replica]:
        have = await observe(self._stacks.engine, name)
        return [
            Replica(ref.name, live.service, live.state, live.health, live.exit_code, live.started)
            for ref, live in sorted(have.items())
            if ref.kind == "container" and live.project == name and not live.oneoff
        ]

    async def networks(self, name: str) -> Sequence[str]:
        have = await observe(self._stacks.engine, name)
        used = {network for ref, live in have.items() if ref.kind == "container" for network in live.networks}
        return [ref.name for ref, live in sorted(have.items()) if ref.kind == "network" and live.project == name and ref.name not in used]

    async def volumes(self, name: str) -> Sequence[str]:
        found = await self._stacks.engine.volumes.list()
        return sorted(one.name for one in found if one.labels.get(labels.PROJECT) == name)

    async def remove_networks(self, names: Sequence[str]) -> Sequence[str]:
        gone = []
        for name in names:
            with suppress(EngineError):  # somebody else's container joined it meanwhile: it stays
                await self._stacks.engine.networks.remove(name)
                gone.append(name)
        return gone

    async def remove_volumes(self, names: Sequence[str]) -> Sequence[str]:
        gone = []
        for name in names:
            with suppress(EngineError):  # in use: it stays, and the status goes on to say so
                await self._stacks.engine.volumes.remove(name)
                gone.append(name)
        return gone

    def revision(self, name: str) -> str:
        if not self._stacks.store.known(name):
            return ""
        row = self._stacks.store.row(name)
        meant = ",".join(f"{service}={wish}" for service, wish in sorted(row.intent.items()))
        return f"{row.revision}-{hashlib.sha256(meant.encode()).hexdigest()[:16]}"

    def known(self, name: str) -> bool:
        return self._stacks.store.known(name)


def _result(lines: list[Line], cancelled: bool) -> Result:
    last = lines[-1] if lines and lines[-1].get("kind") == "result" else {}
    said = tuple(str(line.get("text", "")) for line in lines if line.get("kind") == "diagnostic")
    did = tuple(
        f"{line['id']} {line['status']}"
        for line in lines
        if line.get("kind") == "progress" and line.get("done") and str(line.get("status")) in _DONE
    )
    code = int(last.get("exit", EXIT_INTERRUPTED))
    found = [str(line.get("text", "")) for line in lines if line.get("kind") == "diagnostic" and line.get("severity") == "error"]
    message = "\n".join([*filter(None, [str(last.get("message") or "")]), *found] if code else [])
    if code and last.get("hint"):
        message += f" (hint: {last['hint']})"
    return Result(code == 0, message, said, did, cut=cancelled, invalid=code == EXIT_USAGE, passing=last.get("code") == Refused.code)
