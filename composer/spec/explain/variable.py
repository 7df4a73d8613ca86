"""`config --explain-variable NAME`: the sources of a variable, which one wins, and every place that uses it.

It works on files that are wrong in other ways, too: a variable that is missing is what one wants to have explained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from composer.errors import ComposerError
from composer.spec.explain.origin import files_of
from composer.spec.explain.route import Path, shown
from composer.spec.explain.study import Study, is_null, study
from composer.spec.explain.text import inline, origin_data, origin_text, place
from composer.spec.explain.uses import Use, uses
from composer.spec.explain.variables import EnvFile, Origin
from composer.spec.interpolate import variables
from composer.spec.problems import did_you_mean
from composer.spec.read import Need, Request
from composer.spec.scalars import text_of
from composer.spec.tree import MAPPING, SCALAR, Node

PREDEFINED = {
    "COMPOSE_FILE": "names the stack files when no -f does",
    "COMPOSE_PATH_SEPARATOR": "separates the files in COMPOSE_FILE",
    "COMPOSE_PROJECT_NAME": "names the stack when no -p does",
    "COMPOSE_PROFILES": "names the active profiles when no --profile does",
    "COMPOSE_ENV_FILES": "names the env files when no --env-file does",
    "COMPOSE_DISABLE_ENV_FILE": "leaves .env unread",
    "HOME": "stands for ~ in paths",
}


@dataclass(frozen=True, slots=True)
class UsedAt:
    """One use, and where in the model's terms (`services.web.ports[0]`, or the name of an env file)."""

    use: Use
    where: str
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """`origins`: the first wins, for the stack's own files; `included`: further ones that only included files see."""

    name: str
    study: Study
    origins: tuple[Origin, ...]
    included: tuple[Origin, ...]
    without: tuple[EnvFile, ...]
    used: tuple[UsedAt, ...]


class NoSuchVariable(ComposerError):
    """Nothing sets the variable and nothing uses it."""

    code = "spec.no-such-variable"


def explain_variable(request: Request, name: str) -> Variable | Need:
    """Need: call again with those contents. SpecError: no stack file could be read. NoSuchVariable: it is set and used nowhere."""
    done = study(request)
    if isinstance(done, Need):
        return done
    env_files = [*done.variables.files, *(file for one in done.variables.trace.included for file in done.variables.included(one.lookup))]
    everywhere = list(_everywhere(done, env_files))
    if done.shelf.wanted:
        return Need(tuple(done.shelf.wanted))
    used = [one for one in everywhere if one.use.name == name]
    origins = done.variables.sources(name, done.frame.environment)
    included = [o for one in done.variables.trace.included for o in done.variables.sources(name, one.lookup) if not _known(o, origins)]
    if not used and not origins and not included and name not in PREDEFINED:
        known = {*(one.use.name for one in everywhere), *(key for file in env_files for key in file.places), *request.environment}
        message = f"the variable {name} is set nowhere, and nothing uses it"
        raise NoSuchVariable(message, hint=_inside(done, name) or did_you_mean(name, sorted(known)) or None)
    without = [file for file in env_files if name not in file.places]
    return Variable(name, done, tuple(origins), tuple(_once(included)), tuple(without), tuple(used))


def _inside(done: Study, name: str) -> str:
    """A hint for a variable that stack files do not see, but containers do."""
    for service, node in (done.tree.get("services") or done.tree).items():
        own = node.get("environment")
        if (own is not None and own.get(name) is not None) or any(name in places for _, places in files_of(done, service, "env_file")):
            where = shown(("services", service, "environment", name))
            return f"the containers of '{service}' have it: --explain {where}"
    return ""


def _known(origin: Origin, others: list[Origin]) -> bool:
    return any(origin.kind == one.kind and _at(origin) == _at(one) for one in others)


def _at(origin: Origin) -> str:
    return str(origin.place.mark) if origin.place is not None else ""


def _once(origins: list[Origin]) -> list[Origin]:
    return list({(one.kind, _at(one)): one for one in origins}.values())


def _everywhere(done: Study, env_files: list[EnvFile]) -> Iterator[UsedAt]:
    for document in done.documents:
        yield from _in_tree(document, ())
    seen: set[str] = set()
    for file in env_files:
        if file.path not in seen:
            seen.add(file.path)
            yield from _in_places(file.places, file.shown)
    services = done.tree.get("services")
    for service in services.value if services is not None and services.kind == MAPPING else ():
        for attribute in ("env_file", "label_file"):
            for entry, places in files_of(done, service, attribute):
                yield from _in_places(places, f"{attribute} of the service '{service}', {entry.mark}")


def _in_places(places: dict[str, Node], where: str) -> Iterator[UsedAt]:
    for node in places.values():
        for use in uses(node):
            yield UsedAt(use, where)


def _in_tree(node: Node, path: Path) -> Iterator[UsedAt]:
    if node.kind == SCALAR:
        for use in uses(node):
            yield UsedAt(use, shown(path))
        yield from _passed(node, path)
        return
    for step, child in node.value.items() if node.kind == MAPPING else enumerate(node.value):
        yield from _in_tree(child, (*path, step))


def _passed(node: Node, path: Path) -> Iterator[UsedAt]:
    """Variables that are passed on by name: `environment: [NAME]`, `NAME:` and `environment: NAME` of secrets and configs."""
    steps = [str(step) for step in path]
    name = ""
    if len(path) == 3 and steps[0] in ("secrets", "configs") and steps[2] == "environment":
        name = text_of(node.value)
    elif steps[:1] == ["services"] and (steps[2:3] == ["environment"] or steps[2:4] == ["build", "args"]):
        last = path[-1]
        if isinstance(last, str) and is_null(node):
            name = last
        elif isinstance(last, int) and "=" not in text_of(node.value) and not list(variables(node.raw)):
            name = text_of(node.value)
    if name:
        value = node.source.lookup.get(name)
        yield UsedAt(Use(name, name, node, value, "" if value is not None else "it is set nowhere"), shown(path), by_name=True)


def variable_text(found: Variable) -> str:
    """For people."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Variable) -> Iterator[str]:
    name = found.name
    if found.origins:
        yield f"{name} = {inline(found.origins[0].value)}, from {origin_text(found.origins[0])}"
    else:
        yield f"{name} is not set" + (" for the stack's own files" if found.included else "")
    if name in PREDEFINED:
        yield f"it {PREDEFINED[name]}"
    yield ""
    yield "sources, the strongest first:"
    yield from _sources(found)
    yield ""
    yield f"used at {len(found.used)} place{'' if len(found.used) == 1 else 's'}:" if found.used else "used nowhere"
    for one in found.used:
        yield f"  {one.use.node.mark}  {one.where}"
        result = inline(one.use.result) if one.use.result is not None else one.use.problem
        way = "passed on by its name: " if one.by_name else f"{one.use.expression} = "
        yield f"      {way}{result}" + (" (the default in the file)" if one.use.defaulted else "")


def _sources(found: Variable) -> Iterator[str]:
    for number, origin in enumerate(found.origins):
        yield f"  {'*' if number == 0 else ' '} {origin_text(origin)}: {inline(origin.value)}" + (
            f"  ({_why(found, origin)})" if number == 0 else "  (overridden)"
        )
    for origin in found.included:
        mark, lost = (" ", "; overridden") if found.origins else ("*", "")
        yield f"  {mark} {origin_text(origin)}: {inline(origin.value)}  (for the files of that include alone{lost})"
    if found.name not in found.study.request.environment:
        yield "    shell environment: not set"
    for file in found.without:
        yield f"    {file.shown} ({file.kind}): " + ("no such file" if file.missing else "does not set it")
    for expression in dict.fromkeys(one.use.expression for one in found.used if one.use.defaulted):
        yield f"  {' ' if found.origins else '*'} the default in {expression}"


def _why(found: Variable, origin: Origin) -> str:
    if origin.kind == "shell environment":
        return "wins: the shell's environment comes before every file"
    if origin.place is None:
        return "wins: composer sets it"
    several = sum(one.kind == origin.kind for one in found.origins) > 1
    return "wins: of several env files the last one counts" if several else "wins: the shell does not set it"


def variable_data(found: Variable) -> dict[str, Any]:
    """For JSON."""
    return {
        "name": found.name,
        "value": found.origins[0].value if found.origins else None,
        "sources": [{**origin_data(one), "wins": number == 0} for number, one in enumerate(found.origins)],
        "included": [origin_data(one) for one in found.included],
        "not_set_in": [{"kind": file.kind, "file": file.shown, "missing": file.missing} for file in found.without],
        "uses": [_use(one) for one in found.used],
    }


def _use(one: UsedAt) -> dict[str, Any]:
    use = one.use
    said = {"expression": use.expression, "result": use.result, "problem": use.problem, "defaulted": use.defaulted, "by_name": one.by_name}
    return {"path": one.where, **place(use.node), **said}
