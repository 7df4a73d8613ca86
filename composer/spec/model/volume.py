"""Volumes of a stack and the mounts of a service. Source: Compose Specification, chapter "volumes" and the services' attribute."""

from __future__ import annotations

from pydantic import Field

from composer.spec.model.base import Spec
from composer.spec.model.values import Flag, Size, TmpfsMode


class BindOptions(Spec):
    """Options of a bind mount. `create_host_path`: a missing source is made as a directory (short syntax) or is an error."""

    selinux: str = ""
    propagation: str = ""
    create_host_path: Flag = False
    recursive: str = ""


class VolumeOptions(Spec):
    """Options of a mount of a volume."""

    labels: dict[str, str] = Field(default_factory=dict)
    nocopy: Flag = False
    subpath: str = ""


class TmpfsOptions(Spec):
    """Options of a tmpfs mount; 0 means unset."""

    size: Size = 0
    mode: TmpfsMode = 0


class ImageOptions(Spec):
    """Options of a mount of an image's files."""

    subpath: str = ""


class ServiceVolume(Spec):
    """One mount. `type`: bind, volume, tmpfs, image, npipe, cluster. `source`: an absolute path, a key of the stack's volumes, or ""."""

    type: str
    source: str = ""
    target: str = ""
    read_only: Flag = False
    consistency: str = ""
    bind: BindOptions | None = None
    volume: VolumeOptions | None = None
    tmpfs: TmpfsOptions | None = None
    image: ImageOptions | None = None

    @property
    def creates_source(self) -> bool:
        """Is a missing source of a bind mount made as a directory? With `bind:` options only when they say so."""
        return self.type == "bind" and (self.bind is None or self.bind.create_host_path)


class Volume(Spec):
    """A named volume of the stack; `name` is the engine's name for it."""

    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] = Field(default_factory=dict)
    external: Flag = False
    labels: dict[str, str] = Field(default_factory=dict)
