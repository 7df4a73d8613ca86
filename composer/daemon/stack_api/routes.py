"""`POST /composer/v1/{verb}`: the table of verbs, and the thin wrapper that makes a stream of JSON lines of each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from composer.daemon.request import Request
from composer.daemon.response import NDJSON, Answer, Response, encode
from composer.daemon.router import Route
from composer.daemon.stack_api import (
    bootstrap,
    config,
    down,
    drift,
    images,
    listing,
    logs,
    operate,
    run,
    sync,
    up,
    waiting,
    watching,
    why,
)
from composer.daemon.stack_api.history import diff, history, rollback
from composer.daemon.stack_api.jobs import verbs as job_verbs
from composer.daemon.stack_api.stacks import Stacks, Verb
from composer.engine.errors import NotFound

VERBS: dict[str, Verb] = {
    "load": listing.load_verb,
    "config": config.config_verb,
    "bootstrap": bootstrap.bootstrap_verb,
    "stacks": listing.stacks_verb,
    "up": up.up,
    "create": up.create,
    "start": up.start,
    "scale": up.scale,
    "plan": up.plan_verb,
    "history": history,
    "rollback": rollback,
    "diff": diff,
    "down": down.down,
    "stop": operate.stop,
    "restart": operate.restart,
    "kill": operate.kill,
    "pause": operate.pause,
    "unpause": operate.unpause,
    "rm": operate.remove,
    "pull": images.pull,
    "push": images.push,
    "build": images.build,
    "run": run.run,
    "wait": waiting.wait,
    "watching": watching.watching,
    "logs": logs.logs,
    "drift": drift.drift,
    "why": why.why,
    "jobs": job_verbs.jobs,
    "jobs_history": job_verbs.history,
    "jobs_run": job_verbs.run,
    "jobs_logs": job_verbs.logs,
}


async def _stream(stacks: Stacks, verb: Verb, body: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """Each piece holds whole lines."""
    batches = stacks.batches(verb, body)
    try:
        async for lines in batches:
            yield b"".join(encode(line) for line in lines)
    finally:
        await batches.aclose()


def routes(stacks: Stacks) -> list[Route]:
    """The routes of `/composer/v1` for the daemon's server."""

    async def serve(request: Request) -> Answer:
        verb = VERBS.get(request.params["verb"])
        if verb is None:
            raise NotFound(f"no such verb: {request.params['verb']}", hint=f"one of {', '.join(sorted(VERBS))}")
        return Response(200, _stream(stacks, verb, await request.object()), NDJSON)

    return [*sync.routes(stacks.engine), Route("POST", "/composer/v1/{verb}", serve)]
