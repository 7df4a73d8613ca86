"""A stack file as all that composer asks of the engine for it, flat: `container.HostConfig.CapAdd` -> `["NET_ADMIN"]`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from composer.reconcile import labels
from composer.reconcile.build import build_config
from composer.reconcile.model import Replicas
from composer.reconcile.render import Site, render
from composer.spec.load import load
from composer.spec.model import Stack
from composer.spec.read import MISSING, Content, Request, load_from_disk

FILES = {
    "/e.env": "FROM_FILE=1\n",
    "/q.env": "QUOTED='x'\n",
    "/base.yaml": "services: {b: {image: 'b:${QUOTED:-none}', environment: {B: '1'}, volumes: ['./rel:/rel']}}",
}
SITE = Site(socket="/engine.sock")
_OURS = ("com.docker.compose.", labels.HASH, labels.PARTS)


def loaded(text: str) -> Stack:
    """The stack of a file at /w/stack.yml; beside it there are FILES, and the variable TOKEN is set."""
    contents = {"/w/stack.yml": Content(text.encode()), **{path: Content(data.encode()) for path, data in FILES.items()}}
    asked = Request(files=("/w/stack.yml",), cwd="/w", environment={"TOKEN": "t"}, contents=contents)
    made = load_from_disk(asked, load, lambda path: MISSING)
    assert isinstance(made, Stack)
    return made


def picture(stack: Stack) -> dict[str, str]:
    """What the stack comes to, without the labels that are composer's own."""
    found: dict[str, str] = {}
    for ref, resource in render(stack, SITE).items():
        name = f"{ref.kind}:{resource.key or ref.name}"
        found[name] = "external" if resource.external else "made"
        config = resource.config
        if isinstance(config, Replicas):
            found |= _flat(f"{name}.container", config.template.to_wire())
            rest = {field.name: getattr(config, field.name) for field in dataclasses.fields(config) if field.name != "template"}
            found |= _flat(name, {**rest, "needs": resource.needs})
            if stack.services[ref.name].build is not None:
                found |= _flat(f"{name}.build", vars(build_config(stack, stack.services[ref.name])))
        else:
            found |= _flat(name, config.to_wire())
    return found


def _flat(path: str, value: Any) -> dict[str, str]:
    return dict(_leaves(path, value))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            if not str(key).startswith(_OURS):
                yield from _leaves(f"{path}.{key}", item)
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from _leaves(f"{path}[{index}]", item)
    else:
        yield path, str(value)


def gained(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """What `after` has that `before` has not, or has otherwise; `-` for what is gone."""
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    return changed | {key: "-" for key in before if key not in after}
