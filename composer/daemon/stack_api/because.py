"""The sentences of `why`: of one container's state, of a condition, and of the service as a whole. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from composer.reconcile.ailment import ending
from composer.reconcile.model import COMPLETED, HEALTHY, Live

Line = dict[str, Any]


def state(live: Live) -> str:
    """A container's state and its cause, without times."""
    if live.state == "restarting":
        return f"waits for its restart: {ending(live)}, restarted {live.restarts} times so far"
    if live.state == "exited":
        how = "stopped by request" if live.by_request else "ended by itself"
        return f"{how}: {ending(live)}"
    if live.state == "created":
        return "made, never started"
    if live.state != "running":
        return live.state
    health = {"": "", "starting": ", its health is not known yet"}.get(live.health, f", {live.health}")
    times = "once" if live.restarts == 1 else f"{live.restarts} times"
    return f"running{health}" + (f", restarted {times} by its policy" if live.restarts else "")


def condition(wanted: str, lives: Sequence[Live]) -> tuple[bool, str]:
    """Whether a `depends_on` condition holds of these containers, and what is the case."""
    if not lives:
        return False, "it has no container"
    if wanted == HEALTHY:
        bad = next((live for live in lives if live.state != "running" or live.health != "healthy"), None)
        if bad is not None and bad.state == "running" and not bad.health:
            return False, f"{bad.ref.name} has no healthcheck"
    elif wanted == COMPLETED:
        bad = next((live for live in lives if live.state != "exited" or live.exit_code), None)
    else:
        bad = next((live for live in lives if live.state == "created"), None)
    if bad is None:
        return True, "so it is"
    probe = f' ("{bad.probe}")' if bad.probe and wanted == HEALTHY else ""
    return False, f"{bad.ref.name}: {state(bad)}{probe}"


def summary(answer: Line, lives: Sequence[Live]) -> str:
    """The one line that answers."""
    wish, scale = answer["meant"]["wish"], answer["scale"]
    running = [live for live in lives if live.state == "running"]
    if answer["profiles"] and not lives:
        names = ", ".join(answer["profiles"]["names"])
        return f"it is not started: no profile of it is enabled ({names}); composer --profile {answer['profiles']['names'][0]} up"
    if wish == "stopped":
        again = "up -d" if answer["schedule"] else "start"
        return f"it is stopped, by `composer {answer['meant']['by'] or 'stop'}`; composer {again} {answer['service']}"
    if wish == "removed":
        return f"its containers were removed, by `composer {answer['meant']['by'] or 'rm'}`; composer up -d {answer['service']}"
    if wish == "paused":
        return f"it is paused, by `composer {answer['meant']['by'] or 'pause'}`; composer unpause {answer['service']}"
    if answer["schedule"] and wish:
        return f"it runs by the clock: {answer['schedule']['cron']} ({answer['schedule']['timezone']}); see composer jobs history"
    if not lives:
        return _absent(answer, scale)
    waits = [need for need in answer["waits_for"] if not need["met"] and need["required"]]
    if waits and len(running) < len(lives):
        return f"it waits for {', '.join(need['service'] for need in waits)}: {waits[0]['now']}"
    return _of_containers(lives, running, scale)


def _absent(answer: Line, scale: int) -> str:
    if not answer["at"]:
        return "the stack's files do not have it"
    if scale == 0:
        return "it is scaled to nothing"
    last = answer["done"][0] if answer["done"] else None
    if last is not None and last["result"] != "done":
        return f"it could not be made: {last['detail'] or last['result']}"
    return f"it was never brought up; composer up -d {answer['service']}"


def _of_containers(lives: Sequence[Live], running: Sequence[Live], scale: int) -> str:
    loops = [live for live in lives if live.state == "restarting"]
    ill = [live for live in running if live.health == "unhealthy"]
    if loops:
        return f"it does not stay up: {ending(loops[0])}, restarted {loops[0].restarts} times so far"
    if ill:
        return f"it runs, but is unhealthy: {ill[0].probe or 'its health check fails'}"
    dead = [live for live in lives if live.state == "exited" and not live.by_request]
    if dead and not running:
        word = "it has done its work" if not dead[0].exit_code else "it died"
        return f"{word}: {ending(dead[0])}"
    if len(running) < scale:
        return f"{len(running)} of {scale} containers run"
    return "it runs" + (f", with {len(running)} containers" if len(running) > 1 else "")
