"""The shape of a stack file: which keys are known, and what kind of value each takes.

The rules are the Compose Specification's own JSON Schema (`compose-spec.json`), compiled once into `Rule`s that walk Nodes. Where the
schema says `oneOf`, the alternatives differ by type, so the value's type picks one and the message speaks of that one only. Whatever
is wrong is reported at its place and left out of the tree that goes on, so that later steps find their own mistakes in the same load.
"""

from __future__ import annotations

import json
import posixpath
import re
from functools import cache
from typing import Any

from composer.spec.problems import Problems, did_you_mean
from composer.spec.scalars import text_of
from composer.spec.tree import MAPPING, SCALAR, Node, plain

_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "empty",
}
_OLD_BOOLEANS = {**dict.fromkeys(("yes", "y", "on"), "true"), **dict.fromkeys(("no", "n", "off"), "false")}
_DURATIONS = frozenset(("interval", "timeout", "start_period", "start_interval", "delay", "window", "monitor", "stop_grace_period"))
_ORDER = ("object", "array", "string", "number", "integer", "boolean", "null")


class Rule:
    """What one value may be. `alternatives`: the rule for each type that is allowed; None: anything goes."""

    __slots__ = (
        "alternatives",
        "closed",
        "enum",
        "items",
        "maximum",
        "minimum",
        "pattern",
        "patterns",
        "properties",
        "required",
        "unique",
    )

    def __init__(self) -> None:
        self.alternatives: dict[str, Rule] | None = None
        self.properties: dict[str, Rule] = {}
        self.patterns: list[tuple[str, Rule]] = []
        self.closed = False
        self.required: tuple[str, ...] = ()
        self.items: Rule | None = None
        self.unique = False
        self.enum: tuple[Any, ...] = ()
        self.pattern: str | None = None
        self.minimum: float | None = None
        self.maximum: float | None = None


@cache
def root() -> Rule:
    """The rule of a whole stack file."""
    with open(posixpath.join(posixpath.dirname(__file__), "compose-spec.json"), "rb") as file:  # importlib.resources: 15 ms
        schema = json.loads(file.read())
    return _Compiler(schema["$defs"]).rule(schema)


class _Compiler:
    def __init__(self, definitions: dict[str, Any]) -> None:
        self.definitions = definitions
        self.done: dict[str, Rule] = {}

    def rule(self, schema: dict[str, Any]) -> Rule:
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            if name not in self.done:
                self.done[name] = self.rule(self.definitions[name])
            return self.done[name]
        made = Rule()
        if "oneOf" in schema:
            made.alternatives = {}
            for branch in schema["oneOf"]:
                made.alternatives.update(self.rule(branch).alternatives or {})
            return made
        if "type" not in schema:
            return made
        types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        one = self.single(schema)
        made.alternatives = dict.fromkeys(types, one)
        return made

    def single(self, schema: dict[str, Any]) -> Rule:
        made = Rule()
        made.properties = {key: self.rule(value) for key, value in schema.get("properties", {}).items()}
        made.patterns = [(key, self.rule(value)) for key, value in schema.get("patternProperties", {}).items()]
        made.closed = schema.get("additionalProperties", True) is False
        made.required = tuple(schema.get("required", ()))
        made.items = self.rule(schema["items"]) if "items" in schema else None
        made.unique = schema.get("uniqueItems", False)
        made.enum = tuple(schema.get("enum", ()))
        made.pattern = schema.get("pattern")
        made.minimum, made.maximum = schema.get("minimum"), schema.get("maximum")
        return made


def kind_of(node: Node) -> str:
    """The schema's word for a node's type; `date` for a date without quotes, which nothing takes."""
    if node.kind != SCALAR:
        return "object" if node.kind == MAPPING else "array"
    value = node.value
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return "number" if isinstance(value, float) else "date"


def validate(tree: Node, problems: Problems) -> Node:
    """The tree without what is wrong in it; each wrong thing is in `problems`."""
    return _check(root(), tree, (), problems, tree) or tree.mapping({})


def validate_part(node: Node, path: tuple[str, ...], problems: Problems) -> Node | None:
    """One value at `path` (`*` for any name) without what is wrong in it, or None when it is wrong as a whole."""
    rule = root()
    for step in path:
        inside = next(iter((rule.alternatives or {"": rule}).values()))
        rule = inside.patterns[0][1] if step == "*" else inside.properties[step]
    return _check(rule, node, path, problems, node)


def _check(rule: Rule, node: Node, path: tuple[str | int, ...], problems: Problems, name: Node) -> Node | None:
    """The node, or a copy without its wrong parts, or None when it is wrong itself. `name`: its key, for what is missing in it."""
    if rule.alternatives is None:
        return node
    kind = kind_of(node)
    chosen = rule.alternatives.get(kind)
    if chosen is None and kind == "integer":
        chosen = rule.alternatives.get("number")
    elif chosen is None and kind == "number" and float(node.value).is_integer():
        chosen = rule.alternatives.get("integer")
    if chosen is None:
        _wrong_type(rule.alternatives, node, kind, path, problems)
        return None
    if node.kind == MAPPING:
        return _mapping(chosen, node, path, problems, name)
    if kind == "array":
        return _sequence(chosen, node, path, problems)
    if kind == "string" and "boolean" in rule.alternatives and "number" not in rule.alternatives:
        _old_boolean(node, problems)
    return node if _scalar(chosen, rule.alternatives, node, path, problems) else None


def _old_boolean(node: Node, problems: Problems) -> None:
    word = _OLD_BOOLEANS.get(node.value.lower())
    if word is not None:
        message = f'"{node.value}" for boolean is not supported by YAML 1.2, please use `{word}`'
        problems.warn("spec.old-boolean", message, node, f"write {word}")


def _mapping(rule: Rule, node: Node, path: tuple[str | int, ...], problems: Problems, name: Node) -> Node | None:
    properties, keys, kept, changed = rule.properties, node.keys or {}, {}, False
    for key, value in node.value.items():
        inner = properties.get(key) or by_pattern(rule, key)
        if inner is None:
            if rule.closed:
                _unknown_key(rule, node, key, path, problems)
                changed = True
                continue
            good: Node | None = value
        else:
            before = len(problems.errors)
            good = _check(inner, value, (*path, key), problems, keys.get(key, value))
            if len(path) == 1 and len(problems.errors) != before:
                problems.spoilt.add(f"{path[0]}.{key}")
        if good is not None:
            kept[key] = good
        changed = changed or good is not value
    for key in rule.required:
        if key not in node.value:
            problems.error("spec.missing", f"{_key_of(path)} lacks the property '{key}'", name, f"add '{key}'")
            return None
        if key not in kept:
            return None
    return node.mapping(kept) if changed else node


def by_pattern(rule: Rule, key: str) -> Rule | None:
    """The rule of the first pattern that takes `key`."""
    for pattern, inner in rule.patterns:
        if key.startswith("x-") if pattern == "^x-" else re.search(pattern, key):
            return inner
    return None


def _sequence(rule: Rule, node: Node, path: tuple[str | int, ...], problems: Problems) -> Node:
    inner, kept, changed = rule.items, [], False
    if rule.unique and len(node.value) > 1:
        _unique(node, path, problems)
    if inner is None:
        return node
    for index, value in enumerate(node.value):
        good = _check(inner, value, (*path, index), problems, value)
        if good is not None:
            kept.append(good)
        changed = changed or good is not value
    return node.sequence(kept) if changed else node


def _unique(node: Node, path: tuple[str | int, ...], problems: Problems) -> None:
    seen: dict[Any, Node] = {}
    for item in node.value:
        key = repr(plain(item)) if item.kind != SCALAR else (type(item.value), item.value)
        if key in seen:
            shown = f"'{text_of(item.value)}' is" if item.kind == SCALAR else "the same mapping is"
            problems.error("spec.duplicate-item", f"{shown} listed twice in {dotted(path)}", item, f"first at line {seen[key].line}")
        seen[key] = item


def _scalar(rule: Rule, alternatives: dict[str, Rule], node: Node, path: tuple[str | int, ...], problems: Problems) -> bool:
    value = node.value
    if rule.enum and value not in rule.enum:
        hint = did_you_mean(value, map(str, rule.enum)) if isinstance(value, str) else ""
        choices = ", ".join(map(str, rule.enum))
        problems.error("spec.choice", f"{dotted(path)} cannot be '{text_of(value)}': it is one of {choices}", node, hint)
        return False
    if rule.pattern is not None and not re.search(rule.pattern, value):
        choices = rule.pattern.replace("|", ", ")
        problems.error("spec.choice", f"{dotted(path)} cannot be '{value}': it does not match pattern '{choices}'", node)
        return False
    return _in_range(
        rule if rule.minimum is not None or rule.maximum is not None else alternatives.get("integer", rule), node, path, problems
    )


def _in_range(rule: Rule, node: Node, path: tuple[str | int, ...], problems: Problems) -> bool:
    if rule.minimum is None and rule.maximum is None:
        return True
    value = node.value
    if isinstance(value, str):
        if not re.fullmatch(r"[-+]?\d{1,18}(\.\d{1,18})?", value):
            return True
        if not float(value).is_integer():
            problems.error("spec.type", f"{dotted(path)} must be a whole number, not {value}", node)
            return False
        value = int(float(value))
    low, high = rule.minimum, rule.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        allowed = f"between {low} and {high}" if high is not None else f"{low} or more"
        problems.error("spec.range", f"{dotted(path)} cannot be {value}: it must be {allowed}", node)
        return False
    return True


def _wrong_type(alternatives: dict[str, Rule], node: Node, kind: str, path: tuple[str | int, ...], problems: Problems) -> None:
    wanted = " or ".join(_WORDS[kind] for kind in _ORDER if kind in alternatives and not (kind == "integer" and "number" in alternatives))
    shown = {"object": "a mapping", "array": "a list", "null": "empty"}.get(kind) or f"{_sort_of(kind)} ({text_of(node.value)[:40]})"
    if kind == "date":
        shown = f"a date ({node.value})"
    hint = _how_to_write(alternatives, node, kind, path)
    problems.error("spec.type", f"{dotted(path) or 'a stack file'} must be {wanted}, not {shown}", node, hint)


def _how_to_write(alternatives: dict[str, Rule], node: Node, kind: str, path: tuple[str | int, ...]) -> str:
    """What to write instead of a value of the wrong type."""
    if kind in ("number", "integer", "boolean", "date") and "string" in alternatives:
        return _quoted(node, kind, str(path[-1]) if path else "")
    if kind == "string" and "array" in alternatives and "=" in node.value and any(char.isspace() for char in node.value):
        return 'begin each of them with "- "'
    if kind in ("string", "number", "integer") and "array" in alternatives:
        return f'write it as a list: ["{text_of(node.value)[:40]}"]'
    if kind == "object" and len(node.value) == 1 and path and isinstance(path[-1], int) and "string" in alternatives:
        name, value = next(iter(node.value.items()))
        return f"write {name}={text_of(value.value)[:40]}, or leave out the dash" if value.kind == SCALAR else ""
    if kind == "null":
        is_service = len(path) == 2 and path[0] == "services"
        return "a service needs at least an image or a build" if is_service else "give it a value, or leave the key out"
    return ""


def _quoted(node: Node, kind: str, key: str) -> str:
    written = (node.raw or text_of(node.value))[:40]
    if key == "restart" and node.value is False:
        return 'write "no", in quotes'
    if kind in ("number", "integer") and key in _DURATIONS:
        return f"add a unit: {written}s"
    return f'quote it: "{written}"'


def _sort_of(kind: str) -> str:
    return {"string": "a string", "integer": "a number", "number": "a number", "boolean": "a boolean"}.get(kind, kind)


def _unknown_key(rule: Rule, node: Node, key: str, path: tuple[str | int, ...], problems: Problems) -> None:
    if problems.is_full:
        return
    at = node.key(key)
    if not rule.properties and rule.patterns:
        message = f"'{key}' is no valid name in {dotted(path) or 'this file'}"
        problems.error("spec.name", message, at, "names are letters, digits, '.', '_' and '-'")
        return
    known = list(rule.properties)
    hint = did_you_mean(key, known, listed="known here: ")
    if not hint and not path and rule.properties.keys() >= {"services"}:
        hint = "a service belongs under 'services:'; your own keys begin with 'x-'"
    problems.error("spec.unknown-key", f"unknown key '{key}' in {_key_of(path)}", at, hint)


def _key_of(path: tuple[str | int, ...]) -> str:
    if not path:
        return "the file"
    if len(path) == 2 and path[0] == "services":
        return f"the service '{path[1]}'"
    return dotted(path)


def dotted(path: tuple[str | int, ...]) -> str:
    """A path as users write it: `services.web.ports[1]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
