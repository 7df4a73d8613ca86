"""What docker compose adds to a model whose variables are left alone (`config --no-interpolate`), on plain data.

`complete`: defaults of the long forms. `list_merged`: what several files make up is a list of `KEY=value`. `fill`: what is implied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from composer.spec.defaults import fill_name, fill_service, fill_targets
from composer.spec.scalars import text_of
from composer.spec.trace import Trace
from composer.spec.tree import Node

_SETS = ("annotations", "environment", "labels", "sysctls", "build.args", "build.labels", "deploy.labels")  # lists once they are merged


def complete(data: dict[str, Any]) -> None:
    """Fills in what a long form leaves unsaid."""
    for service in (data.get("services") or {}).values():
        fill_targets(service)
        for kind in ("networks", "models"):
            named = service.get(kind)
            if isinstance(named, dict):
                service[kind] = {key: None if value == {"declared": False} else value for key, value in named.items()}
        for dependency in (service.get("depends_on") or {}).values():
            dependency.setdefault("required", True)
        for file in service.get("env_file") or ():
            file.setdefault("required", True)
        for port in service.get("ports") or ():
            if isinstance(port, dict):
                port.setdefault("mode", "ingress")
                port.setdefault("protocol", "tcp")
        build = service.get("build")
        if isinstance(build, dict) and isinstance(build.get("ssh"), list):
            build["ssh"] = {key: value if equals else None for key, equals, value in (item.partition("=") for item in build["ssh"])}


def list_merged(data: dict[str, Any], trace: Trace) -> None:
    """Variables, labels and the like that more than one file, or a service and the one it extends, have a say in become lists."""
    for name, service in (data.get("services") or {}).items():
        parts = list(_parts(trace, name))
        for path in _SETS:
            *above, last = path.split(".")
            holder = service.get(above[0]) if above else service
            if isinstance(holder, dict) and isinstance(holder.get(last), dict) and _said(parts, path) > 1:
                holder[last] = [key if value is None else f"{key}={text_of(value)}" for key, value in holder[last].items()]


def _parts(trace: Trace, name: str) -> Iterator[Node]:
    for document in trace.documents:
        services = document.get("services")
        service = services.get(name) if services is not None else None
        while service is not None:
            step = trace.extended.get(id(service))
            yield step.own if step is not None else service
            service = step.base if step is not None else None


def _said(parts: list[Node], path: str) -> int:
    count = 0
    for part in parts:
        node: Node | None = part
        for step in path.split("."):
            node = node.get(step) if node is not None else None
        count += node is not None and node.value is not None
    return count


def fill(data: dict[str, Any], name: str, environment: Mapping[str, str]) -> None:
    """Adds what services imply, the default network, and names."""
    services = data.get("services") or {}
    for service in services.values():
        build = service.get("build")
        if isinstance(build, dict) and build.get("args"):
            build["args"] = _passed(build["args"], environment)
        fill_service(service)
        if (service.get("networks") or {}).get("default") == {"declared": False}:
            service["networks"]["default"] = None
    if any("default" in (service.get("networks") or {}) for service in services.values()):
        data.setdefault("networks", {}).setdefault("default", {})
    for section in ("networks", "volumes", "secrets", "configs"):
        for key, resource in (data.get(section) or {}).items():
            data[section][key] = resource = resource or {}
            fill_name(resource, key, name)


def _passed(args: Any, environment: Mapping[str, str]) -> Any:
    """Build arguments that are passed on by name take the environment's value, or go."""
    if isinstance(args, list):
        named = ((item, text_of(item).partition("=")) for item in args)
        return [item if parts[1] else f"{item}={environment[item]}" for item, parts in named if parts[1] or item in environment]
    return {key: environment.get(key) if value is None else value for key, value in args.items()}
