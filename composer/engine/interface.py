"""The engine as a whole: what the local engine, a remote one (Docker's API) and the one in memory all offer.

``ref`` is an id, an unambiguous id prefix, or a name. Every method may raise the kinds of `composer.engine.errors`.
Operations are level: stopping what is stopped and starting what runs is no error (Docker's 304).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

from composer.engine.model import (
    BuildConfig,
    Change,
    Container,
    ContainerConfig,
    ContainerCreated,
    ContainerTop,
    ContainerUpdate,
    DiskUsage,
    EndpointSettings,
    Event,
    Exec,
    ExecConfig,
    HistoryItem,
    Image,
    ImageDeleted,
    ImageSummary,
    Info,
    LogFrame,
    LogOptions,
    Network,
    NetworkConfig,
    PathStat,
    Progress,
    PruneReport,
    RegistryAuth,
    RegistryImage,
    Stats,
    Stream,
    Synced,
    Volume,
    VolumeConfig,
    WaitResult,
)
from composer.engine.model.facts import Facts, Inquiry

Trees = Mapping[str, Sequence[str]]  # an absolute directory in a container -> paths relative to it

Filters = Mapping[str, Sequence[str]]  # Docker's filters: {"label": ["a=b"], "status": ["running"]}


class Containers(Protocol):
    """Containers and their processes."""

    async def create(self, config: ContainerConfig, name: str = "") -> ContainerCreated:
        """Make it, do not start it. NotFound (image), Conflict (name), InvalidArgument."""
        ...

    async def start(self, ref: str) -> None:
        """NotFound; CommandNotFound / CommandNotExecutable (the container then is `created` with exit code 127 / 126)."""
        ...

    async def stop(self, ref: str, *, signal: str = "", timeout: int | None = None) -> None:
        """Signal, wait ``timeout`` seconds (None: the container's own, else 10), then SIGKILL."""
        ...

    async def restart(self, ref: str, *, signal: str = "", timeout: int | None = None) -> None: ...
    async def kill(self, ref: str, signal: str = "SIGKILL") -> None: ...
    async def pause(self, ref: str) -> None: ...
    async def unpause(self, ref: str) -> None: ...
    async def rename(self, ref: str, name: str) -> None: ...
    async def update(self, ref: str, change: ContainerUpdate) -> tuple[str, ...]: ...
    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        """``volumes``: its anonymous volumes too. Conflict when it runs and ``force`` is not given."""
        ...

    async def wait(self, ref: str, condition: str = "not-running") -> WaitResult:
        """``condition``: not-running, next-exit, removed."""
        ...

    async def inspect(self, ref: str, *, size: bool = False) -> Container: ...
    async def list(self, *, all: bool = False, filters: Filters | None = None) -> Sequence[Container]:
        """One snapshot, newest first."""
        ...

    def logs(self, ref: str, options: LogOptions) -> AsyncIterator[LogFrame]: ...
    async def attach(self, ref: str, *, stdin: bool = False, logs: bool = False) -> Stream:
        """The live streams of its process; may be called before `start`, then nothing is missed."""
        ...

    async def resize(self, ref: str, height: int, width: int) -> None: ...
    async def exec_create(self, ref: str, config: ExecConfig) -> str:
        """The exec's id. NotRunning."""
        ...

    async def exec_start(self, exec_id: str, *, detach: bool = False, tty: bool = False) -> Stream | None:
        """Start it; None when detached. CommandNotFound / CommandNotExecutable are told as exit codes 127 / 126 by `exec_inspect`, too."""
        ...

    async def exec_inspect(self, exec_id: str) -> Exec: ...
    async def exec_resize(self, exec_id: str, height: int, width: int) -> None: ...
    async def top(self, ref: str, args: str = "-ef") -> ContainerTop: ...
    def stats(self, ref: str, *, stream: bool = True) -> AsyncIterator[Stats]: ...
    async def changes(self, ref: str) -> Sequence[Change]: ...
    def export(self, ref: str) -> AsyncIterator[bytes]: ...
    async def stat_path(self, ref: str, path: str) -> PathStat: ...
    def get_archive(self, ref: str, path: str) -> AsyncIterator[bytes]: ...
    async def put_archive(
        self,
        ref: str,
        path: str,
        tar: AsyncIterator[bytes],
        *,
        no_overwrite_dir_non_dir: bool = False,
        copy_uid_gid: bool = False,
    ) -> None: ...
    async def sync(self, refs: Sequence[str], trees: Trees, tar: AsyncIterator[bytes]) -> Sequence[Synced]:
        """Write files into running containers, as their processes see them (volumes and tmpfs included).

        ``trees``: target directory -> paths beneath it that are removed, with all beneath them. The tar's members have their whole path in
        the container and lie beneath one of the targets. Each file is replaced atomically and belongs to the container's user; missing
        directories are made; no link beneath a target is followed. Runs on whatever happens in one container: see `Synced.problem`.
        InvalidArgument: a target is not absolute, a member is beneath none, the tar is damaged.
        """
        ...

    async def signatures(self, ref: str, trees: Trees) -> Mapping[str, Mapping[str, str]]:
        """What is at these paths beneath these targets: target -> path -> signature (composer.engine.signature). Left out: what is missing.

        NotFound, NotRunning.
        """
        ...

    async def commit(
        self,
        ref: str,
        *,
        repo: str = "",
        comment: str = "",
        author: str = "",
        pause: bool = True,
        changes: Sequence[str] = (),
    ) -> str: ...
    async def prune(self, filters: Filters | None = None) -> PruneReport: ...


class Images(Protocol):
    """Images, by reference ("nginx", "nginx:1.25", "host:5000/a/b@sha256:...") or id."""

    async def inspect(self, ref: str) -> Image: ...
    async def list(self, *, all: bool = False, filters: Filters | None = None) -> Sequence[ImageSummary]: ...
    async def history(self, ref: str) -> Sequence[HistoryItem]: ...
    async def distribution(self, ref: str, *, auth: RegistryAuth | None = None) -> RegistryImage:
        """What the registry has under a name, without fetching it. NotFound, Unauthorized, Unavailable."""
        ...

    async def tag(self, ref: str, target: str) -> None: ...
    async def remove(self, ref: str, *, force: bool = False, prune: bool = True) -> Sequence[ImageDeleted]: ...
    async def prune(self, filters: Filters | None = None) -> PruneReport: ...
    async def prune_builds(self) -> PruneReport:
        """Forget what builds remember: steps, the layers that only they need, the directories of ``--mount=type=cache``."""
        ...

    def pull(self, ref: str, *, platform: str = "", auth: RegistryAuth | None = None) -> AsyncIterator[Progress]: ...
    def push(self, ref: str, *, auth: RegistryAuth | None = None) -> AsyncIterator[Progress]: ...
    def load(self, tar: AsyncIterator[bytes]) -> AsyncIterator[Progress]:
        """A docker-archive or an OCI layout as tar, compressed or not. Each image is told as ``stream`` "Loaded image: NAME\\n"."""
        ...

    def save(self, refs: Sequence[str]) -> AsyncIterator[bytes]: ...
    def import_(
        self, tar: AsyncIterator[bytes], ref: str, *, changes: Sequence[str] = (), message: str = ""
    ) -> AsyncIterator[Progress]: ...
    def build(self, config: BuildConfig) -> AsyncIterator[Progress]:
        """The last Progress has ``aux`` {"ID": image id}."""
        ...


class Networks(Protocol):
    async def create(self, config: NetworkConfig) -> str:
        """The id. Conflict (name), InvalidArgument (pool overlaps, bad subnet), Unsupported (driver)."""
        ...

    async def inspect(self, ref: str) -> Network: ...
    async def list(self, filters: Filters | None = None) -> Sequence[Network]: ...
    async def remove(self, ref: str) -> None: ...
    async def connect(self, ref: str, container: str, endpoint: EndpointSettings) -> None: ...
    async def disconnect(self, ref: str, container: str, *, force: bool = False) -> None: ...
    async def prune(self, filters: Filters | None = None) -> PruneReport: ...


class Volumes(Protocol):
    async def create(self, config: VolumeConfig) -> Volume: ...
    async def inspect(self, name: str) -> Volume: ...
    async def list(self, filters: Filters | None = None) -> Sequence[Volume]: ...
    async def remove(self, name: str, *, force: bool = False) -> None: ...
    async def prune(self, filters: Filters | None = None) -> PruneReport: ...


class Traffic(Protocol):
    """Which containers get new connections. The local engine and the one in memory have it as ``traffic`` (see `traffic_of`); an engine
    behind Docker's API has no such thing."""

    async def share(self, ref: str, group: str, *, aside: bool | None = None) -> None:
        """It holds its host ports together with others of ``group`` (any word), from now on and at each start. Said before its start,
        ``aside`` keeps it from being reached until `admit`."""
        ...

    async def admit(self, ref: str) -> None:
        """It gets its share of new connections, and answers to all its names."""
        ...

    async def retire(self, ref: str) -> None:
        """Nothing new is led to it: no published port, and no name but its own. Open connections stay."""
        ...

    async def drain(self, ref: str, timeout: float) -> int:
        """Wait until nobody is connected to it any more, ``timeout`` seconds at most; how many TCP connections are left."""
        ...

    async def listens(self, ref: str) -> bool:
        """Whether its processes listen on all TCP ports that it publishes; when it publishes none: on one that it exposes, if any."""
        ...

    def aside(self) -> Collection[str]:
        """The ids of all that are not to be reached."""
        ...


class Engine(Protocol):
    """The four parts, and what concerns them all. Local, Docker, Memory."""

    @property
    def containers(self) -> Containers: ...
    @property
    def images(self) -> Images: ...
    @property
    def networks(self) -> Networks: ...
    @property
    def volumes(self) -> Volumes: ...
    async def info(self) -> Info: ...
    async def disk_usage(self) -> Sequence[DiskUsage]: ...
    async def facts(self, about: Inquiry) -> Facts:
        """What is known of the machine before a plan is carried out; nothing is changed. What the engine cannot tell is left out."""
        ...

    def events(self, filters: Filters | None = None, *, since: float = 0.0, until: float = 0.0) -> AsyncIterator[Event]: ...


def traffic_of(engine: Engine) -> Traffic | None:
    """Its `Traffic`, when it has that."""
    found: Traffic | None = getattr(engine, "traffic", None)
    return found
