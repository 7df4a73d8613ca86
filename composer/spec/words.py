"""A command line split into words, as docker compose splits `command: run "two words"`.

Quotes and backslashes work as in a shell; nothing is expanded. As docker compose does, splitting ends at an unquoted `;`, `&`, `|`, `<`
or `>`: `Split.rest` is what was left out then.
"""

from __future__ import annotations

from dataclasses import dataclass

_ENDS = frozenset(";&|<>")


@dataclass(frozen=True, slots=True)
class Split:
    """The words, and the ignored rest of the line."""

    words: list[str]
    rest: str


def split(line: str) -> Split:
    """ValueError when a quote is not closed."""
    words: list[str] = []
    word, begun, quote, escaped = "", False, "", False
    for at, char in enumerate(line):
        if escaped:
            word, begun, escaped = word + char, True, False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            if char != quote or quote in "`)":  # what stands in backquotes or $( ) stays as it is
                word += char
            quote = "" if char == quote else quote
        elif char == "`" or (char == "(" and word.endswith("$")):
            quote, word, begun = ")" if char == "(" else char, word + char, True
        elif char in "()":
            raise ValueError(f"invalid command line string: an unquoted '{char}'")
        elif char in "'\"":
            quote, begun = char, True
        elif char in " \t\r\n":
            if begun:
                words.append(word)
            word, begun = "", False
        elif char in _ENDS:
            begun = begun and not (char == ">" and word[:1].isdigit())  # the number of a descriptor is no word
            return Split([*words, word] if begun else words, line[at:].strip())
        else:
            word, begun = word + char, True
    if quote or escaped:
        raise ValueError("invalid command line string: " + (f"a quote ({quote}) is not closed" if quote else "it ends with a backslash"))
    return Split([*words, word] if begun else words, "")
