"""Attributes that Compose knows and that have no effect here, one line each: using one gives a warning that names it.

When an attribute gets its effect, its line goes.
"""

from __future__ import annotations

from typing import Any

from composer.spec.problems import Problems
from composer.spec.schema import dotted
from composer.spec.tree import MAPPING, SCALAR, SEQUENCE, Node
from composer.spec.trie import Trie

WITHOUT_EFFECT: dict[str, str] = {
    "models": "no AI models are run",
    "networks.*.ipam.options": "the engine's own address management has no options",
    "secrets.*.name": "a secret is known by its key",
    "secrets.*.labels": "secrets are files, there is nothing to label",
    "secrets.*.driver": "secret drivers are for clusters",
    "secrets.*.driver_opts": "secret drivers are for clusters",
    "secrets.*.template_driver": "templates of secrets are for clusters",
    "configs.*.name": "a config is known by its key",
    "configs.*.labels": "configs are files, there is nothing to label",
    "configs.*.template_driver": "templates of configs are for clusters",
    "services.*.build.cache_from": "builds use the cache of this machine",
    "services.*.build.cache_to": "builds use the cache of this machine",
    "services.*.build.no_cache_filter": "a build uses its cache for all stages or, with no_cache, for none",
    "services.*.build.secrets.*.uid": "the Dockerfile's RUN --mount says it",
    "services.*.build.secrets.*.gid": "the Dockerfile's RUN --mount says it",
    "services.*.build.secrets.*.mode": "the Dockerfile's RUN --mount says it",
    "services.*.build.isolation": "isolation is for Windows containers",
    "services.*.build.provenance": "no attestations are made",
    "services.*.build.sbom": "no attestations are made",
    "services.*.build.entitlements": "builds have no entitlements to grant",
    "services.*.cpu_count": "it is for Windows containers",
    "services.*.cpu_percent": "it is for Windows containers",
    "services.*.credential_spec": "it is for Windows containers",
    "services.*.deploy.labels": "they are for the services of a cluster; `labels` are the containers'",
    "services.*.deploy.mode": "one machine runs as many containers as `replicas` says",
    "services.*.deploy.restart_policy.delay": "the engine waits longer after each restart, as dockerd does",
    "services.*.deploy.restart_policy.window": "an attempt counts until a container has run for ten seconds, as in dockerd",
    "services.*.deploy.endpoint_mode": "it is for clusters",
    "services.*.deploy.placement": "it is for clusters",
    "services.*.deploy.resources.reservations.generic_resources": "it is for clusters",
    "services.*.deploy.resources.reservations.cpus": "it is for clusters",
    "services.*.pre_start": "hooks run after the start and before the stop only",
    "services.*.ports.*.name": "it is information for people",
    "services.*.ports.*.app_protocol": "it is information for people",
    "services.*.storage_opt": "a container's layer has no limit of its own",
    "services.*.volumes.*.consistency": "it is for Docker Desktop on macOS",
    "services.*.volumes.*.bind.selinux": "the engine sets no SELinux labels",
}
_AS_USUAL: dict[str, frozenset[Any]] = {  # values that ask for what is done anyway
    "services.*.deploy.mode": frozenset(("replicated",)),
    "services.*.volumes.*.consistency": frozenset(("", "default", "consistent")),
}
_TABLE: Trie[tuple[str, str]] = Trie({path: (path, why) for path, why in WITHOUT_EFFECT.items()})


def warn_without_effect(tree: Node, problems: Problems) -> None:
    """A warning for each attribute in the tree that is known but does nothing."""
    _walk(tree, tree, _TABLE, (), problems)


def _walk(node: Node, key: Node, table: Trie[tuple[str, str]], path: tuple[str | int, ...], problems: Problems) -> None:
    if table.here is not None:
        pattern, why = table.here
        if not (node.kind == SCALAR and (node.value is None or node.value in _AS_USUAL.get(pattern, ()))):
            problems.warn("spec.no-effect", f"{dotted(path)} has no effect: {why}", key)
        return
    if node.kind == MAPPING:
        keys = table.below if table.each is None else node.value
        for name in keys:
            inner, value = table.next(name), node.value.get(name)
            if inner is not None and value is not None:
                _walk(value, node.key(name), inner, (*path, name), problems)
    elif node.kind == SEQUENCE and table.each is not None:
        for index, item in enumerate(node.value):
            _walk(item, item, table.each, (*path, index), problems)
