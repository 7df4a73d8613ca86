"""What a stack file leaves unsaid: the default network, names of resources, implied dependencies, a build's Dockerfile.

On plain data, before the models. Source: the Compose Specification; what docker compose calls normalisation.
"""

from __future__ import annotations

from typing import Any

NAMESPACES = ("network_mode", "ipc", "pid", "uts", "cgroup")


def fill_service(service: dict[str, Any]) -> None:
    """Adds what one service implies."""
    if not service.get("networks") and "network_mode" not in service and "provider" not in service:
        service["networks"] = {"default": {"declared": False}}
    if service.get("pull_policy") == "if_not_present":
        service["pull_policy"] = "missing"
    build = service.get("build")
    if build is not None and "dockerfile" not in build and "dockerfile_inline" not in build:
        build["dockerfile"] = "Dockerfile"
    if build is not None and isinstance(build.get("args"), dict):
        build["args"] = {key: value for key, value in build["args"].items() if value is not None}
    implied = dict(implied_dependencies(service))
    if implied:
        own = service.get("depends_on") or {}
        service["depends_on"] = {**own, **{name: value for name, value in implied.items() if name not in own}}


def implied_dependencies(service: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Services that a service needs without saying `depends_on`."""
    found: list[tuple[str, dict[str, Any]]] = []
    for link in service.get("links", ()):
        found.append((link.split(":")[0], _started(restart=True)))
    for key in NAMESPACES:
        value = service.get(key, "")
        if isinstance(value, str) and value.startswith("service:"):
            found.append((value.removeprefix("service:"), _started(restart=True)))
    for other in service.get("volumes_from", ()):
        if not other.startswith("container:"):
            found.append((other.split(":")[0], _started(restart=False)))
    return found


def _started(*, restart: bool) -> dict[str, Any]:
    return {"condition": "service_started", "restart": restart, "required": True}


def fill_targets(service: dict[str, Any]) -> None:
    """A secret without a target appears under its own name."""
    for grant in service.get("secrets", ()):
        if not grant.get("target"):
            grant["target"] = f"/run/secrets/{grant.get('source', '')}"


def fill_name(resource: dict[str, Any], key: str, stack: str) -> None:
    """A network, volume, secret or config is named after the stack and its key; an external one after its key."""
    if not resource.get("name"):
        resource["name"] = key if resource.get("external") in (True, "true") else f"{stack}_{key}"
