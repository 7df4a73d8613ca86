"""The fuzzer for a second; `python -m tests.spec.fuzz` runs as long as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.fuzz import SEEDS, outcome, run


def test_the_seeds_are_no_garbage() -> None:
    assert sum(outcome(seed.encode()) == "loaded" for seed in SEEDS) >= len(SEEDS) - 1


def test_mutated_files_end_in_a_stack_or_in_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(800, 3, SEEDS) == 0
