"""COPY and ADD: what they name, the key of it, and how it is put in place.

Source: Dockerfile reference, "COPY", "ADD".
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from composer.engine.errors import EngineError
from composer.engine.local.archive import ExtractOptions, extract, plain
from composer.engine.local.build.dockerfile import Heredoc, Instruction
from composer.engine.local.build.place import Owner, Placement, make_directory, place, write_file
from composer.engine.local.build.problem import BuildProblem
from composer.engine.local.build.tree import Tree
from composer.engine.local.build.words import expand, expand_words


@dataclass(frozen=True)
class Copy:
    """An expanded COPY or ADD. ``sources``: patterns; ``urls``: of ADD; ``destination``: absolute, as written (a last ``/`` counts)."""

    sources: tuple[str, ...]
    destination: str
    heredocs: tuple[tuple[str, bytes], ...] = ()
    urls: tuple[str, ...] = ()
    chown: str = ""
    mode: int | None = None
    parents: bool = False
    unpack: bool = False
    exclude: tuple[str, ...] = ()
    checksum: str = ""

    def words(self) -> tuple[object, ...]:
        """What of it counts for the cache, beside the files' content."""
        heredocs = [(name, hashlib.sha256(content).hexdigest()) for name, content in self.heredocs]
        return (self.destination, heredocs, self.urls, self.chown, self.mode, self.parents, self.unpack, self.exclude, self.checksum)


def read_copy(item: Instruction, workdir: str, values: Mapping[str, str], escape: str) -> Copy:
    """Raises BuildProblem (without a place) for flags and arguments that do not fit."""
    words = [expand(w, values, escape) for w in item.words] if item.words is not None else expand_words(item.text, values, escape)
    if len(words) < 2:
        raise BuildProblem(
            f"{item.keyword} requires at least two arguments, the last one the destination, but only {len(words)} were given"
        )
    if item.flag("keep-git-dir"):
        raise BuildProblem("ADD from a git repository is not there yet in this builder", hint="clone it, and COPY the folder")
    *names, destination = words
    heredocs = {f"<<{'-' if h.chomp else ''}{h.name}": h for h in item.heredocs}
    sources = [n for n in names if _heredoc(n, heredocs) is None]
    urls = tuple(s for s in sources if item.keyword == "ADD" and "://" in s)
    if any(url.startswith(("git://", "git@", "ssh://")) or url.endswith(".git") for url in urls):
        raise BuildProblem("ADD from a git repository is not there yet in this builder", hint="clone it, and COPY the folder")
    full = posixpath.join(workdir, destination)
    return Copy(
        sources=tuple(s for s in sources if s not in urls),
        destination=posixpath.normpath(full) + ("/" if destination.endswith(("/", "/.")) or destination == "." else ""),
        heredocs=tuple((h.name, _content(h, values, escape)) for n in names if (h := _heredoc(n, heredocs))),
        urls=urls,
        chown=expand(item.flag("chown"), values, escape),
        mode=_mode(expand(item.flag("chmod"), values, escape)),
        parents=item.flag("parents") == "true",
        unpack=item.keyword == "ADD" and item.flag("unpack", "true") == "true",
        exclude=tuple(expand(e, values, escape) for e in item.all("exclude")),
        checksum=expand(item.flag("checksum"), values, escape),
    )


def _heredoc(word: str, heredocs: Mapping[str, Heredoc]) -> Heredoc | None:
    return heredocs.get(word.replace('"', "").replace("'", ""))


def _content(heredoc: Heredoc, values: Mapping[str, str], escape: str) -> bytes:
    if not heredoc.expand:
        return heredoc.content.encode()
    lines = heredoc.content.split("\n")
    return "\n".join(_expand_line(line, values, escape) for line in lines).encode()


def _expand_line(line: str, values: Mapping[str, str], escape: str) -> str:
    """Variables are replaced as in double quotes; quotes themselves stay."""
    quoted = line.replace('"', f'{escape}"')
    return expand(f'"{quoted}"', values, escape)


def _mode(text: str) -> int | None:
    if not text:
        return None
    try:
        mode = int(text, 8)
    except ValueError as error:
        raise BuildProblem(f"--chmod={text}: an octal mode is wanted, as in 0755") from error
    if not 0 <= mode <= 0o7777:
        raise BuildProblem(f"--chmod={text} is out of range")
    return mode


def find_sources(copy: Copy, tree: Tree) -> list[str]:
    """The paths of the tree that the patterns match. Raises BuildProblem naming the first that matches nothing."""
    found: list[str] = []
    for pattern in copy.sources:
        matched = [p for p in tree.match(pattern) if _there(tree, p)]
        if not matched:
            raise BuildProblem(
                f'"/{pattern.strip("/")}" not found', hint="is it left out by .dockerignore? Sources are relative to the context"
            )
        found += matched
    return found


def _there(tree: Tree, path: str) -> bool:
    try:
        tree.entry(path, follow=True)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def digest_sources(tree: Tree, sources: list[str]) -> list[tuple[str, str]]:
    """(last name, digest) of each source: blocking, for a thread."""
    return [(posixpath.basename(s), tree.digest(s)) for s in sources]


def perform(copy: Copy, tree: Tree | None, sources: list[str], downloads: Mapping[str, Path], root_fd: int, owner: Owner | None) -> None:
    """Put everything in place beneath ``root_fd``: blocking, for a thread. ``downloads``: url -> the file that was fetched."""
    many = len(sources) + len(copy.heredocs) + len(copy.urls) > 1
    into = copy.destination.endswith("/") or many
    how = Placement(copy.destination.rstrip("/") or "/", into, owner, copy.mode, copy.parents)
    if into:
        make_directory(root_fd, how.destination, owner or Owner())
    if tree is not None:
        plain = [s for s in sources if not (copy.unpack and _unpacked(tree, s, root_fd, how))]
        place(tree, plain, root_fd, how)
    for name, content in copy.heredocs:
        write_file(root_fd, posixpath.join(how.destination, name) if into else how.destination, content, how)
    for url, path in downloads.items():
        with Tree(path.parent) as folder:
            name = posixpath.basename(url.split("?", 1)[0].rstrip("/")) or "download"
            target = Placement(posixpath.join(how.destination, name) if into else how.destination, False, owner, copy.mode or 0o600)
            place(folder, [path.name], root_fd, target)


def _unpacked(tree: Tree, source: str, root_fd: int, how: Placement) -> bool:
    """Extract a local tar archive into the destination; False when the source is none."""
    entry = tree.entry(source, follow=True)
    if entry.is_directory:
        return False
    with os.fdopen(tree.open(source), "rb") as file:
        if not _is_archive(file):
            return False
        file.seek(0)
        make_directory(root_fd, how.destination, how.owner or Owner())
        owner = (how.owner.uid, how.owner.gid) if how.owner else None
        extract(file, root_fd, how.destination, options=ExtractOptions(chown=owner))
    return True


def _is_archive(file: BinaryIO) -> bool:
    """Does it start, once decompressed, with a tar header whose checksum is right?"""
    try:
        block = plain(file)[0].read(tarfile.BLOCKSIZE)
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, EngineError, OSError, EOFError, ValueError):
        return False
    return True
