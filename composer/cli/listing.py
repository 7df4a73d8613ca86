"""Rows as the user wants them: a table with docker's columns, JSON (an object a line), or a Go template."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Columns = Sequence[tuple[str, str]]  # (HEADING, the row's key)


def show(rows: Sequence[Row], columns: Columns, form: str = "table", *, array: bool = False) -> None:
    """Print ``rows``. ``form``: table, json, ``table TEMPLATE``, or a template. ``array``: JSON as one array."""
    if form in ("table", ""):
        write_table([name for name, _ in columns], [[str(row.get(key, "")) for _, key in columns] for row in rows])
    elif form == "json" and array:
        sys.stdout.write(dump(list(rows)) + "\n")
    elif form in ("json", "{{json .}}"):
        sys.stdout.write("".join(dump(row) + "\n" for row in rows))
    else:
        _templates(rows, columns, form)


def _templates(rows: Sequence[Row], columns: Columns, form: str) -> None:
    from composer.cli.template import Template

    with_heading = form.startswith("table ")
    template = Template(form[len("table ") :].strip() if with_heading else form, strict=bool(rows))
    lines = [template.render(row) for row in rows]
    if not with_heading:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        return
    names = {key: name for name, key in columns} | {"Names": "NAMES", "Labels": "LABELS", "State": "STATE"}
    keys = set(names) | {key for row in rows[:1] for key in row}
    heading = Template(template.source, strict=False).render({key: names.get(key, key.upper()) for key in keys})
    write_table(heading.split("\t"), [line.split("\t") for line in lines])


def write_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns three spaces apart, as docker prints them; the last one is not padded."""
    lines = [list(heading), *(list(row) for row in rows)]
    widths = [max(len(line[i]) if i < len(line) else 0 for line in lines) for i in range(max(len(line) for line in lines))]
    for line in lines:
        cells = [cell.ljust(widths[i] + 3) for i, cell in enumerate(line[:-1])]
        sys.stdout.write(("".join(cells) + line[-1]).rstrip() + "\n")


def dump(value: Any) -> str:
    """JSON as Go writes it: no spaces, map keys in order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
