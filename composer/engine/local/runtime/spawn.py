"""Threads that start runtimes, in a mount namespace of their own where the machine's cgroup layout demands it.

crun refuses a hybrid cgroup layout whose v2 hierarchy still has a controller. It reads that from one file, so on such a machine (and
only there) our spawning threads see an empty file in its place; the host's view is untouched. So that mounts made later are seen by
those threads (and unmounts too), the engine's own directories become shared mounts (mount_namespaces(7)). Measured: FACTS 1.3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from composer.engine.errors import Unavailable
from composer.engine.local.linux import mount, namespace

UNIFIED_CONTROLLERS = Path("/sys/fs/cgroup/unified/cgroup.controllers")
THREADS = 4  # FACTS 2: more gain nothing

P = ParamSpec("P")
T = TypeVar("T")


def is_hybrid() -> bool:
    """True when crun would refuse this machine as it is."""
    try:
        return UNIFIED_CONTROLLERS.read_text().strip() != ""
    except FileNotFoundError:
        return False


class Spawner:
    """A small pool of threads for `run`. ``directories``: where the engine mounts things that runtimes must see."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = [path.resolve() for path in directories]
        self._threads: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Raises Unavailable when the mounts cannot be made."""
        initializer = None
        if is_hybrid():
            for path in self._directories:
                _share(path)
            initializer = _enter
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="spawn", initializer=initializer)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking ``work`` in one of the threads. A cancelled caller does not stop it: it is waited for, then Cancelled goes on."""
        if self._threads is None:
            raise Unavailable("the runtime is not started")
        future = asyncio.wrap_future(self._threads.submit(work, *args, **kwargs))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()  # seen; the cancellation is what is told
            raise

    def close(self) -> None:
        """End the threads, and undo the shared mounts when nothing is mounted beneath them any more."""
        if self._threads is None:
            return
        self._threads.shutdown()
        self._threads = None
        for path in reversed(self._directories):
            _unshare(path)


def _own_mount(path: Path) -> mount.MountInfo | None:
    found = [m for m in mount.mounts() if m.target == str(path)]
    return found[-1] if found else None


def _share(path: Path) -> None:
    """Make ``path`` a shared mount, once: bind it onto itself unless it is a mount already."""
    own = _own_mount(path)
    if own is not None and any(word.startswith("shared:") for word in own.propagation):
        return
    try:
        if own is None:
            mount.bind(path, path, recursive=True)
        mount.mount("none", path, None, mount.MS_SHARED)
    except OSError as error:
        raise Unavailable(f"cannot make {path} a shared mount: {error.strerror}", hint="the engine needs root") from error


def _unshare(path: Path) -> None:
    own = _own_mount(path)
    if own is None or own.root == "/":  # "/" is a file system of its own that somebody else mounted there
        return
    if any(m.target.startswith(f"{path}/") for m in mount.mounts()):
        return  # containers still run: the next start finds the mount and keeps it
    mount.unmount(path)


def _enter() -> None:
    namespace.unshare(namespace.CLONE_NEWNS | namespace.CLONE_FS)
    mount.mount("none", "/", None, mount.MS_REC | mount.MS_SLAVE)
    mount.bind("/dev/null", UNIFIED_CONTROLLERS)
