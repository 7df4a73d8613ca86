"""A volume: data that outlives containers."""

from __future__ import annotations

from pydantic import Field

from composer.engine.model.container import ZERO_TIME
from composer.engine.model.wire import Wire


class VolumeConfig(Wire):
    """The body of `POST /volumes/create`. ``driver_opts`` of the local driver: type, o, device (as mount(8))."""

    name: str = ""
    driver: str = "local"
    driver_opts: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)


class VolumeUsage(Wire):
    size: int = -1
    ref_count: int = -1


class Volume(Wire):
    """What `GET /volumes/NAME` says. ``mountpoint`` is a directory on the host."""

    name: str = ""
    driver: str = "local"
    mountpoint: str = ""
    created_at: str = ZERO_TIME
    status: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    scope: str = "local"
    options: dict[str, str] = Field(default_factory=dict)
    usage_data: VolumeUsage | None = None
