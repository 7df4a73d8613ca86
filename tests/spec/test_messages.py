"""What is said about a mistake: the hint that helps, and no second finding that only follows from the first."""

from __future__ import annotations

import pytest

from composer.errors import SpecError
from tests.spec.stacks import stack

WEB = "services:\n  web:\n    image: x\n"
HINTS = {
    WEB + "    environment:\n      A=1\n      B=2\n": 'begin each of them with "- "',
    WEB + "    environment:\n      - A: 1\n": "write A=1, or leave out the dash",
    WEB + "    healthcheck: {test: x, interval: 5}\n": "add a unit: 5s",
    WEB + "    restart: false\n": 'write "no", in quotes',
    WEB + "    user: ${WHO\n": "the brace is not closed",
    "services:\n  web:\n    image:nginx\n    tty: true\n": "put a space behind the colon in line 3",
    WEB + "    command: 'it's'\n": "the quote ends the value: write '' for a ' inside of '...', \\\" for a \" inside of \"...\"",
    '{"services": {}}\n{"b": 1}\n': "documents are separated by a line with '---'",
    WEB + "    depends_on: {web2: {condition: healthy}}\n": "did you mean 'service_healthy'?",
}


@pytest.mark.parametrize("text", HINTS)
def test_the_hint(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        stack(text)
    assert [finding.hint for finding in caught.value.diagnostics] == [HINTS[text]]


def test_a_long_line_is_cut_around_the_place() -> None:
    labels = ", ".join(f"k{number}: v" for number in range(60))
    with pytest.raises(SpecError) as caught:
        stack(f"services: {{a: {{image: x, labels: {{{labels}, bad: [1]}}}}}}\n")
    line, caret = caught.value.message.splitlines()[1:3]
    assert "| …" in line
    assert line[caret.index("^")] == "["


def test_a_cycle_of_extends_is_one_mistake() -> None:
    with pytest.raises(SpecError) as caught:
        stack("services:\n  a: {extends: b}\n  b: {extends: a}\n")
    assert [finding.code for finding in caught.value.diagnostics] == ["spec.extends-cycle"]
