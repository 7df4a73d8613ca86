"""Instructions -> stages, and which of them the target needs. Pure.

A *stage* begins with FROM; its *base* is an earlier stage, a named context, an image, or ``scratch``. It *needs* the stages that it
builds on, copies from (``COPY --from``) or mounts (``RUN --mount=from=``).
Source: Dockerfile reference, "FROM", "ARG" (scope), "Automatic platform ARGs".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from composer.engine.local.build.dockerfile import Dockerfile, Instruction
from composer.engine.local.build.problem import BuildProblem
from composer.engine.local.build.words import expand

_FROM = re.compile(r"(\S+)(?:\s+[Aa][Ss]\s+(\S+))?\s*$")
_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*$")


@dataclass(frozen=True, slots=True)
class Stage:
    """``base``: the expanded name after FROM; ``parent``: the index of the stage that it is, or None (an image or a context)."""

    index: int
    name: str
    base: str
    parent: int | None
    platform: str
    origin: Instruction
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """All stages; ``globals``: the values of the ARGs before the first FROM."""

    stages: tuple[Stage, ...]
    globals: Mapping[str, str]
    dockerfile: Dockerfile

    def find(self, name: str, before: int | None = None) -> Stage | None:
        """The stage called so (names are case-insensitive), or with that number; the last one of the name before ``before``."""
        within = self.stages[:before]
        if name.isdigit():
            return within[int(name)] if int(name) < len(within) else None
        return next((s for s in reversed(within) if s.name == name.lower()), None)

    def target(self, name: str) -> Stage:
        if not name:
            return self.stages[-1]
        found = self.find(name)
        if not found:
            raise BuildProblem(
                f'target stage "{name}" could not be found', hint=f"stages: {', '.join(s.name for s in self.stages if s.name)}"
            )
        return found


@dataclass
class _Draft:
    index: int
    name: str
    base: str
    parent: int | None
    platform: str
    origin: Instruction
    instructions: list[Instruction] = field(default_factory=list)


def plan_stages(dockerfile: Dockerfile, args: Mapping[str, str | None], platform_args: Mapping[str, str]) -> Recipe:
    """``args``: the build arguments given; they override the defaults of the global ARGs. Raises BuildProblem."""
    values: dict[str, str] = dict(platform_args)
    declared: dict[str, str] = {}
    drafts: list[_Draft] = []
    for item in dockerfile.instructions:
        try:
            if item.keyword == "FROM":
                drafts.append(_from(item, len(drafts), {**values, **declared}, drafts, dockerfile.escape))
            elif drafts:
                drafts[-1].instructions.append(item)
            elif item.keyword == "ARG":
                declared |= _global_arg(item, args, {**values, **declared}, dockerfile.escape)
            else:
                raise BuildProblem(f"no build stage in current context: {item.keyword} stands before the first FROM")
        except BuildProblem as problem:
            raise problem.located(item.line, item.source, dockerfile.name) from problem
    if not drafts:
        raise BuildProblem("no build stage in the Dockerfile", hint="it needs a FROM")
    stages = tuple(Stage(d.index, d.name, d.base, d.parent, d.platform, d.origin, tuple(d.instructions)) for d in drafts)
    return Recipe(stages, declared, dockerfile)


def _from(item: Instruction, index: int, values: Mapping[str, str], before: list[_Draft], escape: str) -> _Draft:
    match = _FROM.match(item.text)
    if not match:
        raise BuildProblem("FROM requires either one argument, or three: FROM <source> AS <name>")
    base, name = expand(match[1], values, escape), (match[2] or "").lower()
    if not base:
        raise BuildProblem(f"base name ({match[1]}) should not be blank", hint="give the ARG a default before FROM, or a --build-arg")
    if name and not _STAGE_NAME.match(name):
        raise BuildProblem(f'invalid name for build stage: "{match[2]}", name can\'t start with a number or contain symbols')
    parent = next((d.index for d in reversed(before) if d.name and d.name == base.lower()), None)
    return _Draft(index, name, base, parent, expand(item.flag("platform"), values, escape), item)


def _global_arg(item: Instruction, args: Mapping[str, str | None], values: Mapping[str, str], escape: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, default in arg_declarations(item, {**values, **found}, escape):
        given = args.get(name)
        if given is not None:
            found[name] = given
        elif default is not None:
            found[name] = default
    return found


def arg_declarations(item: Instruction, values: Mapping[str, str], escape: str) -> list[tuple[str, str | None]]:
    """The names that an ARG declares, with their expanded defaults (None: none)."""
    from composer.engine.local.build.words import split

    out: list[tuple[str, str | None]] = []
    for word in split(item.text, escape):
        name, equals, default = word.partition("=")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise BuildProblem(f"ARG {word}: {name!r} is no name of a variable")
        out.append((name, expand(default, values, escape) if equals else None))
    return out


def sources_of(item: Instruction) -> list[str]:
    """The ``from`` names of an instruction: of COPY --from and of RUN --mount."""
    if item.keyword == "ONBUILD":
        return []
    names = item.all("from")
    for mount in item.all("mount"):
        names += [value for key, _, value in (part.partition("=") for part in mount.split(",")) if key == "from"]
    return names
