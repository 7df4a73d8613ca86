"""Which mounts a container gets: binds, mounts, tmpfs, volumes_from and the image's volumes, put in one order. Pure.

A later wish for the same place hides an earlier one in moby's order: volumes_from, binds, mounts; the image's volumes only where
nothing else is. Outer places are mounted before inner ones. Words of refusal are Docker's.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from composer.engine.errors import InvalidArgument
from composer.engine.local.containers.record import MountRow
from composer.engine.model import ContainerConfig, Mount

_PROPAGATION = frozenset({"private", "rprivate", "slave", "rslave", "shared", "rshared"})
_IGNORED = frozenset({"consistent", "cached", "delegated", "default"})  # Docker Desktop's words: accepted, no effect on Linux


def plan(config: ContainerConfig, others: Mapping[str, tuple[MountRow, ...]]) -> tuple[MountRow, ...]:
    """The mounts, outermost first. ``others``: the mounts of each container that volumes_from names.

    A volume without a source is still to be made (`source` ""). InvalidArgument in Docker's words.
    """
    host = config.host_config
    places: dict[str, MountRow] = {}
    for wish in host.volumes_from:
        name, mode = split_volumes_from(wish)
        for row in others[name]:
            if row.kind in ("bind", "volume"):
                places[row.destination] = replace(row, writable=row.writable and mode != "ro", anonymous=False, copy=False)
    own: set[str] = set()
    for row in (*map(from_bind, host.binds), *map(from_mount, host.mounts), *(from_tmpfs(*item) for item in host.tmpfs.items())):
        if row.destination in own:
            raise InvalidArgument(f"Duplicate mount point: {row.destination}")
        own.add(row.destination)
        places[row.destination] = row
    for path in config.volumes:
        destination = _clean(path, path)
        places.setdefault(destination, MountRow("volume", destination))
    return tuple(sorted(places.values(), key=lambda row: (row.destination.count("/"), row.destination)))


def split_volumes_from(wish: str) -> tuple[str, str]:
    name, _, mode = wish.partition(":")
    if not name:
        raise InvalidArgument(f"invalid volumes-from specification: {wish}")
    if mode not in ("", "ro", "rw", "z", "Z", "nocopy"):
        raise InvalidArgument(f"invalid mode: {mode}")
    return name, mode or "rw"


def from_bind(text: str) -> MountRow:
    """ "SOURCE:TARGET[:MODE]": a path makes a bind (its source is created when missing), a name a volume."""
    parts = text.split(":")
    if len(parts) > 3 or not parts[0]:
        raise InvalidArgument(f"invalid volume specification: '{text}'")
    if len(parts) == 1 or (len(parts) == 2 and not parts[1].startswith("/") and parts[0].startswith("/") and _is_mode(parts[1])):
        return MountRow("volume", _clean(parts[0], text), **_mode(parts[1] if len(parts) == 2 else "", "volume"))
    source, target, mode = parts[0], parts[1], parts[2] if len(parts) == 3 else ""
    destination = _clean(target, text)
    if source.startswith("/"):
        return MountRow("bind", destination, posixpath.normpath(source), create=True, **_mode(mode, "bind"))
    return MountRow("volume", destination, source, **_mode(mode, "volume"))


def _is_mode(text: str) -> bool:
    return all(word in {"ro", "rw", "z", "Z", "nocopy"} | _PROPAGATION | _IGNORED for word in text.split(","))


def _mode(mode: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {"mode": mode}
    for word in filter(None, mode.split(",")):
        if word in ("ro", "rw"):
            found["writable"] = word == "rw"
        elif word in ("z", "Z") or word in _IGNORED:
            continue  # SELinux relabelling: accepted; there is nothing to do where SELinux is not enforced
        elif word == "nocopy" and kind == "volume":
            found["copy"] = False
        elif word in _PROPAGATION and kind == "bind":
            found["propagation"] = word
        else:
            raise InvalidArgument(f"invalid mode: {mode}")
    return found


def from_mount(mount: Mount) -> MountRow:
    """An entry of HostConfig.Mounts."""
    problem = f'invalid mount config for type "{mount.type}": '
    if mount.type not in ("bind", "volume", "tmpfs", "image"):
        raise InvalidArgument(f'{problem}mount type unknown: "{mount.type}"')
    if not mount.target:
        raise InvalidArgument(f"{problem}field Target must not be empty")
    destination = _clean(mount.target, mount.target, problem)
    made = {"bind": _bind, "volume": _volume, "tmpfs": _tmpfs, "image": _image}[mount.type]
    return made(mount, destination, problem)


def _bind(mount: Mount, destination: str, problem: str) -> MountRow:
    options = mount.bind_options
    if not mount.source:
        raise InvalidArgument(f"{problem}field Source must not be empty")
    if not mount.source.startswith("/"):
        raise InvalidArgument(f"{problem}invalid mount path: '{mount.source}' mount path must be absolute")
    propagation = options.propagation if options else ""
    if propagation and propagation not in _PROPAGATION:
        raise InvalidArgument(f"{problem}invalid propagation mode: {propagation}")
    return MountRow(
        "bind",
        destination,
        posixpath.normpath(mount.source),
        writable=not mount.read_only,
        propagation=propagation,
        recursive=not (options and options.non_recursive),
        create=bool(options and options.create_mountpoint),
        from_mount=True,
    )


def _volume(mount: Mount, destination: str, problem: str) -> MountRow:
    options = mount.volume_options
    if not mount.source and mount.read_only:
        raise InvalidArgument(f"{problem}must not set ReadOnly mode when using anonymous volumes")
    subpath = options.subpath if options else ""
    if subpath and (subpath.startswith("/") or ".." in subpath.split("/")):
        raise InvalidArgument(f"{problem}subpath must be a relative path within the volume")
    return MountRow(
        "volume",
        destination,
        mount.source,
        writable=not mount.read_only,
        copy=not (options and options.no_copy),
        subpath=subpath,
        from_mount=True,
    )


def _tmpfs(mount: Mount, destination: str, problem: str) -> MountRow:
    if mount.source:
        raise InvalidArgument(f"{problem}field Source must not be specified")
    words = ["ro"] if mount.read_only else []
    if mount.tmpfs_options is not None:
        if mount.tmpfs_options.size_bytes:
            words.append(f"size={mount.tmpfs_options.size_bytes}")
        if mount.tmpfs_options.mode:
            words.append(f"mode={mount.tmpfs_options.mode:o}")
    return MountRow("tmpfs", destination, data=",".join(words), writable=not mount.read_only, from_mount=True)


def _image(mount: Mount, destination: str, problem: str) -> MountRow:
    if not mount.source:
        raise InvalidArgument(f"{problem}field Source must not be empty")
    subpath = mount.image_options.subpath if mount.image_options else ""
    return MountRow("image", destination, mount.source, writable=False, subpath=subpath, from_mount=True)


def from_tmpfs(target: str, options: str) -> MountRow:
    """An entry of HostConfig.Tmpfs."""
    words = [word for word in options.split(",") if word]
    return MountRow("tmpfs", _clean(target, target), data=",".join(words), writable="ro" not in words)


def _clean(path: str, text: str, problem: str = "") -> str:
    if not path.startswith("/"):
        raise InvalidArgument(
            f"{problem or f'invalid volume specification: {text!r}: '}invalid mount path: '{path}' mount path must be absolute"
        )
    clean = posixpath.normpath(path).replace("//", "/")
    if clean == "/":
        raise InvalidArgument(f"{problem or f'invalid volume specification: {text!r}: '}invalid specification: destination can't be '/'")
    return clean
