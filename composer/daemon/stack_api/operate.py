"""`stop`, `restart`, `kill`, `pause`, `unpause`, `rm`: act on the containers that are there, and take note of what is meant by it.

The intent is stored before the act, so that the controller does not take the act for drift.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from composer.daemon.stack_api.applying import apply, failed_services, raise_first
from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.stacks import Stacks
from composer.daemon.stack_api.store import PAUSED, REMOVED, RUNNING, STOPPED
from composer.daemon.stack_api.subject import Subject, subject
from composer.reconcile.model import Live, Plan
from composer.reconcile.operate import plan_kill, plan_pause, plan_remove, plan_restart, plan_stop

Line = dict[str, Any]

# Signals that are meant to end a container; any other is a message to it.
_ENDING = {"", "KILL", "TERM", "INT", "QUIT", "9", "15", "2", "3"}


async def _act(stacks: Stacks, call: Call, verb: str, intent: str, make: Callable[[Subject, list[Live]], Plan]) -> Line:
    about = await subject(stacks, call)
    async with stacks.turns.take(about.name, verb, blocked=call.blocked):
        have = await about.look(stacks)
        lives = about.replicas(have)
        if intent:
            await _mean(stacks, call, about, lives, intent)
        outcomes = await apply(stacks.engine, call, about.name, make(about, lives), about.want, have)
        stacks.changed(about.name, failed_services(outcomes))
        raise_first(outcomes)
    return {"project": about.name, "changed": bool(outcomes)}


async def _mean(stacks: Stacks, call: Call, about: Subject, lives: list[Live], intent: str) -> None:
    """Change the intent of those services that are looked after."""
    row = stacks.store.row(about.name)
    services = {live.service for live in lives} | {name for name in row.intent if about.services is None or name in about.services}
    if stacks.store.known(about.name):
        await stacks.mean(call, row.wanting({name: intent for name in services if name in row.intent}))


async def stop(stacks: Stacks, call: Call) -> Line:
    """``timeout``: seconds."""
    timeout = call.options.number("timeout")
    return await _act(stacks, call, "stop", STOPPED, lambda _, lives: plan_stop(lives, timeout))


async def kill(stacks: Stacks, call: Call) -> Line:
    """``signal``: a name or number, SIGKILL when not given."""
    signal = call.options.text("signal")
    ends = signal.upper().removeprefix("SIG") in _ENDING
    done = await _act(stacks, call, "kill", STOPPED if ends else "", lambda _, lives: plan_kill(lives, signal))
    return done if done["changed"] else {**done, "message": "no container to kill"}


async def pause(stacks: Stacks, call: Call) -> Line:
    return await _act(stacks, call, "pause", PAUSED, lambda _, lives: plan_pause(lives, "pause"))


async def unpause(stacks: Stacks, call: Call) -> Line:
    return await _act(stacks, call, "unpause", RUNNING, lambda _, lives: plan_pause(lives, "unpause"))


async def remove(stacks: Stacks, call: Call) -> Line:
    """``stop``: stop them first; ``volumes``: their anonymous volumes, too. Running ones are left alone without ``stop``."""
    stops, volumes = call.options.flag("stop"), call.options.flag("volumes")
    about = await subject(stacks, call)
    async with stacks.turns.take(about.name, "rm", blocked=call.blocked):
        have = await about.look(stacks)
        lives = about.replicas(have)
        plan = plan_remove(lives, stop=stops, volumes=volumes)
        if not plan:
            return {"project": about.name, "changed": False, "message": "No stopped containers"}
        gone = {action.service for action in plan.actions}
        row = stacks.store.row(about.name)
        if stacks.store.known(about.name):
            await stacks.mean(call, row.wanting({name: REMOVED for name in gone if name in row.intent}))
        outcomes = await apply(stacks.engine, call, about.name, plan, about.want, have)
        stacks.changed(about.name, failed_services(outcomes))
        raise_first(outcomes)
    return {"project": about.name, "changed": True}


async def restart(stacks: Stacks, call: Call) -> Line:
    """``timeout``: seconds; ``no_deps``: not those that depend on them with `restart: true`."""
    about = await subject(stacks, call)
    async with stacks.turns.take(about.name, "restart", blocked=call.blocked):
        have = await about.look(stacks)
        lives = about.replicas(have)
        names = {live.service for live in lives}
        plan = plan_restart(about.name, have, names, call.options.number("timeout"), no_deps=call.options.flag("no_deps"))
        await _mean(stacks, call, about, lives, RUNNING)
        outcomes = await apply(stacks.engine, call, about.name, plan, about.want, have)
        stacks.changed(about.name, failed_services(outcomes))
        raise_first(outcomes)
    return {"project": about.name, "changed": bool(outcomes)}
