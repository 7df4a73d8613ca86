"""Carrying a plan out within a call: progress told, the first error raised, a result that says what was done."""

from __future__ import annotations

from collections.abc import Mapping

from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.content import write_content
from composer.engine.interface import Engine
from composer.reconcile.execute import Execution, first_error
from composer.reconcile.model import Live, Outcome, Plan, Progress, Ref, Resource
from composer.reconcile.rollout.roll import Journal


async def apply(
    engine: Engine,
    call: Call,
    project: str,
    plan: Plan,
    want: Mapping[Ref, Resource],
    have: Mapping[Ref, Live],
    *,
    patience: float | None = None,
    journal: Journal | None = None,
) -> list[Outcome]:
    """Outcomes of all actions; nothing is raised for those that failed. ``journal``: is told of rollouts that fail."""
    if not plan:
        call.did.append((project, []))
        return []
    parallel = call.options.number("parallel") or 0
    at_once = parallel if parallel > 0 else len(plan.actions) if parallel < 0 else None
    execution = call.begin(Execution(engine, project, want, have, call.progress, at_once=at_once, journal=journal))
    try:
        outcomes = await execution.run(plan, patience=patience)
    finally:
        call.end()
    call.did.append((project, outcomes))
    return outcomes


def raise_first(outcomes: list[Outcome]) -> None:
    """Raise the error to tell, if any action failed."""
    error = first_error(outcomes)
    if error is not None:
        raise error


def failed_services(outcomes: list[Outcome]) -> frozenset[str]:
    """The services with an action that failed or was skipped."""
    return frozenset(outcome.action.service for outcome in outcomes if outcome.result != "done")


def write_files(want: Mapping[Ref, Resource]) -> None:
    """The content of secrets and configs, where the containers will look for it."""
    for ref, resource in want.items():
        if ref.kind == "service":
            write_content(resource.replicas.files)


def tell_running(call: Call, plan: Plan, have: Mapping[Ref, Live], project: str, services: frozenset[str]) -> None:
    """ "Container x Running" of what is left as it is, as docker compose says."""
    touched = {action.ref for action in plan.actions}
    services -= {action.service for action in plan.actions if action.verb == "roll"}
    for ref, live in sorted(have.items()):
        if ref.kind == "container" and live.project == project and live.service in services and live.running and ref not in touched:
            call.progress(Progress(f"Container {ref.name}", "Running", done=True))
