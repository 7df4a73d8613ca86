"""An image: a configuration over a stack of layers, named by tags and digests."""

from __future__ import annotations

from pydantic import Field

from composer.engine.model.container import ZERO_TIME, GraphDriver, ProcessConfig
from composer.engine.model.wire import Wire


class RootFS(Wire):
    type: str = "layers"
    layers: tuple[str, ...] = ()  # diff ids, lowest first


class ImageMetadata(Wire):
    last_tag_time: str = ZERO_TIME


class Image(Wire):
    """What `GET /images/NAME/json` says. ``id`` is the digest of its configuration ("sha256:...")."""

    id: str = ""
    repo_tags: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    parent: str = ""
    comment: str = ""
    created: str = ZERO_TIME
    docker_version: str = ""
    author: str = ""
    config: ProcessConfig = Field(default_factory=ProcessConfig)
    architecture: str = ""
    variant: str = ""
    os: str = "linux"
    size: int = 0
    graph_driver: GraphDriver = Field(default_factory=GraphDriver)
    root_fs: RootFS = Field(default_factory=RootFS, alias="RootFS")
    metadata: ImageMetadata = Field(default_factory=ImageMetadata)


class ImageSummary(Wire):
    """A row of `GET /images/json`. ``created`` in seconds since 1970."""

    id: str = ""
    parent_id: str = ""
    repo_tags: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    created: int = 0
    size: int = 0
    shared_size: int = -1
    labels: dict[str, str] = Field(default_factory=dict)
    containers: int = -1


class RegistryDescriptor(Wire):
    """What a name in a registry stands for: a manifest, or an index of several."""

    media_type: str = Field(default="", alias="mediaType")
    digest: str = Field(default="", alias="digest")
    size: int = Field(default=0, alias="size")


class RegistryPlatform(Wire):
    architecture: str = Field(default="", alias="architecture")
    os: str = Field(default="", alias="os")
    variant: str = Field(default="", alias="variant")


class RegistryImage(Wire):
    """What `GET /distribution/NAME/json` says: an image as its registry has it, not fetched."""

    descriptor: RegistryDescriptor = Field(default_factory=RegistryDescriptor)
    platforms: tuple[RegistryPlatform, ...] = ()


class HistoryItem(Wire):
    id: str = "<missing>"
    created: int = 0
    created_by: str = ""
    tags: tuple[str, ...] = ()
    size: int = 0
    comment: str = ""


class ImageDeleted(Wire):
    """One step of a removal: exactly one of the two is set."""

    untagged: str = ""
    deleted: str = ""


class RegistryAuth(Wire):
    """The header X-Registry-Auth, decoded."""

    username: str = Field(default="", alias="username")
    password: str = Field(default="", alias="password")
    auth: str = Field(default="", alias="auth")
    server_address: str = Field(default="", alias="serveraddress")
    identity_token: str = Field(default="", alias="identitytoken")
    registry_token: str = Field(default="", alias="registrytoken")


class ProgressDetail(Wire):
    current: int = Field(default=0, alias="current")
    total: int = Field(default=0, alias="total")


class Progress(Wire):
    """One line of a pull, push, load, import or build, as Docker streams them. A failure is raised, not a Progress."""

    id: str = Field(default="", alias="id")
    status: str = Field(default="", alias="status")
    progress_detail: ProgressDetail | None = Field(default=None, alias="progressDetail")
    stream: str = Field(default="", alias="stream")
    aux: dict[str, str | int] | None = Field(
        default=None, alias="aux"
    )  # {"ID": "sha256:..."} at the end of a build; Tag/Digest/Size of a push


class BuildConfig(Wire):
    """What a build is asked for. ``context`` and ``additional_contexts`` are absolute directories on the engine's machine, or
    "docker-image://REF"; the API's tar stream is spooled into a directory first. ``secrets``: id -> bytes."""

    context: str
    dockerfile: str = "Dockerfile"  # path relative to the context (or absolute)
    dockerfile_inline: str = ""
    tags: tuple[str, ...] = ()
    args: dict[str, str | None] = Field(default_factory=dict)
    target: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    additional_contexts: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, bytes] = Field(default_factory=dict, repr=False)
    no_cache: bool = False
    pull: bool = False
    network: str = ""  # "", "default", "none", "host"
    shm_size: int = 0
    extra_hosts: tuple[str, ...] = ()
    ulimits: dict[str, tuple[int, int]] = Field(default_factory=dict)
    platform: str = ""
    privileged: bool = False
    cache_from: tuple[str, ...] = ()
