"""The order in which go-yaml prints the keys of a mapping: as people count, `k2` before `k10`, and letters after other characters."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cmp_to_key


def natural(keys: Iterable[str]) -> list[str]:
    """The keys in go-yaml's order."""
    found = sorted(keys)
    if all(key.isalpha() for key in found):
        return found
    return sorted(found, key=cmp_to_key(_compare))


def _compare(a: str, b: str) -> int:
    digits = False
    for at, (one, other) in enumerate(zip(a, b, strict=False)):
        if one == other:
            digits = one.isdecimal()
            continue
        if one.isalpha() and other.isalpha():
            return -1 if one < other else 1
        if one.isalpha() or other.isalpha():
            return -1 if one.isalpha() == digits else 1
        return _numbers(a, b, at)
    return len(a) - len(b)


def _numbers(a: str, b: str, at: int) -> int:
    """Two keys that differ at `at`, where neither has a letter: by the numbers there, then by their lengths."""
    first = _digits_from(a, at)
    second = _digits_from(b, at)
    begun = "0" in (a[at], b[at]) and _in_number(a, at)
    one, other = int(f"{1 if begun else 0}{first}"), int(f"{1 if begun else 0}{second}")
    if one != other:
        return -1 if one < other else 1
    if len(first) != len(second):
        return len(first) - len(second)
    return -1 if a[at] < b[at] else 1


def _digits_from(text: str, at: int) -> str:
    end = at
    while end < len(text) and text[end].isdecimal() and end - at < 18:
        end += 1
    return text[at:end]


def _in_number(text: str, at: int) -> bool:
    """Does a number other than 0 lead up to `at`?"""
    before = at - 1
    while before >= 0 and text[before].isdecimal():
        if text[before] != "0":
            return True
        before -= 1
    return False
