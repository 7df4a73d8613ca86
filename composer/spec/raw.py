"""The model without interpolation, for `config --no-interpolate` and `--variables`: half-way to long form, as docker compose prints it.

Values may hold `${...}`, so nothing is typed and no model is made; only what needs no parsing of values is lengthened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from composer.errors import Diagnostic
from composer.spec.convert import plain_data
from composer.spec.gather import Gathering, Place
from composer.spec.load import Options, name_from
from composer.spec.paths import carry_paths, resolve_paths
from composer.spec.problems import Problems
from composer.spec.project import frame
from composer.spec.read import Need, Request
from composer.spec.scalars import Timestamp
from composer.spec.shelf import Shelf
from composer.spec.short import FORMS, Form
from composer.spec.trace import Trace
from composer.spec.tree import MAPPING, SEQUENCE, Node
from composer.spec.trie import Trie, rewrite
from composer.spec.unresolved import complete, fill, list_merged

_LENGTHENED = (
    "services.*.build",
    "services.*.build.additional_contexts",
    "services.*.build.secrets.*",
    "services.*.build.ssh",
    "services.*.configs.*",
    "services.*.depends_on",
    "services.*.deploy.resources.reservations.devices.*",
    "services.*.develop.watch.*.ignore",
    "services.*.develop.watch.*.include",
    "services.*.devices.*",
    "services.*.dns",
    "services.*.env_file",
    "services.*.env_file.*",
    "services.*.gpus",
    "services.*.gpus.*",
    "services.*.label_file",
    "services.*.models",
    "services.*.networks",
    "services.*.secrets.*",
    "services.*.volumes.*",
    "networks.*",
    "volumes.*",
    "secrets.*",
    "configs.*",
)


def _find(path: str) -> Form:
    at: Trie[Form] | None = FORMS
    for step in path.split("."):
        at = (at.each if step == "*" else at.below.get(step)) if at is not None else None
    assert at is not None
    assert at.here is not None
    return at.here


_FORMS: Trie[Form] = Trie({path: _find(path) for path in _LENGTHENED})


@dataclass(frozen=True, slots=True)
class Raw:
    """`tree`: as the files say, merged. `data`: what is printed."""

    tree: Node
    data: dict[str, Any]
    warnings: tuple[Diagnostic, ...]


def raw_model(request: Request, options: Options) -> Raw | Need:
    """The merged files, variables left as they are. SpecError when they are wrong."""
    problems, shelf = Problems(), Shelf(request)
    found = frame(request, shelf, problems)
    if found is None:
        return Need(tuple(shelf.wanted))
    trace = Trace()
    gathering = Gathering(shelf, problems, interpolates=False, trace=trace)
    place = Place(found.base, found.environment)
    name = found.name or name_from(gathering, found, place, problems)
    tree = gathering.stack(found.files, place)
    if shelf.wanted:
        return Need(tuple(shelf.wanted))
    problems.raise_if_any()
    assert tree is not None  # else there was an error
    ignored = Problems()  # what cannot be read is likely a variable
    long = rewrite(tree, _FORMS, lambda node, form: form(node, ignored) or node)
    long = _lengthen_ports(long)
    long = resolve_paths(long) if options.resolves_paths else carry_paths(long, found.directory)
    data: dict[str, Any] = _printable(plain_data(long))
    complete(data)
    list_merged(data, trace)
    if options.normalises:
        data["name"] = name
        fill(data, name, found.environment)
    return Raw(tree, data, tuple(problems.warnings))


def _lengthen_ports(tree: Node) -> Node:
    """Lists of ports without any variable are lengthened; others stay as they are."""
    form = _find("services.*.ports")
    table: Trie[Form] = Trie({"services.*.ports": form})

    def lengthen(node: Node, form: Form) -> Node | None:
        if node.kind != SEQUENCE or any("$" in str(item.value) or item.kind == MAPPING for item in node.value):
            return node
        return form(node, Problems())

    return rewrite(tree, table, lengthen)


def _printable(value: Any) -> Any:
    if isinstance(value, Timestamp):
        return value.text
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value
