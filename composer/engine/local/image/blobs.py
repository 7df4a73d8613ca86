"""The blob store: files named by the digest of their content, blobs/sha256/<hex>.

A blob is written under a temporary name, verified, then renamed; the `syncfs` before the row that owns it makes it durable (`store`,
`layers`), and a blob that no row owns is removed at start. A `Lease` keeps what an operation has brought in, but not yet recorded,
from being swept meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from composer.engine.errors import EngineError, InvalidArgument, NotFound
from composer.engine.local.archive.compression import Readable
from composer.engine.local.image import digest as digests
from composer.engine.local.image.manifest import Descriptor
from composer.engine.local.layout import Layout

_CHUNK = 1 << 20
JSON_LIMIT = 8 << 20  # of a manifest or a configuration, which are read into memory


class Lease(set[str]):
    """Digests (of blobs) and chain ids (of layers) that an operation relies on while it runs."""


class Blobs:
    """Blocking, but for the lookups: call `ingest` from a thread."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._leases: list[Lease] = []

    def path(self, digest: str) -> Path:
        return self._layout.blobs / "sha256" / digests.hexadecimal(digest)

    def temporary(self, name: str) -> Path:
        """A path for something half-done, on the same file system."""
        return self._layout.temporary / name

    def has(self, digest: str, size: int | None = None) -> bool:
        """Whether it is here, whole (a wrong size would be another file system's damage)."""
        try:
            found = self.path(digest).stat().st_size
        except FileNotFoundError:
            return False
        return size is None or found == size

    def open(self, digest: str) -> BinaryIO:
        try:
            return open(self.path(digest), "rb")
        except FileNotFoundError as error:
            raise NotFound(f"blob {digest} is missing", hint="remove the image and pull or load it again") from error

    def read(self, digest: str) -> bytes:
        """A small blob whole. Raises InvalidArgument above 8 MiB."""
        with self.open(digest) as file:
            data = file.read(JSON_LIMIT + 1)
        if len(data) > JSON_LIMIT:
            raise InvalidArgument(f"blob {digest} is too large for a manifest or a configuration")
        return data

    def put(self, data: bytes) -> str:
        """A small blob from memory; its digest."""
        digest = digests.of(data)
        if not self.has(digest, len(data)):
            with self.incoming() as blob:
                blob.write(data)
                blob.keep(digest)
        return digest

    def ingest(self, source: Readable, *, media_type: str = "", expected: str = "") -> Descriptor:
        """Copy a stream in; InvalidArgument when its digest is not ``expected``."""
        with self.incoming() as blob:
            while chunk := source.read(_CHUNK):
                blob.write(chunk)
            return Descriptor(media_type, blob.keep(expected), blob.size)

    @contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """A blob to be written piece by piece; it is dropped unless `Incoming.keep` was called. EngineError when the disk is full."""
        path = self._layout.temporary / f"blob-{os.urandom(8).hex()}"
        try:
            with open(path, "xb", buffering=0) as file:
                yield Incoming(self, path, file)
        except OSError as error:
            raise EngineError(f"cannot write a blob to {self._layout.blobs}: {error.strerror or error}") from error
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        lease = Lease()
        self._leases.append(lease)
        try:
            yield lease
        finally:
            self._leases = [one for one in self._leases if one is not lease]

    def leased(self) -> set[str]:
        return {digest for lease in self._leases for digest in lease}

    def put_aside(self, digest: str) -> Path:
        """Take a blob out of the store without the time that deleting takes; then `delete` what is returned."""
        path = self._layout.temporary / f"gone-{os.urandom(8).hex()}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.path(digest), path)
        return path

    def delete(self, path: Path) -> int:
        """Bytes freed; missing is fine."""
        try:
            size = path.stat().st_size
            path.unlink()
        except FileNotFoundError:
            return 0
        return size

    def stored(self) -> list[str]:
        return [f"sha256:{name}" for name in os.listdir(self._layout.blobs / "sha256")]


class Incoming:
    """A blob on its way in."""

    def __init__(self, blobs: Blobs, path: Path, file: BinaryIO) -> None:
        self._blobs = blobs
        self._file = file
        self._hash = hashlib.sha256()
        self.path = path
        self.size = 0

    def write(self, data: bytes | memoryview) -> int:
        self._hash.update(data)
        self.size += len(data)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        return len(data)

    def restart(self) -> None:
        """Forget what was written."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def keep(self, expected: str = "") -> str:
        """Give it its name. Raises InvalidArgument when it is not the blob that was ``expected``."""
        found = self.digest
        if expected and found != expected:
            raise InvalidArgument(f"filesystem layer verification failed for digest {expected}: the content has {found}")
        os.rename(self.path, self._blobs.path(found))
        return found
