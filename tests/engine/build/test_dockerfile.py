"""Dockerfile text -> instructions, and the words of their arguments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.engine.ignore import Ignore
from composer.engine.local.build.dockerfile import parse
from composer.engine.local.build.problem import BuildProblem
from composer.engine.local.build.words import expand, expand_words, split


def test_continuations_comments_and_flags() -> None:
    file = parse(
        "# a comment\nFROM --platform=linux/amd64 bb AS one\nRUN --mount=type=tmpfs,target=/t echo a && \\\n  # inside\n\n  echo b\n"
    )
    first, run = file.instructions
    assert (first.keyword, first.text, first.flag("platform"), first.line) == ("FROM", "bb AS one", "linux/amd64", 2)
    assert run.all("mount") == ["type=tmpfs,target=/t"]
    assert run.text == "echo a &&   echo b"


def test_exec_form_is_json_and_falls_back_to_shell() -> None:
    file = parse('FROM bb\nCMD ["a", "b c"]\nCMD [not json]\n')
    assert file.instructions[1].words == ("a", "b c")
    assert file.instructions[2].words is None


def test_escape_directive() -> None:
    file = parse("# escape=`\nFROM bb\nRUN a `\n  b\\\n")
    assert file.instructions[1].text == "a   b\\"


def test_heredocs() -> None:
    file = parse("FROM bb\nCOPY <<A <<-'B' /dir/\none $X\nA\n\ttwo\n\tB\nRUN <<EOT\nset -e\nEOT\n")
    copy, run = file.instructions[1:]
    assert [(h.name, h.content, h.expand) for h in copy.heredocs] == [("A", "one $X\n", True), ("B", "two\n", False)]
    assert run.heredocs[0].content == "set -e\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("FROM bb\nRUM x\n", 2, "unknown instruction: RUM"),
        ("FROM bb\n\nCOPY --form=x a b\n", 3, "unknown flag: --form"),
        ("FROM bb\nRUN\n", 2, "requires at least one argument"),
        ("FROM bb\nRUN <<EOT\nx\n", 2, "unterminated heredoc"),
        ("", 0, "no instructions"),
    ],
)
def test_mistakes_name_the_line(text: str, line: int, words: str) -> None:
    with pytest.raises(BuildProblem) as caught:
        parse(text)
    assert caught.value.line == line
    assert words in caught.value.message


@given(st.text(max_size=200))
def test_any_text_gives_instructions_or_a_problem(text: str) -> None:
    try:
        parse("FROM bb\n" + text)
    except BuildProblem:
        return


VALUES = {"A": "a.b.c", "E": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A", "a.b.c"),
        ("${A}x", "a.b.cx"),
        ("'$A'", "$A"),
        ('"q $A \\$A"', "q a.b.c $A"),
        ("${N:-d$A}", "da.b.c"),
        ("${E-x}", ""),
        ("${E:-x}", "x"),
        ("${A:+y}", "y"),
        ("${N:+y}", ""),
        ("${A#*.}", "b.c"),
        ("${A##*.}", "c"),
        ("${A%.*}", "a.b"),
        ("${A%%.*}", "a"),
        ("${A/./_}", "a_b.c"),
        ("${A//./_}", "a_b_c"),
        ("a\\ b", "a b"),
        ("$", "$"),
    ],
)
def test_expand(text: str, expected: str) -> None:
    assert expand(text, VALUES) == expected


@pytest.mark.parametrize("text", ["'a", '"a', "${A", "${N:?must be set}", "${}"])
def test_expand_refuses(text: str) -> None:
    with pytest.raises(BuildProblem):
        expand(text, VALUES)


@given(st.text(alphabet="ab$ {}:-+?#%/'\"\\AE", max_size=30))
def test_expand_ends_in_words_or_a_problem(text: str) -> None:
    try:
        assert isinstance(expand(text, VALUES), str)
        expand_words(text, VALUES)
        split(text)
    except BuildProblem:
        return


def test_ignore_last_rule_wins_and_parents_count() -> None:
    ignore = Ignore(["node_modules", "*.log", "!keep.log", "**/x", "a/*/b", "# comment", ""])
    excluded = {p for p in ("node_modules/x/y", "b.log", "keep.log", "q/w/x", "a/1/b/c", "a/b", "src/b.log") if ignore.excludes(p)}
    assert excluded == {"node_modules/x/y", "b.log", "q/w/x", "a/1/b/c"}
