"""`wait`: until containers end; the exit status of the last one is the command's."""

from __future__ import annotations

import asyncio
from typing import Any

from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.down import down
from composer.daemon.stack_api.stacks import Stacks
from composer.daemon.stack_api.subject import subject
from composer.engine.errors import NotFound

Line = dict[str, Any]


async def wait(stacks: Stacks, call: Call) -> Line:
    """``services``; ``down_project``: take the stack down when the first of them has ended."""
    about = await subject(stacks, call)
    lives = [live for live in about.replicas(await about.look(stacks)) if live.running or live.state == "exited"]
    if not lives:
        raise NotFound(f"no containers for project {about.name!r}", hint="start it: composer up -d")
    code = 0
    waits = {asyncio.ensure_future(stacks.engine.containers.wait(live.id)): live for live in lives}
    try:
        when = asyncio.FIRST_COMPLETED if call.options.flag("down_project") else asyncio.ALL_COMPLETED
        done, _ = await asyncio.wait(waits, return_when=when)
        for task in done:
            live = waits[task]
            code = task.result().status_code
            call.emit({"kind": "exit", "container": live.ref.name, "service": live.service, "id": live.id, "status": code})
    finally:
        for task in waits:
            task.cancel()
    if call.options.flag("down_project"):
        plain = Call({"project": call.project, "options": {}}, call.emit)
        await down(stacks, plain)
    return {"exit": code, "project": about.name}
