"""From a commit to what `up` is given: the stack's files out of the tree, decrypted where they are encrypted, and what must be on disk.

Stack files, env files and includes go to the daemon as bytes. What a container mounts or a build reads has to be a file: it is laid out
under a name made from its content (`content`), so that a service is made anew just when what it mounts changed, and an older commit finds
its own files again. That is said to `up` by an override file of ours. A path that the repository lacks (a directory for data) is beneath
the source's own directory and stays.
"""

from __future__ import annotations

import asyncio
import base64
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composer.errors import SpecError
from composer.gitops.errors import Refused
from composer.gitops.git.tree import Entry, Tree
from composer.gitops.model import Source
from composer.gitops.opened import Open, Opened
from composer.gitops.override import Layout, override
from composer.gitops.stacks import Spot
from composer.spec.load import load
from composer.spec.model import Stack
from composer.spec.project import normalise
from composer.spec.read import DIRECTORY, MAX_ROUNDS, MISSING, Content, Need, Request

OVERRIDE = "composer-gitops.yml"
Seal = Callable[[bytes], str]


@dataclass(frozen=True)
class Desired:
    """``project``: for `up`; its secrets are sealed. ``layout``: what must be laid out first. ``hidden``: texts that are never shown."""

    commit: str
    stack: Stack
    project: Mapping[str, Any] = field(repr=False)
    layout: Layout
    hidden: tuple[str, ...] = field(default=(), repr=False)
    written: Stack | None = field(default=None, repr=False)  # as the files say it, before our override
    builds: bool = False


@dataclass(frozen=True)
class Places:
    """``tree``: the directory that the repository's root stands for; ``content``, ``secrets``: where files are laid out (disk, tmpfs)."""

    tree: Path
    content: Path
    secrets: Path


class Reader:
    """Answers a load's needs from a tree."""

    def __init__(self, tree: Tree, places: Places, opened: Open) -> None:
        self.tree = tree
        self.root = str(places.tree)
        self.files: dict[str, Opened] = {}
        self.contents: dict[str, Content] = {}
        self.hidden: set[str] = set()
        self._opened = opened

    def relative(self, path: str) -> str | None:
        """The path in the tree; None for one outside of it."""
        normal = posixpath.normpath(path)
        if normal == self.root:
            return ""
        return normal[len(self.root) + 1 :] if normal.startswith(self.root + "/") else None

    async def answer(self, paths: tuple[str, ...]) -> None:
        """Learn what is at these paths. Undecryptable, TooBig."""
        wanted: dict[str, Entry] = {}
        for path in paths:
            relative = self.relative(path)
            if relative is None:
                self.contents[path] = Content(problem="is outside of the repository, which a stack that follows git cannot read")
                continue
            found = self.tree.find(relative)
            if found.problem:
                self.contents[path] = Content(problem=found.problem)
            elif found.entry is None:
                self.contents[path] = MISSING
            elif found.entry.folder:
                self.contents[path] = DIRECTORY
            else:
                wanted[path] = found.entry
        blobs = await self.tree.read(wanted.values())
        for path, entry in wanted.items():
            self.put(path, self._opened(self.relative(path) or path, blobs[entry.oid]))

    def put(self, path: str, opened: Opened) -> None:
        self.files[path] = opened
        self.contents[path] = Content(data=opened.data)
        self.hidden.update(opened.values)


async def desired(source: Source, spot: Spot, tree: Tree, places: Places, opened: Open, seal: Seal) -> Desired:
    """What the stack at ``spot`` is at the tree's commit. SpecError, Refused, Undecryptable, TooBig."""
    reader = Reader(tree, places, opened)
    files = tuple(f"{reader.root}/{file}" for file in spot.files)
    name = source.stack if not spot.folder else ""
    request = _request(source, reader, files, name)
    found = await _load(reader, request)
    if not name and not spot.folder and found.name == normalise(posixpath.basename(posixpath.dirname(files[0]))):
        name = normalise(source.name)  # the file has no name of its own
        request = _request(source, reader, files, name)
        found = await _load(reader, request)
    written = found
    layout = Layout(places.content, places.secrets)
    text = await override(found, reader, layout)
    if text:
        ours = f"{posixpath.dirname(reader.root)}/{OVERRIDE}"
        reader.put(ours, Opened(text.encode()))
        layout.tell(reader)
        request = _request(source, reader, (*files, ours), name)
        found = await _load(reader, request)
    project = _wire(request, reader, seal)
    builds = any(service.build is not None for service in found.services.values())
    return Desired(tree.commit, found, project, layout, tuple(reader.hidden), written, builds)


def _request(source: Source, reader: Reader, files: tuple[str, ...], name: str) -> Request:
    """Relative paths stand on the first file's directory, also those of our override."""
    directory = posixpath.dirname(files[0])
    return Request(
        files=files,
        name=name,
        directory=directory,
        cwd=directory,
        profiles=source.profiles,
        env_files=tuple(f"{reader.root}/{path}" for path in source.env_files),
        environment=dict(source.env),
    )


async def _load(reader: Reader, request: Request) -> Stack:
    for _ in range(MAX_ROUNDS):
        answer = await asyncio.to_thread(load, request.with_contents(reader.contents))
        if isinstance(answer, Stack):
            return answer
        assert isinstance(answer, Need)
        await reader.answer(answer.paths)
    raise Refused("the stack's files ask for more files without end")


def _wire(request: Request, reader: Reader, seal: Seal) -> dict[str, Any]:
    return {
        "files": list(request.files),
        "name": request.name,
        "directory": request.directory,
        "cwd": request.cwd,
        "profiles": list(request.profiles),
        "env_files": list(request.env_files),
        "environment": dict(request.environment),
        "contents": {path: _content(path, content, reader, seal) for path, content in sorted(reader.contents.items())},
    }


def _content(path: str, content: Content, reader: Reader, seal: Seal) -> dict[str, Any]:
    if content.data is None:
        return {"directory": True} if content.directory else {"missing": True} if content.missing else {"problem": content.problem}
    if path in reader.files and reader.files[path].secret:
        return {"sealed": seal(content.data)}
    try:
        return {"text": content.data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content.data).decode()}


def problems(error: SpecError) -> tuple[str, ...]:
    """A spec's diagnostics, an item each."""
    return tuple(found.render() for found in error.diagnostics if found.severity == "error") or (error.message,)
