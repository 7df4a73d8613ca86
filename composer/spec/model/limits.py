"""Limits and devices of a service: ulimits, block I/O, device mappings and requests, logging."""

from __future__ import annotations

from pydantic import Field

from composer.spec.model.base import HIDDEN, Spec
from composer.spec.model.values import DeviceCount, Size, Whole


class Ulimit(Spec):
    """Both limits are always set; `single`: the file gave one number for both."""

    soft: Whole = 0
    hard: Whole = 0
    single: bool = Field(default=False, json_schema_extra=HIDDEN)


class DeviceWeight(Spec):
    """Relative block I/O weight of one device."""

    path: str = ""
    weight: Whole = 0


class DeviceRate(Spec):
    """A limit of one device: bytes, or operations, a second."""

    path: str = ""
    rate: Size = 0


class Blkio(Spec):
    """`blkio_config`."""

    weight: Whole = 0
    weight_device: list[DeviceWeight] = Field(default_factory=list)
    device_read_bps: list[DeviceRate] = Field(default_factory=list)
    device_read_iops: list[DeviceRate] = Field(default_factory=list)
    device_write_bps: list[DeviceRate] = Field(default_factory=list)
    device_write_iops: list[DeviceRate] = Field(default_factory=list)


class Device(Spec):
    """A device of the host made visible in the container. A CDI name has the same source and target."""

    source: str = ""
    target: str = ""
    permissions: str = ""


class DeviceRequest(Spec):
    """A request to a device driver (`gpus`, `deploy.resources.reservations.devices`); `count` -1: all."""

    capabilities: list[str] = Field(default_factory=list)
    driver: str = ""
    count: DeviceCount = 0
    device_ids: list[str] = Field(default_factory=list)
    options: dict[str, str] = Field(default_factory=dict)


class Logging(Spec):
    """Where the output of the containers goes."""

    driver: str = ""
    options: dict[str, str] = Field(default_factory=dict)


class CredentialSpec(Spec):
    """Windows only."""

    config: str = ""
    file: str = ""
    registry: str = ""
