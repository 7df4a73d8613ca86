"""What a stack takes from outside its YAML: variables passed on by name, `env_file`, `label_file`, and the content of secrets and configs.

Source: Compose Specification; precedence as docker compose has it: `environment` over `env_file`, a later file over an earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from composer.spec.convert import plain_data
from composer.spec.dotenv import parse_env, parse_raw
from composer.spec.problems import Problems
from composer.spec.scalars import text_of
from composer.spec.shelf import Shelf
from composer.spec.tree import MAPPING, SEQUENCE, Node, Source
from composer.spec.trie import Trie, rewrite

_PASSED: Trie[bool] = Trie({"services.*.environment": True, "services.*.build.args": False})


def pass_variables(tree: Node, *, build_args: bool = True) -> Node:
    """The tree, in long form, in which a variable without a value has that of the environment, if it is set there."""
    return rewrite(tree, _PASSED, lambda node, always: _passed(node) if always or build_args else node)


def _passed(node: Node) -> Node:
    if node.kind != MAPPING:
        return node
    changed: dict[str, Node] = {}
    for key, value in node.value.items():
        if value.value is None and key in value.source.lookup:
            changed[key] = value.scalar(value.source.lookup[key])
    return node.mapping({**node.value, **changed}) if changed else node


class Outside:
    """Reads what services and resources refer to. `strict`: a missing file is an error (the service is enabled)."""

    def __init__(self, shelf: Shelf, environment: Mapping[str, str], problems: Problems, used: dict[str, str]) -> None:
        self.shelf = shelf
        self.environment = environment
        self.problems = problems
        self.used = used

    def environment_of(self, service: Node, problems: Problems) -> dict[str, str | None]:
        """The variables of a service's env files, its own `environment` over them."""
        found: dict[str, str] = {}
        for entry in _items(service.get("env_file")):
            path, required, form = entry.get("path"), entry.get("required"), entry.get("format")
            if path is None:
                continue
            raw = form is not None and text_of(form.value) == "raw"
            if form is not None and text_of(form.value) not in ("raw", ""):
                problems.error("spec.env-file", f'unsupported env_file format "{text_of(form.value)}"', form, "raw, or nothing")
            needed = required is None or text_of(required.value).lower() not in ("false", "no", "n", "off", "0", "f")
            found |= self._variables(path, found, "env file", problems, raw=raw, required=needed)
        own = service.get("environment")
        return {**found, **(plain_data(own) if own is not None else {})}

    def labels_of(self, service: Node, problems: Problems) -> dict[str, str]:
        """The labels of a service's label files, its own over them."""
        found: dict[str, str] = {}
        for path in _items(service.get("label_file")):
            found |= self._variables(path, found, "label file", problems, raw=False, required=True)
        own = service.get("labels")
        return {**found, **(plain_data(own) if own is not None else {})}

    def _variables(self, node: Node, before: dict[str, str], what: str, problems: Problems, *, raw: bool, required: bool) -> dict[str, str]:
        written = text_of(node.value)
        path = node.source.base.resolve(written)
        content = self.shelf.get(path)
        if content is None:
            return {}
        if content.data is None:
            if required or not content.missing:
                shown = self.shelf.shown(path)
                problems.error(f"spec.{what.replace(' ', '-')}", f"{what} {shown} {content.why}", node, _advice(required, what))
            return {}
        source = Source(self.shelf.shown(path), path, content.data)
        lookup = {**self.environment, **before}
        return parse_raw(source, lookup, problems) if raw else parse_env(source, lookup, problems, self.used)

    def content_of(self, kind: str, name: str, node: Node) -> dict[str, Any]:
        """`data` and `problem` of a secret or config."""
        file, variable, content = node.get("file"), node.get("environment"), node.get("content")
        if content is not None:
            return {"data": text_of(content.value).encode("utf-8", "surrogateescape")}
        if variable is not None:
            value = variable.source.lookup.get(text_of(variable.value))
            if value is None:
                return {"problem": f'environment variable "{variable.value}" required by {kind} "{name}" is not set'}
            return {"data": value.encode("utf-8", "surrogateescape")}
        if file is None or not text_of(file.value):
            return {}
        path = file.source.base.resolve(text_of(file.value))
        found = self.shelf.get(path)
        if found is None:
            return {}
        if found.data is None:
            return {"problem": f'the file of {kind} "{name}", {path}, {"is " if found.missing else ""}{found.why}'}
        return {"data": found.data}


def _items(node: Node | None) -> list[Node]:
    return node.value if node is not None and node.kind == SEQUENCE else []


def _advice(required: bool, what: str) -> str:
    return "create it, or write it as {path: ..., required: false}" if required and what == "env file" else ""
