"""`stacks` (ls), `load`, `config`: what there is, what the files say."""

from __future__ import annotations

from typing import Any

from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.stacks import Stacks
from composer.reconcile import labels
from composer.reconcile.observe import container_live
from composer.reconcile.render import image_of
from composer.spec.model import Service, Stack

Line = dict[str, Any]


async def stacks_verb(stacks: Stacks, call: Call) -> Line:
    """``all``: those without a running container, too. Rows as `docker compose ls` has them: name, status, config_files."""
    found: dict[str, dict[str, int]] = {}
    files: dict[str, str] = {}
    containers = await stacks.engine.containers.list(all=True, filters={"label": [labels.PROJECT]})
    for container in containers:
        live = container_live(container)
        if live.oneoff or not live.hash:
            continue
        counts = found.setdefault(live.project, {})
        counts[live.state] = counts.get(live.state, 0) + 1
        files.setdefault(live.project, live.config_files)
    rows = []
    for name, counts in sorted(found.items()):
        if counts.get("running") or call.options.flag("all"):
            status = ", ".join(f"{state}({count})" for state, count in sorted(counts.items()))
            looked_after = sorted(stacks.store.row(name).active)
            rows.append({"name": name, "status": status, "config_files": files[name], "active": looked_after})
    return {"stacks": rows}


async def load_verb(stacks: Stacks, call: Call) -> Line:
    """What the files say, in short; ``model``: docker compose's normal form, too."""
    loaded = await stacks.load(call)
    stack = loaded.stack
    services = [_service(stack, service, enabled=True) for service in stack.services.values()]
    services += [_service(stack, service, enabled=False) for service in stack.disabled_services.values()]
    services.sort(key=lambda row: row["name"])
    result: Line = {"name": stack.name, "directory": stack.directory, "files": list(stack.files), "services": services}
    if call.options.flag("model"):
        from composer.spec.normal import to_normal  # only here: it is a large table

        result["model"] = to_normal(stack)
    return result


def _service(stack: Stack, service: Service, *, enabled: bool) -> Line:
    return {
        "name": service.name,
        "image": image_of(stack, service),
        "profiles": list(service.profiles),
        "enabled": enabled,
        "scale": service.replicas,
        "container_name": service.container_name,
        "build": service.build is not None,
        "tty": service.tty,
        "stdin_open": service.stdin_open,
        "attach": service.attach is not False and service.provider is None,
        "depends_on": sorted(service.depends_on),
    }
