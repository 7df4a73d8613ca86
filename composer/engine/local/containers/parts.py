"""What the operations on containers work with: the other rooms of the engine, and the few facts that all of them need."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from composer.engine.errors import InvalidArgument
from composer.engine.local.containers.record import Record
from composer.engine.local.containers.registry import Held, Registry
from composer.engine.local.containers.tasks import Tasks
from composer.engine.local.events import Events, event
from composer.engine.local.image import Blobs, ImageStore, Layers, Snapshots
from composer.engine.local.layout import Layout
from composer.engine.local.network.networks import LocalNetworks
from composer.engine.local.runtime import Bundle, Handle, Runtime
from composer.engine.local.runtime.logs import limits
from composer.engine.local.volume import LocalVolumes


def now() -> str:
    """This moment, RFC 3339 with nanoseconds."""
    return rfc3339(time.time_ns())


def rfc3339(ns: int) -> str:
    seconds, fraction = divmod(ns, 10**9)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{fraction:09d}Z"


def seconds(text: str) -> float:
    """RFC 3339 to seconds since 1970; 0 for the zero time."""
    if text.startswith("0001"):
        return 0.0
    head, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.strptime(head, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return moment.timestamp() + float(f"0.{fraction or 0}")


@dataclass
class Parts:
    """``watch``: told of every container that runs, so that its end is seen. ``boot``: the id of this boot of the machine."""

    layout: Layout
    registry: Registry
    events: Events
    images: ImageStore
    layers: Layers
    blobs: Blobs
    snapshots: Snapshots
    runtime: Runtime
    networks: LocalNetworks
    volumes: LocalVolumes
    boot: str
    watch: Callable[[Held], None]
    tasks: Tasks
    cpus: int = field(default_factory=lambda: os.cpu_count() or 1)

    def bundle(self, held: Held) -> Bundle:
        """Where the runtime finds it: derived from the record, but for the cgroup, which is the one that it was started in."""
        record, host = held.record, held.record.config.host_config
        directory = self.layout.bundle(record.id)
        return Bundle(
            id=record.id,
            directory=directory,
            rootfs=directory / "rootfs",
            cgroup=held.run.cgroup or self.cgroup(record),
            runtime=host.runtime or self.runtime.default,
            tty=record.config.tty,
            open_stdin=record.config.open_stdin,
            stdin_once=record.config.stdin_once,
            log=None if host.log_config.type == "none" else self.layout.container(record.id) / "container.log",
            log_limits=limits(host.log_config.type, host.log_config.config),
        )

    def cgroup(self, record: Record) -> str:
        """Where it is put when it is started now."""
        return f"{self.cgroup_parent(record.config.host_config.cgroup_parent)}/{record.id}"

    def cgroup_parent(self, wish: str) -> str:
        """Absolute from the root of each hierarchy, as Docker's cgroupfs driver takes a relative one, too. ``..`` is refused."""
        words = [word for word in wish.split("/") if word not in ("", ".")]
        if ".." in words:
            raise InvalidArgument(f"invalid cgroup parent: {wish}")
        return "/" + "/".join(words) if words else self.layout.cgroups

    def publish(self, held: Held, action: str, more: Mapping[str, str] | None = None) -> None:
        """A container event, with Docker's attributes: its labels, image and name, and ``more``."""
        config = held.record.config
        attributes = {**config.labels, "image": config.image, "name": held.name, **(more or {})}
        self.events.publish(event("container", action, held.id, attributes))

    async def ended(self, held: Held, seen: int, timeout: float | None) -> bool:
        """Wait until its process has ended once more than ``seen`` times and that is dealt with. False: the time was over."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while held.ended == seen and held.run.phase.alive:
            if not await _changed(held, None if deadline is None else deadline - time.monotonic()):
                return False
        return True


async def _changed(held: Held, timeout: float | None) -> bool:
    if timeout is not None and timeout <= 0:
        return False
    try:
        async with asyncio.timeout(timeout):
            await held.changed.wait()
    except TimeoutError:
        return False
    return True


def handle_of(held: Held) -> Handle:
    """The processes of a container that runs."""
    assert held.run.handle is not None, "a running container has a handle"
    return held.run.handle
