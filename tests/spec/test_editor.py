"""`composer schema`: a valid JSON Schema that takes what the loader takes, and knows composer's own extensions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from composer.spec import care, schedule
from composer.spec.editor import EXTENSIONS, editor_schema
from tests.spec.stacks import mistakes

SCHEMA = editor_schema()
SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*/*.y*ml"))


def wrong(data: Any) -> list[str]:
    return [error.json_path for error in Draft202012Validator(SCHEMA).iter_errors(data)]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("sample", [path for path in SAMPLES if "services:" in path.read_text()], ids=lambda path: path.parent.name)
def test_the_samples_fit(sample: Path) -> None:
    assert wrong(yaml.safe_load(sample.read_text())) == []


@pytest.mark.parametrize(
    ("service", "at"),
    [
        ("image: x, x-heal: report", ""),
        ("image: x, x-heal: {drift: ignore, unhealthy: restart, restarts: 3, window: 10m}", ""),
        ("image: x, x-heal: repor", "x-heal"),
        ("image: x, x-heal: {drif: ignore}", "x-heal"),
        ("image: x, x-schedule: '@daily'", ""),
        ("image: x, x-schedule: {cron: '30 2 * * *', timezone: Europe/Berlin, overlap: queue, catch_up: all, keep: 3, timeout: 1h}", ""),
        ("image: x, x-schedule: {timezone: UTC}", "x-schedule"),
        ("image: x, x-schedule: {cron: '@daily', overlap: both}", "x-schedule"),
        ("image: x, x-mine: [anything]", ""),
        ("image: x, imgae: y", ""),
        ("image: [x]", "image"),
        ("image: x, ports: [80, '81:81', {target: 82}]", ""),
    ],
)
def test_it_agrees_with_the_loader(service: str, at: str) -> None:
    text = f"services: {{web: {{{service}}}}}"
    found = wrong(yaml.safe_load(text))
    assert bool(found) == bool(mistakes(text)), (found, mistakes(text))
    if at:
        assert all(at in path for path in found)


def test_every_key_of_the_extensions_is_there() -> None:
    heal, runs = (EXTENSIONS["service"][name]["oneOf"][1]["properties"] for name in (care.EXTENSION, schedule.EXTENSION))
    assert heal.keys() == care._READERS.keys()
    assert runs.keys() == schedule._READERS.keys()
