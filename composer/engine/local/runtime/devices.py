"""Devices of the host for a container: what a path is, and which accesses the cgroup allows.

Sources: the OCI runtime specification (config-linux, devices); cgroup-v1/devices.rst.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composer.engine.errors import InvalidArgument
from composer.engine.model import DeviceMapping, DeviceRequest, HostConfig

_SKIPPED = {"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"}
_RULE = re.compile(r"^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$")


@dataclass(frozen=True, slots=True)
class Device:
    """A device node. ``kind``: c, b or p. ``access``: what the cgroup allows (r, w, m)."""

    path: str
    kind: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int
    access: str = "rwm"

    def node(self) -> dict[str, Any]:
        """For linux.devices."""
        return {
            "path": self.path,
            "type": self.kind,
            "major": self.major,
            "minor": self.minor,
            "fileMode": self.mode,
            "uid": self.uid,
            "gid": self.gid,
        }

    def rule(self) -> dict[str, Any]:
        """For linux.resources.devices."""
        return {"allow": True, "type": self.kind, "major": self.major, "minor": self.minor, "access": self.access}


def find(mapping: DeviceMapping) -> list[Device]:
    """The device, or all beneath a directory of them. Raises InvalidArgument in dockerd's words."""
    host = mapping.path_on_host
    inside = mapping.path_in_container or host
    access = mapping.cgroup_permissions or "rwm"
    if not set(access) <= set("rwm"):
        raise InvalidArgument(f"invalid device mode: {access}", hint="give some of the letters r, w and m")
    path = Path(host)
    try:
        real = path.resolve(strict=True)
    except OSError as error:
        raise InvalidArgument(
            f'error gathering device information while adding custom device "{host}": no such file or directory'
        ) from error
    if real.is_dir():
        return [Device(f"{inside}/{found.path[len(str(real)) :].lstrip('/')}", *_numbers(found), access) for found in _beneath(real, set())]
    found = device(real)
    if found is None:
        raise InvalidArgument(f'error gathering device information while adding custom device "{host}": not a device node')
    return [Device(inside, *_numbers(found), access)]


def device(path: Path) -> Device | None:
    """What the path is; None when it is no device."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    if stat.S_ISCHR(status.st_mode):
        kind = "c"
    elif stat.S_ISBLK(status.st_mode):
        kind = "b"
    else:
        return None
    number = status.st_rdev
    return Device(str(path), kind, os.major(number), os.minor(number), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def host_devices() -> list[Device]:
    """All devices of the host, for a privileged container (its own console, terminals and shared memory excepted)."""
    return list(_beneath(Path("/dev"), _SKIPPED))


def block_numbers(host: HostConfig) -> dict[str, tuple[int, int]]:
    """(major, minor) of each block device that a limit of ``host`` names. Raises InvalidArgument."""
    limits = (host.blkio_device_read_bps, host.blkio_device_write_bps, host.blkio_device_read_iops, host.blkio_device_write_iops)
    numbers: dict[str, tuple[int, int]] = {}
    for path in [entry.path for entries in (*limits, host.blkio_weight_device) for entry in entries]:
        found = device(Path(os.path.realpath(path)))
        if found is None or found.kind != "b":
            raise InvalidArgument(f"no such block device: {path}")
        numbers[path] = (found.major, found.minor)
    return numbers


def cgroup_rules(rules: Sequence[str]) -> list[dict[str, Any]]:
    """device_cgroup_rules ("c 13:* rmw") as linux.resources.devices. Raises InvalidArgument."""
    result = []
    for rule in rules:
        found = _RULE.match(rule)
        if not found:
            raise InvalidArgument(f"invalid device cgroup rule format: '{rule}'", hint='write it as "c 13:* rmw"')
        kind, major, minor, access = found.groups()
        entry: dict[str, Any] = {"allow": True, "type": kind, "access": access}
        if major != "*":
            entry["major"] = int(major)
        if minor != "*":
            entry["minor"] = int(minor)
        result.append(entry)
    return result


def refuse_requests(requests: Sequence[DeviceRequest]) -> None:
    """No device driver (GPUs) is built in: raises InvalidArgument in dockerd's words for any request."""
    for request in requests:
        sets = " ".join(f"[{' '.join(names)}]" for names in request.capabilities)
        raise InvalidArgument(
            f'could not select device driver "{request.driver}" with capabilities: [{sets}]',
            hint="remove the reservation of devices, or give the device nodes under devices",
        )


def _numbers(found: Device) -> tuple[str, int, int, int, int, int]:
    return found.kind, found.major, found.minor, found.mode, found.uid, found.gid


def _beneath(top: Path, skipped: set[str]) -> Iterator[Device]:
    try:
        with os.scandir(top) as found_entries:
            entries = sorted(found_entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name in skipped:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _beneath(Path(entry.path), skipped)
        elif (found := device(Path(entry.path))) is not None:
            yield found
