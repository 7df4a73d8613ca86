"""The files that hold the content of secrets and configs, mounted into containers. Only root reads their directory; each has the mode,
owner and name that `composer.reconcile.render.storage` gave it, the name made from the content, so a file never changes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from composer.engine.errors import Unavailable
from composer.reconcile.model import ContentFile


def write_content(files: Iterable[ContentFile]) -> None:
    """Write what is not there yet (blocking, small). Raises Unavailable."""
    for file in files:
        path = Path(file.path)
        try:
            if path.exists():
                continue
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, file)
        except OSError as error:
            raise Unavailable(f"cannot write a secret or config: {error.strerror}", hint="is the disk full?") from error


def _write(path: Path, file: ContentFile) -> None:
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as out:
            if os.geteuid() == 0:
                os.fchown(out.fileno(), file.uid, file.gid)
            os.fchmod(out.fileno(), file.mode)
            out.write(file.data)
            out.flush()
            os.fsync(out.fileno())
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
