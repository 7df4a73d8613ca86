"""From a request's project to a Stack and its Resources, kept by content: a second `up` of the same files costs no parsing."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from composer.daemon.stack_api.project import Unseal, content_bytes, hash_of, without_strangers, words_of
from composer.daemon.stack_api.providers import with_provided
from composer.engine.errors import InvalidArgument
from composer.errors import ComposerError
from composer.reconcile.model import Ref, Resource
from composer.reconcile.precheck.places import marked
from composer.reconcile.render import Site, render
from composer.spec.isolate import isolate
from composer.spec.load import load
from composer.spec.model import Stack
from composer.spec.read import Content, Need, Request
from composer.spec.tree import Node

_KEPT = 64
_Rendered = tuple[Stack, dict[Ref, Resource], dict[str, ComposerError]]


class NeedFiles(ComposerError):
    """The client has to send these files, too."""

    code = "need-files"

    def __init__(self, paths: Collection[str]) -> None:
        super().__init__(f"more files are needed: {', '.join(paths)}")
        self.paths = tuple(paths)


@dataclass
class Loaded:
    """A stack as its files say, and what it renders to. ``project``: what to keep of the request."""

    stack: Stack
    project: Mapping[str, Any]
    site: Callable[[str], Site]
    _rendered: dict[frozenset[str], _Rendered] = field(default_factory=dict)

    def enabled(self, names: Collection[str]) -> Stack:
        """The stack with these switched on whatever their profiles."""
        extra = frozenset(name for name in names if name in self.stack.disabled_services)
        return self._rendered[extra][0] if extra in self._rendered else self.stack.enable(sorted(extra))

    def with_services(self, names: Collection[str]) -> tuple[Stack, dict[Ref, Resource]]:
        """The stack with these switched on whatever their profiles, and its resources (not to be changed).

        Raises ComposerError for what cannot be, when it concerns these (all, if there are none) or what they depend on.
        """
        extra = frozenset(name for name in names if name in self.stack.disabled_services)
        found = self._rendered.get(extra)
        if found is None:
            stack = self.stack.enable(sorted(extra))
            refused: dict[str, ComposerError] = {}
            found = self._rendered[extra] = (stack, render(stack, self.site(stack.name), refused), refused)
        if found[2]:
            for name in found[0].select(names).services:
                if name in found[2]:
                    raise found[2][name]
        return found[:2]


class Loader:
    """Loads projects; the latest are kept. ``site``: stack name -> what rendering needs beside it. ``unseal``: opens sealed contents."""

    def __init__(self, site: Callable[[str], Site], unseal: Unseal | None = None) -> None:
        self._site = site
        self._unseal = unseal
        self._words: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()

    async def load(self, project: Mapping[str, Any]) -> Loaded:
        """Raises NeedFiles, SpecError, InvalidArgument."""
        kept = without_strangers(project, self._words_of(project))
        key = hash_of(kept)
        found = self._loaded.get(key)
        if found is None:
            outcome = await asyncio.to_thread(load, request_of(kept, self._unseal))
            if isinstance(outcome, Need):
                raise NeedFiles(outcome.paths)
            if isinstance(isolation := kept.get("isolation"), dict):
                outcome = isolate(outcome, isolation.get("ports") or {})
            found = Loaded(with_provided(outcome, kept.get("provided")), kept, self._site)
            self._loaded[key] = found
            if len(self._loaded) > _KEPT:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(key)
        return found

    async def tree(self, loaded: Loaded) -> Node:
        """The files of a stack as a tree with marks, made anew."""
        found = await asyncio.to_thread(marked, request_of(loaded.project, self._unseal))
        if found is None:
            raise InvalidArgument("the stack's files are not complete")
        return found

    def _words_of(self, project: Mapping[str, Any]) -> frozenset[str]:
        key = hash_of({"contents": project.get("contents", {})})
        found = self._words.get(key)
        if found is None:
            found = self._words[key] = words_of(project, self._unseal)
            if len(self._words) > _KEPT:
                self._words.popitem(last=False)
        return found


def request_of(project: Mapping[str, Any], unseal: Unseal | None = None) -> Request:
    """The spec's request. Raises InvalidArgument."""
    contents = {path: _content(item, unseal) for path, item in (project.get("contents") or {}).items()}
    return Request(
        files=tuple(project.get("files") or ()),
        name=project.get("name") or "",
        directory=project.get("directory") or "",
        cwd=project.get("cwd") or "/",
        profiles=tuple(project.get("profiles") or ()),
        env_files=tuple(project.get("env_files") or ()),
        environment=dict(project.get("environment") or {}),
        contents=contents,
    )


def _content(item: Mapping[str, Any], unseal: Unseal | None) -> Content:
    data = content_bytes(item, unseal)
    problem = item.get("problem")
    return Content(data, bool(item.get("missing")), bool(item.get("directory")), problem if isinstance(problem, str) else "")
