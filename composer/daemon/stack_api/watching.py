"""`watching`: what watch mode needs to know of a stack: the rules of `develop.watch`, the Dockerfiles, and how each service is built."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.stacks import Stacks
from composer.spec.model import Service, Trigger

Line = dict[str, Any]


async def watching(stacks: Stacks, call: Call) -> Line:
    """``services``: switched on whatever their profiles. Services that are off are left out."""
    loaded = await stacks.load(call)
    stack, _ = loaded.with_services(call.options.names("services"))
    rows = [_service(service) for service in stack.services.values()]
    return {
        "name": stack.name,
        "directory": stack.directory,
        "files": list(stack.files),
        "services": sorted(rows, key=lambda row: row["name"]),
    }


def _service(service: Service) -> Line:
    triggers = service.develop.watch if service.develop is not None else ()
    row: Line = {
        "name": service.name,
        "needs": sorted(service.depends_on),
        "attach": service.attach is not False,
        "rules": [_rule(trigger) for trigger in triggers],
    }
    build = service.build
    if build is not None:
        local = os.path.isabs(build.context)
        inline = bool(build.dockerfile_inline)
        row["context"] = build.context if local else ""
        row["dockerfile"] = os.path.join(build.context, build.dockerfile or "Dockerfile") if local and not inline else ""
        row["built"] = hashlib.sha256(repr(build.model_dump()).encode()).hexdigest()
    return row


def _rule(trigger: Trigger) -> Line:
    row: Line = {
        "action": trigger.action,
        "path": trigger.path,
        "target": trigger.target,
        "ignore": trigger.ignore,
        "include": trigger.include,
        "initial_sync": trigger.initial_sync,
    }
    if trigger.exec.command:
        hook = trigger.exec
        row["exec"] = {
            "command": hook.command,
            "user": hook.user,
            "privileged": hook.privileged,
            "working_dir": hook.working_dir,
            "environment": [name if value is None else f"{name}={value}" for name, value in hook.environment.items()],
        }
    return row
