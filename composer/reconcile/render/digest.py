"""The hash of a configuration: equal exactly when a re-creation would change nothing. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from composer.spec.model import FileObject, Grant, Service

FORMAT = 1  # to be raised when the same service would get another hash

# Read at each `up` without a new container, or not about the container at all.
_OUTSIDE = {
    "name",
    "profiles",
    "depends_on",
    "develop",
    "scale",
    "build",
    "pull_policy",
    "pull_refresh_after",
    "env_file",
    "label_file",
    "attach",
    "provider",
    "extensions",
    "models",
    "deploy",
    "secrets",
    "configs",
    "networks",
    "volumes",
}


def digest(value: Any) -> str:
    """sha256 of a JSON value, independent of the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def whole(parts: Mapping[str, str]) -> str:
    """The hash of a thing from those of its parts, with the number of the way in which it is computed in front."""
    return f"{FORMAT}-{digest(dict(parts))}"


def service_parts(
    service: Service,
    *,
    networks: Mapping[str, str],
    volumes: Mapping[str, str],
    secrets: Mapping[str, FileObject],
    configs: Mapping[str, FileObject],
) -> dict[str, str]:
    """Setting -> short hash, of those that are set. ``networks`` and ``volumes``: key -> the engine's name."""
    plain = service.model_dump(exclude=_OUTSIDE, exclude_defaults=True)
    parts = {name: digest(_without_extensions(value))[:8] for name, value in plain.items()}
    if service.deploy is not None:
        kept = service.deploy.model_dump(include={"resources", "restart_policy", "labels"}, exclude_defaults=True)
        if kept:
            parts["deploy"] = digest(_without_extensions(kept))[:8]
    joined = {networks.get(key, key): setting.model_dump(exclude_defaults=True) for key, setting in service.networks.items()}
    if joined:
        parts["networks"] = digest(_without_extensions(joined))[:8]
    mounts = [{**mount.model_dump(exclude_defaults=True), "source": volumes.get(mount.source, mount.source)} for mount in service.volumes]
    if mounts:
        parts["volumes"] = digest(_without_extensions(mounts))[:8]
    for name, grants, objects in (("secrets", service.secrets, secrets), ("configs", service.configs, configs)):
        if grants:
            parts[name] = digest([_grant(grant, objects) for grant in grants])[:8]
    return parts


def _grant(grant: Grant, objects: Mapping[str, FileObject]) -> list[Any]:
    found = objects.get(grant.source)
    content = hashlib.sha256(found.data).hexdigest() if found is not None and found.data is not None else ""
    return [grant.model_dump(exclude={"extensions"}), content, found.file if found is not None else ""]


def _without_extensions(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_extensions(item) for key, item in value.items() if key != "extensions"}
    if isinstance(value, list):
        return [_without_extensions(item) for item in value]
    return value
