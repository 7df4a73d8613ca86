"""The files of one commit, read from the object store: never from a checkout, never through a link that leaves the tree.

A path is relative to the repository's root. Source: git-ls-tree(1), git-cat-file(1) "BATCH OUTPUT".
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from composer.gitops.errors import Refused, TooBig

FILE_MAX = 64 << 20  # bytes of one file
ENTRIES_MAX = 200_000
_LINKS = 40  # as the kernel counts
_READ_MAX = 512 << 20  # bytes of files that are read at once


class Objects(Protocol):
    """A repository whose objects can be read: a mirror, a checkout."""

    async def run(self, *words: str, stdin: bytes = b"", output: int = 128 << 20) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """``mode``: 100644, 100755, 120000 (link), 040000 (directory), 160000 (submodule)."""

    mode: str
    oid: str
    size: int = 0

    @property
    def link(self) -> bool:
        return self.mode == "120000"

    @property
    def folder(self) -> bool:
        return self.mode == "040000"

    @property
    def submodule(self) -> bool:
        return self.mode == "160000"

    @property
    def executable(self) -> bool:
        return self.mode == "100755"


@dataclass(frozen=True, slots=True)
class Found:
    """What a path leads to: an entry and its own path; or why not (``problem``; "" with no entry: it is missing)."""

    path: str
    entry: Entry | None = None
    problem: str = ""


class Tree:
    """`Tree.of(objects, commit)`, then `find` and `read`."""

    def __init__(self, objects: Objects, commit: str, entries: Mapping[str, Entry], links: Mapping[str, str]) -> None:
        self.commit = commit
        self.entries = entries
        self._objects = objects
        self._links = links

    @classmethod
    async def of(cls, objects: Objects, commit: str) -> Tree:
        """TooBig: it has too many entries."""
        out = await objects.run("ls-tree", "-r", "-t", "-z", "-l", "--full-tree", "--end-of-options", commit)
        entries: dict[str, Entry] = {}
        for line in out.split(b"\0"):
            if line:
                head, _, path = line.partition(b"\t")
                mode, _, oid, size = head.decode().split()
                entries[path.decode("utf-8", "surrogateescape")] = Entry(mode, oid, int(size) if size.isdigit() else 0)
        if len(entries) > ENTRIES_MAX:
            raise TooBig(f"commit {commit[:12]} has more than {ENTRIES_MAX} files")
        root = (await objects.run("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}")).decode().strip()
        entries[""] = Entry("040000", root)
        paths = {path: entry for path, entry in entries.items() if entry.link}
        texts = await read_blobs(objects, list(paths.values()))
        links = {path: texts[entry.oid].decode("utf-8", "surrogateescape") for path, entry in paths.items()}
        return cls(objects, commit, entries, links)

    def find(self, path: str) -> Found:
        """Follow ``path``, and links on the way, within the tree."""
        rest = [part for part in path.split("/") if part not in ("", ".")]
        at: list[str] = []
        followed = 0
        while rest:
            part = rest.pop(0)
            if part == "..":
                if not at:
                    return Found(path, problem="leads out of the repository")
                at.pop()
                continue
            here = "/".join([*at, part])
            entry = self.entries.get(here)
            if entry is None:
                return Found(here)
            if entry.submodule:
                return Found(here, problem="is in a submodule, and submodules are not followed")
            if entry.link:
                followed += 1
                target = self._links[here]
                if target.startswith("/") or followed > _LINKS:
                    return Found(path, problem="leads out of the repository" if target.startswith("/") else "is a link without end")
                rest = [one for one in target.split("/") if one not in ("", ".")] + rest
                continue
            if rest and not entry.folder:
                return Found(here)
            at.append(part)
        return Found("/".join(at), self.entries["/".join(at)])

    def target(self, path: str) -> str:
        """What the link at ``path`` says."""
        return self._links[path]

    def escapes(self, path: str) -> bool:
        """Whether the link at ``path`` leads out of the tree (or nowhere that could be told)."""
        return bool(self.find(path).problem)

    def below(self, path: str) -> dict[str, Entry]:
        """All entries beneath a directory, by their path from there."""
        head = f"{path}/" if path else ""
        return {name[len(head) :]: entry for name, entry in self.entries.items() if name and name.startswith(head)}

    def folders(self, path: str) -> list[str]:
        """The directories directly in ``path``."""
        return sorted(name for name, entry in self.below(path).items() if entry.folder and "/" not in name)

    async def read(self, entries: Iterable[Entry]) -> dict[str, bytes]:
        """Contents by object id. TooBig."""
        return await read_blobs(self._objects, list(entries))


async def read_blobs(objects: Objects, entries: Sequence[Entry]) -> dict[str, bytes]:
    """Contents by object id, in one run of git. TooBig: one file, or all together. Refused: an object is missing."""
    wanted = {entry.oid: entry for entry in entries}
    if not wanted:
        return {}
    for entry in wanted.values():
        if entry.size > FILE_MAX:
            raise TooBig(f"a file of the commit is larger than {FILE_MAX >> 20} MiB ({entry.size} bytes)")
    total = sum(entry.size for entry in wanted.values())
    if total > _READ_MAX:
        raise TooBig(f"the files that the stack needs are larger than {_READ_MAX >> 20} MiB together")
    out = await objects.run(
        "cat-file", "--batch", "--buffer", stdin="".join(f"{oid}\n" for oid in wanted).encode(), output=total + 256 * len(wanted) + 4096
    )
    found: dict[str, bytes] = {}
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        head = out[at:end].decode().split()
        if len(head) != 3:
            raise Refused(f"the mirror lacks the object {head[0]}", hint="composer gitops sync NAME fetches it again")
        size = int(head[2])
        found[head[0]] = out[end + 1 : end + 1 + size]
        at = end + 2 + size
    return found


def join(*parts: str) -> str:
    """A path in the tree, normal."""
    return posixpath.normpath(posixpath.join(*parts)).strip("/") if any(parts) else ""
