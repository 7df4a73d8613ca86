"""Files that are right but for their size (trap 3): refused before anything recurses into them or follows their aliases."""

from __future__ import annotations

import time

import pytest

from tests.spec.stacks import mistakes

SERVICE = "services: {web: {image: bb, x-all: *a}}\n"
TENFOLD = "x-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(f"x-{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 7))
MERGED = "x-0: &a0 {k0: 1}\n" + "".join(f"x-{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 100)}], k{i}: 1}}\n" for i in range(1, 300))
BOMBS = {
    "nested": ("x-deep: " + "[" * 400 + "]" * 400 + "\nservices: {web: {image: bb}}\n", "spec.too-deep"),
    "aliases": (TENFOLD + SERVICE.replace("*a", "*a6"), "spec.too-large"),
    "merge keys": (MERGED + SERVICE.replace("*a", "*a299"), "spec.too-large"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_well_formed_bombs_are_refused_by_the_right_rule(name: str) -> None:
    text, code = BOMBS[name]
    begun = time.process_time()
    assert [found.rpartition(" ")[2] for found in mistakes(text)] == [code]
    assert time.process_time() - begun < 5
