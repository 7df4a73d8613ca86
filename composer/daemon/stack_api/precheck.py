"""What is wrong with a plan, found before anything is touched and said all at once, each finding at its place in the stack's files.

`judge` looks at the machine, once and only when the plan makes or starts something; `tell` puts the findings to the client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.loader import Loaded
from composer.daemon.stack_api.stacks import Stacks
from composer.engine.interface import Engine
from composer.errors import ComposerError, Diagnostic
from composer.reconcile.precheck import Engaged, Finding, Scene, check, diagnostics, inquiry, lacks_images, refusals, refused


class Refused(ComposerError):
    """The findings, told already, forbid the plan."""

    code = "plan.refused"


async def judge(engine: Engine, scene: Scene, refusal: ComposerError | None = None) -> list[Finding]:
    """All that is wrong. ``refusal``: why the stack could not be rendered, told too unless a rule has found it."""
    if scene.acts:
        facts, containers, networks = await asyncio.gather(
            engine.facts(inquiry(scene)), engine.containers.list(all=True), engine.networks.list()
        )
        images = await engine.images.list() if lacks_images(scene) else ()
        tags = [tag for image in images for tag in image.repo_tags]
        scene = scene.knowing(facts, Engaged(containers, networks, tags))
    found = check(scene)
    if refusal is not None:
        told = [*refusals(scene)]
        for one in [*told, *([] if any(refusal.message == one.message for one in told) else [refused(refusal, scene)])]:
            if not any(one.message in other.message for other in found):  # a rule may have found it, and says more
                found.append(one)
    return found


async def tell(stacks: Stacks, call: Call, loaded: Loaded, findings: Sequence[Finding], *, planning: bool = False) -> list[Diagnostic]:
    """Say them, in the order of the files; what was said. ``planning``: nothing will be done, so nothing is refused.

    Raises Refused when one of them forbids the plan.
    """
    if not findings:
        return []
    tree = await stacks.loader.tree(loaded)
    placed = diagnostics(findings, tree, planning=planning)
    known = {warning.mark for warning in loaded.stack.warnings if warning.code == "spec.port-clash"}
    for one in placed:
        if planning or one.code != "plan.port-clash" or one.mark not in known:
            call.diagnose(one)
    count = sum(finding.blocks for finding in findings)
    if count and not planning:
        raise Refused(f"{count} error{'s' if count > 1 else ''} found, so nothing was touched")
    return placed


def as_json(found: Diagnostic) -> dict[str, Any]:
    """A finding for machines."""
    mark = found.mark
    place = {"file": mark.file, "line": mark.line, "column": mark.column} if mark else {}
    return {"severity": found.severity, "code": found.code, "message": found.message, "hint": found.hint or "", **place}
