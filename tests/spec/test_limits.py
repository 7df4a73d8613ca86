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


LADDER = {f"i{i}.yml": f"include: [i{i + 1}.yml, ./x/../i{i + 1}.yml]\n" for i in range(30)} | {"i30.yml": "services: {z: {image: x}}\n"}
DOUBLING = "A0=xxxxxxxxxx\n" + "".join(f"A{i}=${{A{i - 1}}}${{A{i - 1}}}\n" for i in range(1, 40))
CHAIN = "services:\n" + "".join(f"  s{i}: {{extends: s{i + 1}}}\n" for i in range(3000)) + "  s3000: {image: x}\n"
GROWING = {
    "a ladder of includes": (LADDER, set()),
    "variables that double": ({"stack.yml": "services: {a: {image: x, env_file: e.env}}\n", "e.env": DOUBLING}, {"spec.env-file"}),
    "a chain of extends": ({"stack.yml": CHAIN}, {"spec.extends-deep"}),
    "100 MB": ({"stack.yml": b"services: {a: {image: x}}\n#" + b"x" * 100_000_000}, {"spec.too-large"}),
}


@pytest.mark.parametrize("name", GROWING)
def test_what_grows_without_end_is_gathered_once_or_refused(name: str) -> None:
    files, codes = GROWING[name]
    begun = time.process_time()
    assert {found.rpartition(" ")[2] for found in mistakes(files)} == codes
    assert time.process_time() - begun < 5
