"""Builds one image: reads the Dockerfile, builds the stages that the target needs (independent ones at once), records the image."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

from composer.engine.errors import NotFound
from composer.engine.local.build.cache import Cache, key_of
from composer.engine.local.build.dockerfile import Dockerfile, parse
from composer.engine.local.build.draft import Draft
from composer.engine.local.build.environment import Environment
from composer.engine.local.build.output import Output
from composer.engine.local.build.problem import BuildProblem
from composer.engine.local.build.roots import Roots
from composer.engine.local.build.run import Runner
from composer.engine.local.build.sources import Sources
from composer.engine.local.build.stages import Recipe, Stage, plan_stages, sources_of
from composer.engine.local.build.steps import Bench, Steps, now, triggers
from composer.engine.local.image import reference as references
from composer.engine.local.image.blobs import Blobs, Lease
from composer.engine.local.image.record import ImageRecord
from composer.engine.local.image.store import ImageStore
from composer.engine.local.layout import Layout
from composer.engine.model import BuildConfig, Progress

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "riscv64": "riscv64", "ppc64le": "ppc64le", "s390x": "s390x"}
Pull = Callable[[str], AsyncIterator[Progress]]


class Builder:
    """Builds images; any number at a time. ``pull``: fetches an image that is not here."""

    def __init__(self, layout: Layout, store: ImageStore, blobs: Blobs, roots: Roots, cache: Cache, runner: Runner, pull: Pull) -> None:
        self._layout, self._store, self._blobs, self._roots = layout, store, blobs, roots
        self._cache, self._runner, self._pull = cache, runner, pull

    def build(self, config: BuildConfig) -> AsyncIterator[Progress]:
        """Lines of progress, at the end ``aux`` {"ID": image id}. Raises BuildProblem with the Dockerfile's line."""
        output = Output()
        return output.follow(self._build(config, output))

    async def _build(self, config: BuildConfig, output: Output) -> str:
        names = [references.parse(tag) for tag in config.tags]
        dockerfile = await asyncio.to_thread(read_dockerfile, config)
        recipe = plan_stages(dockerfile, config.args, platform_args(config.platform))
        target = recipe.target(config.target)
        with self._blobs.lease() as lease:
            build = _Build(self, config, recipe, output, lease)
            draft = await build.run(target)
            created = draft.history[-1]["created"] if draft.history else now()
            record = await self._store.put(draft.encode(created, dict(config.labels)), self._roots.layers(draft.chain_ids), tags=names)
        for name in names:
            await output.say(f"naming to {name.with_default_tag()}")
        return record.id

    async def image(self, ref: str, output: Output, *, always: bool = False) -> ImageRecord:
        """An image by reference, pulled when it is missing, or always."""
        if not always:
            try:
                return self._store.resolve(ref)
            except NotFound:
                await output.say(f"{ref} is not here: pulling it")
        async for progress in self._pull(ref):
            await output.tell(progress)
        return self._store.resolve(ref)

    def bench(self, config: BuildConfig, recipe: Recipe, sources: Sources, output: Output, lease: Lease) -> Bench:
        file = recipe.dockerfile
        return Bench(config, self._roots, self._cache, self._runner, sources, output, lease, file.escape, file.name, self._layout.temporary)

    def sources(self, config: BuildConfig, output: Output, stage: Callable[[str], Awaitable[Sequence[str] | None]]) -> Sources:
        return Sources(config, self._roots, lambda ref: self.image(ref, output), stage)


class _Build:
    """The stages of one build, each built once however many need it."""

    def __init__(self, builder: Builder, config: BuildConfig, recipe: Recipe, output: Output, lease: Lease) -> None:
        self._builder, self._config, self._recipe, self._output = builder, config, recipe, output
        self._drafts: dict[int, asyncio.Task[tuple[Draft, str]]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._sources = builder.sources(config, output, self._stage_named)
        self._bench = builder.bench(config, recipe, self._sources, output, lease)

    async def run(self, target: Stage) -> Draft:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                draft, _ = await self._stage(target.index)
        except BaseExceptionGroup as problems:
            raise _first(problems) from None
        return draft

    def _stage(self, index: int) -> asyncio.Task[tuple[Draft, str]]:
        assert self._group is not None
        if index not in self._drafts:
            self._drafts[index] = self._group.create_task(self._make(self._recipe.stages[index]))
        return self._drafts[index]

    async def _stage_named(self, name: str) -> Sequence[str] | None:
        stage = self._recipe.find(name)
        if stage is None:
            return None
        draft, _ = await self._stage(stage.index)
        return draft.chain_ids

    async def _make(self, stage: Stage) -> tuple[Draft, str]:
        for item in stage.instructions:  # begun now, awaited where they are used
            for name in sources_of(item):
                needed = self._recipe.find(name, before=stage.index)
                if needed is not None:
                    self._stage(needed.index)
        draft, key = await self._base(stage)
        environment = Environment(self._config.args, {**platform_args(self._config.platform), **self._recipe.globals}, draft.environment())
        label = f"{stage.name} " if stage.name else ""
        steps = Steps(self._bench, draft, environment, key, label)
        await steps.apply([*triggers(draft), *stage.instructions])
        return steps.draft, steps.key

    async def _base(self, stage: Stage) -> tuple[Draft, str]:
        if stage.parent is not None:
            draft, key = await self._stage(stage.parent)
            copy = draft.copy()
            copy.cmd_here = False
            return copy, key_of("stage", key)
        if stage.base.lower() == "scratch":
            return Draft.scratch(architecture()), key_of("scratch")
        try:
            ref = self._sources.named_image(stage.base) or stage.base
            record = await self._builder.image(ref, self._output, always=self._config.pull)
        except BuildProblem as problem:
            raise problem.located(stage.origin.line, stage.origin.source, self._recipe.dockerfile.name) from problem
        self._bench.lease.update(record.chain_ids)
        return Draft.based_on(dict(record.config), list(record.chain_ids)), key_of("image", record.id)


def _first(problems: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first of the failures, which the others follow from."""
    error: BaseException = problems
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def read_dockerfile(config: BuildConfig) -> Dockerfile:
    """The Dockerfile of the context, or the inline one."""
    if config.dockerfile_inline:
        return parse(config.dockerfile_inline, "dockerfile_inline")
    name = config.dockerfile or "Dockerfile"
    path = Path(config.context) / name
    try:
        return parse(path.read_text(encoding="utf-8", errors="surrogateescape"), name)
    except FileNotFoundError as error:
        raise BuildProblem(
            f"failed to read dockerfile: open {name}: no such file or directory", hint=f"looked in {config.context}"
        ) from error
    except OSError as error:
        raise BuildProblem(f"failed to read dockerfile {path}: {error.strerror}") from error


def architecture() -> str:
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def platform_args(wanted: str) -> dict[str, str]:
    """The automatic platform ARGs; another platform than this machine's is refused."""
    own = f"linux/{architecture()}"
    if wanted and wanted != own and not wanted.startswith(own + "/"):
        raise BuildProblem(f"building for {wanted} on {own} is not there yet in this builder")
    found: dict[str, str] = {}
    for prefix in ("BUILD", "TARGET"):
        found |= {f"{prefix}PLATFORM": own, f"{prefix}OS": "linux", f"{prefix}ARCH": architecture(), f"{prefix}VARIANT": ""}
    return found
