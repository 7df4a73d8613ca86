"""Attributes that Compose knows and that have no effect here yet, one line each: using one gives a warning that names it.

When an attribute gets its effect, its line goes.
"""

from __future__ import annotations

from composer.spec.problems import Problems
from composer.spec.tree import MAPPING, Node
from composer.spec.trie import Trie, rewrite

WITHOUT_EFFECT: dict[str, str] = {
    "services.*.build.isolation": "isolation is for Windows containers",
    "services.*.build.provenance": "no attestations are made",
    "services.*.build.sbom": "no attestations are made",
    "services.*.build.entitlements": "builds have no entitlements to grant",
    "services.*.cpu_count": "it is for Windows containers",
    "services.*.cpu_percent": "it is for Windows containers",
    "services.*.credential_spec": "it is for Windows containers",
    "services.*.isolation": "it is for Windows containers",
    "services.*.models": "no AI models are run",
    "services.*.provider": "no provider is started; the service is taken as being there",
    "services.*.deploy.endpoint_mode": "it is for clusters",
    "services.*.deploy.placement": "it is for clusters",
    "services.*.deploy.resources.reservations.generic_resources": "it is for clusters",
    "services.*.deploy.resources.reservations.cpus": "it is for clusters",
    "services.*.use_api_socket": "the engine's socket is not given to containers",
}
_TABLE: Trie[tuple[str, str]] = Trie({path: (path.removeprefix("services.*."), why) for path, why in WITHOUT_EFFECT.items()})


def warn_without_effect(tree: Node, problems: Problems) -> None:
    """A warning for each attribute in the tree that is known but does nothing."""
    services = tree.get("services")
    if services is None or services.kind != MAPPING:
        return
    step = _TABLE.below["services"].each
    assert step is not None
    for name, service in services.value.items():
        rewrite(service, step, lambda node, entry, name=name, service=service: _warn(name, service, node, entry, problems))  # type: ignore[misc]


def _warn(name: str, service: Node, node: Node, entry: tuple[str, str], problems: Problems) -> Node:
    path, why = entry
    holder = service
    for step in path.split(".")[:-1]:
        holder = holder.get(step) or holder
    problems.warn("spec.no-effect", f"services.{name}.{path} has no effect yet: {why}", holder.key(path.rsplit(".", 1)[-1]))
    return node
