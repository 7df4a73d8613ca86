"""`load`: a Request to a Stack, a Need of more files, or a SpecError with all that is wrong. Pure: it opens nothing.

frame -> gather (parse, interpolate, extends, include, merge, schema) -> lengthen -> paths -> models -> outside files -> checks
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from composer.errors import SpecError
from composer.spec.check import Scene, check
from composer.spec.convert import plain_data, to_model
from composer.spec.defaults import fill_name, fill_service, fill_targets
from composer.spec.effects import warn_without_effect
from composer.spec.gather import Gathering, Place
from composer.spec.interpolate import Wrong, expand
from composer.spec.merge import unique
from composer.spec.model import Config, Model, Network, Secret, Service, Stack, Volume
from composer.spec.model.stack import Resources
from composer.spec.paths import carry_paths, resolve_paths
from composer.spec.problems import Problems
from composer.spec.project import Frame, frame, normalise
from composer.spec.read import Need, Request
from composer.spec.resolve import Outside, pass_variables
from composer.spec.scalars import text_of
from composer.spec.shelf import Shelf
from composer.spec.short import lengthen
from composer.spec.tree import MAPPING, Node


@dataclass(frozen=True, slots=True)
class Options:
    """Which steps are done; all, unless `config` was told otherwise.

    `resolves_environment`: read `env_file`s. `contents`: read the files of secrets and configs. `tolerates`: what only stands in the way
    of running the stack is a warning.
    """

    normalises: bool = True
    resolves_paths: bool = True
    resolves_environment: bool = True
    checks: bool = True
    contents: bool = True
    tolerates: bool = False


def load(request: Request, options: Options | None = None) -> Stack | Need:
    """The stack that `request` describes. Need: call again with the contents of those paths. SpecError: it is wrong."""
    collecting = gc.isenabled()
    gc.disable()  # a tree is all new objects and no cycles: collecting while it grows doubles the time
    try:
        return _Load(request, options or Options()).run()
    finally:
        if collecting:
            gc.enable()


class _Load:
    def __init__(self, request: Request, options: Options) -> None:
        self.request = request
        self.options = options
        self.problems = Problems(is_tolerant=options.tolerates)
        self.shelf = Shelf(request)
        self.gathering = Gathering(self.shelf, self.problems)

    def run(self) -> Stack | Need:
        found = frame(self.request, self.shelf, self.problems)
        if found is None:
            return self.need()
        place = Place(found.base, found.environment)
        name = found.name or name_from(self.gathering, found, place, self.problems)
        found.environment["COMPOSE_PROJECT_NAME"] = name
        tree = self.gathering.stack(found.files, place)
        if self.shelf.wanted:
            return self.need()
        if tree is None:
            raise SpecError(self.problems.errors)
        tree = self.long(tree, found.directory)
        outside = Outside(self.shelf, found.environment, self.problems, self.gathering.used)
        enabled, disabled = self.services(tree, found, outside)
        resources = self.resources(tree, name, outside)
        if self.shelf.wanted:
            return self.need()
        self.check(tree, enabled, disabled, resources)
        self.problems.raise_if_any()
        stack = Stack.model_construct(
            name=name,
            directory=found.directory,
            files=found.files,
            profiles=found.profiles,
            declared=resources,
            environment=found.environment,
            used_variables=self.gathering.used,
            warnings=tuple(self.problems.warnings),
            extensions={key: plain_data(value) for key, value in tree.value.items() if key.startswith("x-")},
        )
        return stack.with_services(enabled, disabled)

    def need(self) -> Need:
        return Need(tuple(self.shelf.wanted))

    def long(self, tree: Node, directory: str) -> Node:
        tree = unique(lengthen(tree, self.problems))
        warn_without_effect(tree, self.problems)
        tree = resolve_paths(tree) if self.options.resolves_paths else carry_paths(tree, directory, read=False)
        return pass_variables(tree, build_args=self.options.normalises)

    def services(self, tree: Node, found: Frame, outside: Outside) -> tuple[dict[str, Service], dict[str, Service]]:
        enabled: dict[str, Service] = {}
        disabled: dict[str, Service] = {}
        for name, node in _section(tree, "services"):
            is_enabled = active(node, found.profiles)
            service = self.service(name, node, outside, is_enabled)
            if service is not None:
                (enabled if is_enabled else disabled)[name] = service
        return dict(sorted(enabled.items())), dict(sorted(disabled.items()))

    def service(self, name: str, node: Node, outside: Outside, is_enabled: bool) -> Service | None:
        data: dict[str, Any] = plain_data(node)
        data["name"] = name
        apart = self.problems if is_enabled else Problems()
        if "env_file" in data and self.options.resolves_environment:
            data["environment"] = outside.environment_of(node, apart)
            del data["env_file"]
        if data.pop("label_file", None) is not None:
            data["labels"] = outside.labels_of(node, apart)
        if not is_enabled and apart.errors:
            data["problems"] = tuple(apart.errors)
        fill_targets(data)
        if self.options.normalises:
            fill_service(data)
        return to_model(Service, data, node, ("services", name), self.problems)

    def resources(self, tree: Node, stack: str, outside: Outside) -> Resources:
        found: dict[str, dict[str, Any]] = {}
        kinds: dict[str, Any] = {"networks": Network, "volumes": Volume, "secrets": Secret, "configs": Config, "models": Model}
        for section, model in kinds.items():
            found[section] = {}
            for name, node in _section(tree, section):
                data = plain_data(node)
                if self.options.normalises and section != "models":
                    fill_name(data, name, stack)
                if section in ("secrets", "configs") and self.options.contents and data.get("external") not in (True, "true"):
                    data |= outside.content_of(section[:-1], name, node)
                made = to_model(model, data, node, (section, name), self.problems)
                if made is not None:
                    found[section][name] = made
        if "default" not in found["networks"] and self.options.normalises:
            found["networks"]["default"] = Network(name=f"{stack}_default")
        return Resources.model_construct(None, **found)

    def check(self, tree: Node, enabled: dict[str, Service], disabled: dict[str, Service], resources: Resources) -> None:
        if not self.options.checks:
            return
        spoilt = {entry.removeprefix("services.") for entry in self.problems.spoilt}
        # a name that was written, but of which nothing could stand, is not "undefined"
        known = {section: {name for name, _ in _section(tree, section)} for section in ("networks", "volumes")}
        check(
            Scene(
                tree,
                enabled,
                disabled,
                [*resources.networks, *(known["networks"] - resources.networks.keys())],
                [*resources.volumes, *(known["volumes"] - resources.volumes.keys())],
                dict(resources.secrets),
                dict(resources.configs),
                list(resources.models),
                frozenset(spoilt),
                self.problems,
            )
        )


def _section(tree: Node, name: str) -> list[tuple[str, Node]]:
    node = tree.get(name)
    if node is None or node.kind != MAPPING:
        return []
    return [(key, value) for key, value in node.value.items() if value.kind == MAPPING]


def active(service: Node, profiles: tuple[str, ...]) -> bool:
    """Is a service enabled by the active profiles?"""
    own = service.get("profiles")
    if own is None or not own.value or "*" in profiles:
        return True
    return any(text_of(profile.value) in profiles for profile in own)


def name_from(gathering: Gathering, found: Frame, place: Place, problems: Problems) -> str:
    """The stack's name as the files say, or the directory's name; made fit."""
    name = ""
    for path in found.files:
        for document in gathering.raw(path, place):
            node = document.get("name")
            if node is not None and isinstance(node.value, str) and node.value:
                name = _written(node, found.environment, problems) or name
    name = name or normalise(found.directory.rstrip("/").rsplit("/", 1)[-1])
    if not name:
        problems.error("spec.project-name", "project name must not be empty", hint="the directory's name gives none: use -p NAME")
    return name or "unnamed"


def _written(node: Node, lookup: Mapping[str, str], problems: Problems) -> str:
    try:
        name = normalise(expand(node.value, lookup))
    except Wrong:
        return ""  # it will be reported when the file is interpolated
    if not name:
        problems.error("spec.project-name", "project name must not be empty", node, "a name has letters or digits")
    return name
