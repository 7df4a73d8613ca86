"""Which paths a rule means."""

from __future__ import annotations

import pytest

from composer.watch.sieve import sieve


@pytest.mark.parametrize(
    ("inner", "passes"),
    [
        ("a.py", True),
        ("node_modules", False),
        ("node_modules/x/y.js", False),
        ("lib/node_modules/x.js", True),
        ("x.log", False),
        ("keep.log", True),
        ("sub/x.log", True),
        (".git", False),
        ("sub/.git/HEAD", False),
        (".gitignore", True),
        (".a.py.swp", False),
        ("a.py~", False),
        ("4913", False),
        ("#a#", False),
        (".idea/x.xml", False),
        ("", True),
    ],
)
def test_ignore(inner: str, passes: bool) -> None:
    assert sieve("/p", ["node_modules/", "*.log", "!keep.log"], []).passes(inner) is passes


def test_include_is_all_that_is_meant() -> None:
    found = sieve("/p", ["skip/"], ["**/*.py", "conf"])
    assert [path for path in ("a.py", "b/c/d.py", "conf", "conf/x", "a.txt", "skip/a.py") if found.passes(path)] == [
        *("a.py", "b/c/d.py", "conf", "conf/x")
    ]
    assert not found.prunes("b")
    assert found.prunes("skip")


def test_the_ignore_file_is_seen_from_the_context() -> None:
    found = sieve("/p/web/src", [], [], "/p", ["web/src/out", "**/*.tmp", "elsewhere"])
    assert not found.passes("out/x")
    assert not found.passes("a.tmp")
    assert found.passes("elsewhere")
    assert found.prunes("out")
    assert sieve("/other", [], [], "/p", ["**"]).passes("a")


def test_what_can_be_taken_back_is_not_pruned() -> None:
    found = sieve("/p", ["gen", "!gen/keep"], [])
    assert not found.prunes("gen")
    assert found.passes("gen/keep")
    assert not found.passes("gen/other")
