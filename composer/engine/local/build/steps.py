"""One stage, step by step: what an instruction does to the draft and to the files, taken from the cache where its key is known."""

from __future__ import annotations

import asyncio
import os
import posixpath
import shlex
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from composer.engine.ignore import Ignore
from composer.engine.local.build.cache import Cache, Step, key_of
from composer.engine.local.build.copying import Copy, digest_sources, find_sources, perform, read_copy
from composer.engine.local.build.dockerfile import Instruction, parse
from composer.engine.local.build.download import fetch
from composer.engine.local.build.draft import Draft
from composer.engine.local.build.environment import Environment
from composer.engine.local.build.metadata import METADATA, command_line
from composer.engine.local.build.output import Output
from composer.engine.local.build.place import Owner, make_directory
from composer.engine.local.build.problem import BuildProblem
from composer.engine.local.build.roots import Root, Roots
from composer.engine.local.build.run import Command, Runner
from composer.engine.local.build.runmount import read_mounts
from composer.engine.local.build.sources import Sources
from composer.engine.local.build.stages import arg_declarations
from composer.engine.local.build.tree import Tree
from composer.engine.local.image.blobs import Lease
from composer.engine.local.runtime import users
from composer.engine.model import BuildConfig

Work = Callable[[Root], Awaitable[None]]


@dataclass
class Bench:
    """What the steps of one build share."""

    config: BuildConfig
    roots: Roots
    cache: Cache
    runner: Runner
    sources: Sources
    output: Output
    lease: Lease
    escape: str
    file: str
    temporary: Path


class Steps:
    """Applies instructions to ``draft``. ``key``: the digest of all that led to its present state."""

    def __init__(self, bench: Bench, draft: Draft, environment: Environment, key: str, label: str) -> None:
        self.bench, self.draft, self.environment, self.key, self.label = bench, draft, environment, key, label

    async def apply(self, items: list[Instruction]) -> None:
        """Raises BuildProblem at the instruction's line."""
        for number, item in enumerate(items, 1):
            title = f"[{self.label}{number}/{len(items)}] {item}"
            try:
                await self._one(item, title)
            except BuildProblem as problem:
                raise problem.located(item.line, item.source, self.bench.file) from problem

    async def _one(self, item: Instruction, title: str) -> None:
        if item.keyword == "ARG":
            for name, default in arg_declarations(item, self.environment.values, self.bench.escape):
                self.environment.declare(name, default)
            return
        if item.keyword == "RUN":
            await self._run(item, title)
        elif item.keyword in ("COPY", "ADD"):
            await self._copy(item, title)
        else:
            await self._configure(item, title)

    async def _configure(self, item: Instruction, title: str) -> None:
        METADATA[item.keyword](self.draft, item, self.environment.values, self.bench.escape)
        self.environment.env = self.draft.environment()
        self.key = key_of(self.key, item.keyword, self.draft.config, self.draft.author)
        if item.keyword == "WORKDIR":
            await self._layered(title, str(item), self._make_workdir)
            return
        known = None if self.bench.config.no_cache else self.bench.cache.get(self.key)
        step = known or Step(now())
        if known is None:
            await self.bench.cache.put(self.key, step)
        self.draft.record(step.created, str(item))

    async def _make_workdir(self, root: Root) -> None:
        await asyncio.to_thread(with_root, root, lambda fd: make_directory(fd, self.draft.workdir, Owner()))

    async def _run(self, item: Instruction, title: str) -> None:
        mounts = read_mounts(item, self.environment.values, self.bench.escape)
        if item.flag("security") not in ("", "sandbox", "insecure"):
            raise BuildProblem(f"unknown --security={item.flag('security')}", hint="sandbox or insecure")
        args = run_line(self.draft, item)
        read = [await self._mount_digest(wish.origin, wish.source) for wish in mounts if wish.kind == "bind"]
        self.key = key_of(self.key, "RUN", args, self.environment.for_key(), [m.__repr__() for m in mounts], read, item.flag("network"))
        command = Command(
            args,
            self.environment.for_run(),
            self.draft.user,
            self.draft.workdir,
            mounts,
            item.flag("network"),
            item.flag("security") == "insecure",
        )

        async def work(root: Root) -> None:
            code = await self.bench.runner.run(command, root, self.bench.config, self.bench.sources, self.bench.output)
            if code:
                raise BuildProblem(f'process "{shlex.join(args)}" did not complete successfully: exit code: {code}')

        created_by = f"RUN {shlex.join(args[:2])} {' '.join(args[2:])} # buildkit" if item.words is None else f"RUN {shlex.join(args)}"
        await self._layered(title, created_by, work)

    async def _mount_digest(self, origin: str, source: str) -> str:
        async with self.bench.sources.open(origin) as tree:
            try:
                return await asyncio.to_thread(tree.digest, source.strip("/"))
            except FileNotFoundError as error:
                raise BuildProblem(f'"/{source.strip("/")}" not found for --mount=type=bind') from error

    async def _copy(self, item: Instruction, title: str) -> None:
        copy = read_copy(item, self.draft.workdir, self.environment.values, self.bench.escape)
        async with AsyncExitStack() as stack:
            tree: Tree | None = None
            found: list[str] = []
            digests: list[tuple[str, str]] = []
            if copy.sources:
                tree = await stack.enter_async_context(self.bench.sources.open(item.flag("from")))
                if copy.exclude:
                    tree.ignore = Ignore([*tree.ignore.lines, *copy.exclude])
                found = await asyncio.to_thread(find_sources, copy, tree)
                digests = await asyncio.to_thread(digest_sources, tree, found)
            downloads = await self._downloads(copy, stack)
            fetched = [await asyncio.to_thread(_file_digest, path) for path in downloads.values()]
            self.key = key_of(self.key, item.keyword, copy.words(), digests, fetched)

            async def work(root: Root) -> None:
                def put() -> None:
                    owner = _owner(root, copy)
                    with_root(root, lambda fd: perform(copy, tree, found, downloads, fd, owner))

                await asyncio.to_thread(put)

            await self._layered(title, f"{item} # buildkit", work)

    async def _downloads(self, copy: Copy, stack: AsyncExitStack) -> Mapping[str, Path]:
        found: dict[str, Path] = {}
        for url in copy.urls:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="build-add-", dir=self.bench.temporary)))
            found[url] = await fetch(url, folder, copy.checksum)
        return found

    async def _layered(self, title: str, created_by: str, work: Work) -> None:
        """Do the work in a root of its own and take what changed as a layer, unless the cache knows this key."""
        bench = self.bench
        known = None if bench.config.no_cache else bench.cache.get(self.key)
        if known is not None and (not known.chain_id or bench.roots.has(known.chain_id)):
            bench.lease.update(filter(None, (known.chain_id, known.diff_id)))
            await bench.output.say(f"{title}\nCACHED")
            self.draft.record(known.created, created_by, diff_id=known.diff_id, chain_id=known.chain_id)
            self.key = key_of(self.key, known.chain_id)
            return
        await bench.output.say(title)
        async with bench.roots.writable(self.draft.chain_ids) as root:
            await work(root)
            layer = await bench.roots.commit(root, self.draft.chain_ids, bench.lease)
        step = Step(now(), layer.diff_id, layer.chain_id) if layer else Step(now())
        await bench.cache.put(self.key, step)
        self.draft.record(step.created, created_by, diff_id=step.diff_id, chain_id=step.chain_id)
        self.key = key_of(self.key, step.chain_id)  # what stands on this layer stands on no other, made by the same words elsewhere


def triggers(draft: Draft) -> list[Instruction]:
    """The ONBUILD instructions of the base, taken out of the draft: they are done now."""
    lines = draft.config.pop("OnBuild", None) or []
    return [item for line in lines for item in parse(line).instructions]


def run_line(draft: Draft, item: Instruction) -> list[str]:
    """The words of RUN; a heredoc that stands alone is the script itself, else it belongs to the shell's command."""
    if not item.heredocs:
        return command_line(draft, item)
    first = item.heredocs[0]
    alone = len(item.heredocs) == 1 and item.text.replace("'", "").replace('"', "").strip() in (f"<<{first.name}", f"<<-{first.name}")
    if alone:
        if first.content.startswith("#!"):
            return [
                "/bin/sh",
                "-c",
                f"f=$(mktemp) && cat >$f <<'{first.name}' && chmod +x $f && $f; r=$?; rm -f $f; exit $r\n{first.content}{first.name}\n",
            ]
        return [*draft.shell, first.content]
    bodies = "".join(f"{h.content}{h.name}\n" for h in item.heredocs)
    return [*draft.shell, f"{item.text}\n{bodies}"]


def with_root(root: Root, work: Callable[[int], None]) -> None:
    """Call ``work`` with an fd of the root."""
    fd = os.open(root.rootfs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        work(fd)
    finally:
        os.close(fd)


def _owner(root: Root, copy: Copy) -> Owner | None:
    if not copy.chown:
        return None
    name, _, group = copy.chown.partition(":")
    user = users.lookup(root.rootfs, f"{name}:{group}" if group else name)
    return Owner(user.uid, user.gid if group else user.uid)


def _file_digest(path: Path) -> str:
    with Tree(path.parent) as tree:
        return tree.digest(posixpath.basename(str(path)))


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
