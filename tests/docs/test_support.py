"""docs/compose-support.md: every attribute of the Compose Specification has its row, and the row is true."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from composer.spec.effects import WITHOUT_EFFECT, warn_without_effect
from composer.spec.parse import parse
from composer.spec.problems import Problems
from composer.spec.tree import Source
from tests.docs.test_attributes import CASES

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| `([^`]+)` \| (.+) \| `([^`]+)` \|$", re.MULTILINE)
RENDERED = "tests/docs/test_attributes.py::test_the_engine_is_asked_for_it"


@cache
def rows() -> list[tuple[str, str, str]]:
    """(attribute, effect, test) of the table."""
    return _ROW.findall((ROOT / "docs" / "compose-support.md").read_text())


@cache
def attributes() -> list[str]:
    """Every attribute that the schema has: `services.*.ports[].target`."""
    schema = json.loads((files("composer.spec") / "compose-spec.json").read_text("utf-8"))
    return list(dict.fromkeys(_walk(schema, "", schema["$defs"])))


def _walk(schema: dict[str, Any], path: str, definitions: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    for branch in schema.get("oneOf", ()):
        yield from _walk(branch, path, definitions)
    for key, inner in schema.get("properties", {}).items():
        here = f"{path}.{key}" if path else key
        yield here
        yield from _walk(inner, here, definitions)
    for pattern, inner in schema.get("patternProperties", {}).items():
        if not pattern.startswith("^x-"):
            yield from _walk(inner, f"{path}.*", definitions)
    if isinstance(schema.get("items"), dict):
        yield from _walk(schema["items"], f"{path}[]", definitions)


def test_the_table_has_every_attribute_once_and_no_other() -> None:
    assert [attribute for attribute, _, _ in rows()] == attributes()


def test_what_has_no_effect_is_said_to_have_none() -> None:
    none = {attribute.replace("[]", ".*") for attribute, effect, _ in rows() if effect.startswith("none: ")}
    above = {path for path in none if not any(path.startswith(f"{other}.") for other in none)}
    refused = {attribute.replace("[]", ".*") for attribute, effect, _ in rows() if effect.startswith("refused: ")}
    assert above <= WITHOUT_EFFECT.keys()
    assert WITHOUT_EFFECT.keys() <= above | refused
    for attribute, effect, _ in rows():
        path = attribute.replace("[]", ".*")
        if path in WITHOUT_EFFECT and path in none:
            assert effect == f"none: {WITHOUT_EFFECT[path]}"


@pytest.mark.parametrize("path", WITHOUT_EFFECT)
def test_it_is_warned_about_by_name(path: str) -> None:
    value: Any = "wanted"
    for step in reversed(path.split(".")):
        value = {"name" if step == "*" else step: value}
    problems = Problems()
    [tree] = parse(Source("s.yaml", "/s.yaml", json.dumps(value).encode()), problems)
    warn_without_effect(tree, problems)
    [warning] = problems.warnings
    assert warning.message == f"{path.replace('*', 'name')} has no effect: {WITHOUT_EFFECT[path]}"


@cache
def functions(path: str) -> frozenset[str]:
    """The test functions of a file."""
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def test_every_row_names_a_test_that_exists() -> None:
    for attribute, _, test in rows():
        path, _, name = test.partition("::")
        assert name in functions(path), (attribute, test)
    shown = {attribute for attribute, _, test in rows() if test == RENDERED}
    assert shown == CASES.keys()
