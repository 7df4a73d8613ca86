"""`cp`: files between here and a container, as tars both ways, by docker cp's rules for what the target is.

The daemon's tars are not trusted: they are extracted by `composer.engine.local.archive` (directory fds, openat2), with the owner that we
are and without set-id bits. Source of the rules: moby's ``archive/copy.go`` (CopyInfoDestinationPath, PrepareArchiveCopy).
"""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from composer.cli.client import ApiError, Client
from composer.errors import ComposerError

STAT = "x-docker-container-path-stat"
GO_DIRECTORY, GO_SYMLINK = 1 << 31, 1 << 27  # Go's os.FileMode
PIECE = 1 << 20
LINKS = 40


@dataclass(frozen=True)
class Remote:
    """A path in a container. ``name`` is for messages."""

    container: str
    path: str
    name: str = ""


def into(client: Client, source: str, target: Remote, *, follow: bool = False, archive: bool = False) -> None:
    """A local path (or a tar on stdin: ``-``) into the container. Raises ComposerError."""
    query: dict[str, Any] = {"noOverwriteDirNonDir": True, "copyUIDGID": archive or None}
    path = target.path
    if source == "-":
        _put(client, target.container, {**query, "path": path}, iter(lambda: sys.stdin.buffer.read(PIECE), b""))
        return
    about = _local(source, follow)
    contents = source.endswith("/.")
    is_directory = stat.S_ISDIR(about.st_mode)
    found = _stat(client, target.container, path, follow=True)
    if found is not None and _is_directory(found):
        folder, name = path, "" if contents else _base(source)
    else:
        if is_directory and found is not None:
            raise ComposerError(f"cannot copy a directory into a file: {target.name or target.container}:{path}")
        if path.endswith("/") and not is_directory:
            raise ComposerError(f"no such directory: {target.name or target.container}:{path}")
        folder, name = os.path.split(path.rstrip("/"))
        folder = folder or "/"
        if found is None and _stat(client, target.container, folder, follow=True) is None:
            raise ComposerError(f"Could not find the file {folder} in container {target.name or target.container}")
        if contents and is_directory:
            contents = False
    _put(client, target.container, {**query, "path": folder}, _packed(source, name, follow, contents))


def out_of(client: Client, source: Remote, target: str, *, follow: bool = False) -> None:
    """A path of the container to a local one (or as a tar to stdout: ``-``). Raises ComposerError."""
    path = source.path
    about = _stat(client, source.container, path, follow=False)
    if about is None:
        raise ComposerError(f"Could not find the file {path} in container {source.name or source.container}")
    if follow and about["mode"] & GO_SYMLINK:
        path = os.path.join(os.path.dirname(path.rstrip("/")), about["linkTarget"])
    reply = client.stream("GET", f"/containers/{source.container}/archive", {"path": path})
    if target == "-":
        for piece in reply.pieces():
            sys.stdout.buffer.write(piece)
        return
    folder, name = _place(target, source.path, _is_directory(about))
    _unpack(reply.pieces(), folder, name)
    reply.connection.close()


def _place(target: str, source: str, is_directory: bool) -> tuple[str, str | None]:
    """The local folder, and the name that the copy gets in it (None: its contents go there)."""
    if os.path.isdir(target):
        return target, None if source.endswith("/.") else _base(source)
    if os.path.exists(target) and is_directory:
        raise ComposerError(f"cannot copy a directory into a file: {target}")
    if target.endswith("/") and not is_directory:
        raise ComposerError(f"no such directory: {target}")
    folder, name = os.path.split(os.path.abspath(target))
    if not os.path.isdir(folder):
        raise ComposerError(f'invalid output path: directory "{folder}" does not exist')
    return folder, name


def _base(path: str) -> str:
    return os.path.basename(os.path.normpath(path)) or "/"


def _local(source: str, follow: bool) -> os.stat_result:
    try:
        return os.stat(source) if follow or source.endswith("/") else os.lstat(source)
    except OSError as error:
        raise ComposerError(f"lstat {source}: {(error.strerror or str(error)).lower()}") from error


def _is_directory(about: dict[str, Any]) -> bool:
    return bool(about["mode"] & GO_DIRECTORY)


def _stat(client: Client, container: str, path: str, *, follow: bool) -> dict[str, Any] | None:
    """What is at the path in the container; None when nothing is."""
    from base64 import b64decode

    for _ in range(LINKS):
        try:
            headers = client.head(f"/containers/{container}/archive", {"path": path})
        except ApiError as error:
            if error.status != 404 or "no such container" in error.message.lower():
                raise
            return None
        about: dict[str, Any] = json.loads(b64decode(headers[STAT]))
        if not follow or not about["mode"] & GO_SYMLINK or not about.get("linkTarget"):
            return about
        path = os.path.normpath(os.path.join(os.path.dirname(path.rstrip("/")), about["linkTarget"]))
    raise ComposerError(f"too many levels of symbolic links: {path}")


def _put(client: Client, container: str, query: dict[str, Any], pieces: Iterator[bytes]) -> None:
    reply = client.stream("PUT", f"/containers/{container}/archive", query, upload=pieces)
    reply.read()
    reply.connection.close()


def _packed(source: str, name: str, follow: bool, contents: bool) -> Iterator[bytes]:
    """A tar of the local path, its top called ``name``; with ``contents`` of what is in it."""
    from composer.engine.local.archive import pack

    path = os.path.realpath(source) if follow or contents or source.endswith("/") else os.path.abspath(source)
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        yield from from_thread(lambda sink: pack(folder, os.path.basename(path), sink, name="" if contents else name))
    finally:
        os.close(folder)


def from_thread(work: Any) -> Iterator[bytes]:
    """What ``work(sink)`` writes in a thread; its error is raised behind the bytes."""
    end, start = os.pipe()
    failure: list[BaseException] = []

    def run() -> None:
        try:
            with open(start, "wb") as sink:
                work(sink)
        except BrokenPipeError:
            pass  # the reader gave up; it knows why
        except Exception as error:  # noqa: BLE001 - handed to the other thread, which raises it
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    with open(end, "rb", buffering=0) as source:
        while piece := source.read(PIECE):
            yield piece
    thread.join()
    if failure:
        raise failure[0]


def _unpack(pieces: Iterator[bytes], folder: str, name: str | None) -> None:
    """The daemon's tar into ``folder``, its top renamed to ``name`` (None: left out)."""
    from composer.engine.local.archive import ExtractOptions, extract

    end, start = os.pipe()
    source: IO[bytes] = open(end, "rb")  # noqa: SIM115 - closed below, behind the thread that writes into it
    failure: list[BaseException] = []

    def run() -> None:
        try:
            with open(start, "wb") as sink:
                _rename(pieces, sink, name)
        except BrokenPipeError:
            pass  # the extraction failed, and says so itself
        except Exception as error:  # noqa: BLE001 - handed to the other thread, which raises it
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    root = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        extract(source, root, options=ExtractOptions(keep_owner=False, devices=os.geteuid() == 0, no_overwrite_dir_non_dir=True))  # type: ignore[arg-type]
    finally:
        os.close(root)
        source.close()
        thread.join()
    if failure:
        raise ComposerError(f"cannot copy: {failure[0]}") from failure[0]


def _rename(pieces: Iterator[bytes], sink: IO[bytes], name: str | None) -> None:
    """Pass a tar on with the first part of its names changed, and without set-id bits."""
    import tarfile

    with (
        tarfile.open(fileobj=io.BufferedReader(_Reader(pieces)), mode="r|") as old,
        tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in old:
            moved = _moved(member.name, name)
            if moved is None:
                continue
            member.name, member.mode = moved, member.mode & 0o1777
            member.pax_headers = {k: v for k, v in member.pax_headers.items() if k not in ("path", "linkpath")}
            if member.islnk():
                member.linkname = _moved(member.linkname, name) or member.linkname
            new.addfile(member, old.extractfile(member) if member.isreg() else None)


def _moved(path: str, name: str | None) -> str | None:
    _, slash, rest = path.removeprefix("./").partition("/")
    if name is None:
        return rest or None
    return name + slash + rest if rest else name


class _Reader(io.RawIOBase):
    """The pieces as a file that tarfile can read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces = pieces
        self.rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.rest:
            self.rest = next(self.pieces, b"")
        size = min(len(self.rest), len(buffer))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        return size
