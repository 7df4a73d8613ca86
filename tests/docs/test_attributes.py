"""Every attribute that asks something of the engine: the stack that has it asks for more than the one without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from composer.spec.model import Stack
from tests.docs.picture import gained, loaded, picture

CASES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "rendered.yaml").read_text())
PLAIN = {"name": "p", "services": {"web": {"image": "web"}, "other": {"image": "other", "environment": {"O": "1"}}}}


def both(case: dict[str, Any]) -> tuple[Stack, Stack]:
    """The stack without and with the attribute."""
    beside = laid(PLAIN, case.get("more", {}))
    without = laid(beside, {"services": {"web": case.get("base", {})}})
    having = laid(laid(without, {"services": {"web": case.get("service", {})}}), case.get("stack", {}))
    return loaded(json.dumps(laid(without, case.get("under", {})))), loaded(json.dumps(laid(having, {})))


def laid(below: Any, above: Any) -> Any:
    """Mappings one over the other; anything else is replaced."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: laid(below[key], value) if key in below else value for key, value in above.items()}}


@pytest.mark.parametrize("attribute", CASES)
def test_the_engine_is_asked_for_it(attribute: str) -> None:
    before, after = both(CASES[attribute])
    more = gained(picture(before), picture(after))
    wanted = CASES[attribute]["gives"]
    assert {key: more.get(key) for key in wanted} == wanted, more
