"""`jobs`, `jobs_history`, `jobs_run`, `jobs_logs`: scheduled services, when they run and ran, and what they said."""

from __future__ import annotations

from typing import Any

from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.drift import stamp
from composer.daemon.stack_api.jobs.carry import output
from composer.daemon.stack_api.jobs.jobs import Jobs
from composer.daemon.stack_api.jobs.runs import RUNNING, Run
from composer.daemon.stack_api.stacks import Stacks
from composer.daemon.stack_api.subject import subject
from composer.engine.errors import EngineError, InvalidArgument, NotFound
from composer.spec.problems import did_you_mean

Line = dict[str, Any]


def _jobs(stacks: Stacks) -> Jobs:
    if stacks.jobs is None:
        raise NotFound("no scheduled services are run by this daemon")
    return stacks.jobs


async def jobs(stacks: Stacks, call: Call) -> Line:
    """A row for each scheduled service of the stack."""
    about, scheduler = await subject(stacks, call), _jobs(stacks)
    rows = []
    for service, schedule in sorted((await scheduler.services(about.name)).items()):
        _, coming = await scheduler.next_of(about.name, service)
        runs = scheduler.runs.of(about.name, service)
        last = runs[-1] if runs else None
        rows.append(
            {
                "Service": service,
                "Cron": schedule.cron,
                "TimeZone": schedule.timezone,
                "Overlap": schedule.overlap,
                "CatchUp": schedule.catch_up,
                "Next": stamp(coming) if coming is not None else "",
                "Last": row(last) if last is not None else None,
                "Runs": len(runs),
            }
        )
    return {"project": about.name, "known": stacks.store.known(about.name), "jobs": rows}


async def history(stacks: Stacks, call: Call) -> Line:
    """``services``: of these; ``tail``: the newest N."""
    about, scheduler = await subject(stacks, call), _jobs(stacks)
    known = await scheduler.services(about.name)
    services = call.options.names("services") or tuple(known)
    for service in services:
        _check(service, known)
    runs = sorted((run for service in services for run in scheduler.runs.of(about.name, service)), key=lambda run: (run.due, run.number))
    tail = call.options.number("tail")
    return {"project": about.name, "runs": [row(run) for run in (runs if tail is None or tail < 0 else runs[max(0, len(runs) - tail) :])]}


def _check(service: str, known: Any) -> None:
    if service not in known:
        raise NotFound(
            f'"{service}" is no scheduled service of this stack', hint=did_you_mean(service, known, listed="there are: ") or None
        )


async def run(stacks: Stacks, call: Call) -> Line:
    """``service``; ``detach``: do not wait for its end."""
    about, scheduler = await subject(stacks, call), _jobs(stacks)
    service = call.options.text("service")
    if not service:
        raise InvalidArgument("a service is needed")
    begun = await scheduler.run_by_hand(about.name, service)
    if not call.options.flag("detach"):
        begun = await scheduler.ended(begun)
    return {"project": about.name, "run": row(begun)}


async def logs(stacks: Stacks, call: Call) -> Line:
    """``service``, ``number``: of which run, the last one when it is not given. The text is a line of its own."""
    about, scheduler = await subject(stacks, call), _jobs(stacks)
    service, number = call.options.text("service"), call.options.number("number")
    _check(service, await scheduler.services(about.name))
    runs = [one for one in scheduler.runs.of(about.name, service) if one.container or number is not None]
    found = next((one for one in reversed(runs) if number is None or one.number == number), None)
    if found is None:
        raise NotFound(f"there is no run {number} of {service}" if number is not None else f"{service} has not run yet")
    await call.send({"kind": "output", "text": (await _text(stacks, scheduler, found)).decode(errors="replace")})
    return {"project": about.name, "run": row(found)}


async def _text(stacks: Stacks, scheduler: Jobs, run: Run) -> bytes:
    if run.state == RUNNING and run.container:
        try:
            return await output(stacks, run.container)
        except EngineError:
            pass  # it has ended this moment: its output is kept now
    return await scheduler.runs.output(run) or b""


def row(run: Run) -> Line:
    """A run as JSON."""
    return {
        "Service": run.service,
        "Run": run.number,
        "By": run.by,
        "Due": stamp(run.due),
        "Began": stamp(run.began) if run.began else "",
        "Ended": stamp(run.ended) if run.ended else "",
        "Took": round(run.ended - run.began, 3) if run.began and run.ended else 0.0,
        "State": run.state,
        "ExitCode": run.exit_code,
        "Detail": run.detail,
    }
