"""Where COPY, RUN --mount and FROM take files from: the context, named contexts, stages, images."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from composer.engine.ignore import Ignore
from composer.engine.local.build.problem import BuildProblem
from composer.engine.local.build.roots import Roots
from composer.engine.local.build.tree import Tree
from composer.engine.local.image.record import ImageRecord
from composer.engine.model import BuildConfig

IMAGE_CONTEXT = "docker-image://"


class Sources:
    """``image``: resolves a reference to an image, pulling it when it is not here. ``stage``: the chain ids of a stage, built."""

    def __init__(
        self,
        config: BuildConfig,
        roots: Roots,
        image: Callable[[str], Awaitable[ImageRecord]],
        stage: Callable[[str], Awaitable[Sequence[str] | None]],
    ) -> None:
        self._config, self._roots, self._image, self._stage = config, roots, image, stage

    def named_image(self, name: str) -> str | None:
        """The reference that a named context maps ``name`` to; None: no such context. A folder cannot be a base."""
        context = self._context(name)
        if context is None:
            return None
        if not context.startswith(IMAGE_CONTEXT):
            raise BuildProblem(f"the additional context {name!r} is a folder and cannot be used in FROM", hint=f"use {IMAGE_CONTEXT}IMAGE")
        return context.removeprefix(IMAGE_CONTEXT)

    def _context(self, name: str) -> str | None:
        contexts = self._config.additional_contexts
        return contexts.get(name) or contexts.get(name.removesuffix(":latest"))

    @asynccontextmanager
    async def open(self, origin: str) -> AsyncIterator[Tree]:
        """The tree that ``--from=origin`` means; "" is the build context. Raises BuildProblem."""
        if not origin:
            with open_context(Path(self._config.context), self._config.dockerfile) as tree:
                yield tree
            return
        context = self._context(origin)
        if context is not None and not context.startswith(IMAGE_CONTEXT):
            with open_context(Path(context), "") as tree:
                yield tree
            return
        chain_ids = None if context else await self._stage(origin)
        if chain_ids is None:
            chain_ids = (await self._image(context.removeprefix(IMAGE_CONTEXT) if context else origin)).chain_ids
        if not chain_ids:
            raise BuildProblem(f"{origin!r} has no files to copy from")
        async with self._roots.readable(chain_ids) as path:
            with Tree(path, own=True) as tree:
                yield tree


def open_context(folder: Path, dockerfile: str) -> Tree:
    """A folder as a context, with what its .dockerignore leaves out. ``dockerfile``.dockerignore beside the Dockerfile goes before it."""
    if not folder.is_dir():
        raise BuildProblem(f"unable to prepare context: path {str(folder)!r} not found", hint="is `context` a folder?")
    for name in ([f"{dockerfile}.dockerignore"] if dockerfile else []) + [".dockerignore"]:
        path = folder / name
        if path.is_file():
            return Tree(folder, Ignore(path.read_text(errors="replace").splitlines()))
    return Tree(folder)
