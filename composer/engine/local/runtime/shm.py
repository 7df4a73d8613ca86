"""Shared memory that other containers may join (ipc: shareable): a tmpfs on the host beside the bundle, bound to /dev/shm in each.

Mounted by us and not by the runtime, because a mount inside one container cannot be bound into another. Removed with the bundle.
"""

from __future__ import annotations

from pathlib import Path

from composer.engine.errors import EngineError, InvalidArgument
from composer.engine.local.linux import mount
from composer.engine.local.runtime.bundle import Bundle
from composer.engine.local.runtime.mounts import SHM_SIZE

_FLAGS = mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC


def share(bundle: Bundle, size: int = 0) -> Path:
    """Make it (once) and return it, for ``BundleFacts.shm``. ``size`` in bytes, 0 = Docker's default. Raises EngineError."""
    path = bundle.directory / "shm"
    path.mkdir(parents=True, exist_ok=True)
    if not any(m.target == str(path) for m in mount.mounts()):
        try:
            mount.mount("shm", path, "tmpfs", _FLAGS, f"mode=1777,size={size or SHM_SIZE}")
        except OSError as error:
            raise EngineError(f"cannot mount the shared memory {path}: {error.strerror}") from error
    return path


def join(donor: Bundle) -> Path:
    """The shared memory of another container. Raises InvalidArgument when it shares none."""
    path = donor.directory / "shm"
    if not path.is_dir():
        raise InvalidArgument("non-shareable IPC (hint: use IpcMode:shareable for the donor container)")
    return path
