"""Gathering the facts of a container's config.json: users, devices, namespaces, files; what `runtime.oci` then renders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from composer.engine.errors import Conflict, EngineError, Unavailable
from composer.engine.local.archive import finish
from composer.engine.local.containers.mounting import Point
from composer.engine.local.containers.networking import Place
from composer.engine.local.containers.parts import Parts, handle_of
from composer.engine.local.containers.record import Record
from composer.engine.local.containers.registry import Held
from composer.engine.local.linux.beneath import make_directories
from composer.engine.local.runtime import Bundle, apparmor, capabilities, devices, oci, seccomp, shm, users
from composer.engine.local.runtime.mounts import BundleMount
from composer.engine.model import ContainerConfig, HostConfig

_INITS = (
    "/usr/libexec/docker/docker-init",
    "/usr/bin/docker-init",
    "/usr/bin/tini-static",
    "/usr/libexec/podman/catatonit",
    "/usr/bin/catatonit",
)
_FILES = {"hostname": "/etc/hostname", "hosts": "/etc/hosts", "resolv.conf": "/etc/resolv.conf"}


async def config(parts: Parts, held: Held, bundle: Bundle, place: Place, points: Sequence[Point]) -> dict[str, Any]:
    """The config.json. InvalidArgument (user, device, sysctl ...), Conflict (a container whose namespace is shared does not run)."""
    joined = {kind: _namespace(parts, kind, mode) for kind, mode in _joined(held.record.config)}
    return await finish(lambda: _config(parts, held.record, bundle, place, points, joined))


def _config(
    parts: Parts, record: Record, bundle: Bundle, place: Place, points: Sequence[Point], joined: Mapping[str, str]
) -> dict[str, Any]:
    config, host = record.config, record.config.host_config
    user = users.lookup(bundle.rootfs, config.user, host.group_add)
    caps = capabilities.resolve(host.cap_add, host.cap_drop, privileged=host.privileged)
    _make_working_dir(bundle.rootfs, config.working_dir)
    return oci.render(
        oci.BundleFacts(
            host=host,
            args=record.args,
            env=oci.environment(config.env, hostname=config.hostname, tty=config.tty, home=user.home),
            rootfs=bundle.rootfs,
            cgroup=bundle.cgroup,
            namespaces=oci.namespaces(
                host,
                network=None if place.netns is None else str(place.netns),
                joined=joined,
                cgroup_version=parts.runtime.hierarchies.version,
            ),
            capabilities=caps,
            seccomp=seccomp.for_options(host.security_opt, caps, privileged=host.privileged),
            cwd=config.working_dir or "/",
            uid=user.uid,
            gid=user.gid,
            groups=user.groups,
            tty=config.tty,
            hostname=config.hostname,
            domainname=config.domainname,
            mounts=[*_files(parts, record, place, points), *_binds(points)],
            devices=_devices(record),
            shared_network=record.network_mode.startswith("container:"),
            shm=_shm(parts, bundle, host),
            apparmor=apparmor.profile(host.security_opt, privileged=host.privileged),
            init=_init() if host.init else None,
            block_numbers=devices.block_numbers(host),
        )
    )


def _files(parts: Parts, record: Record, place: Place, points: Sequence[Point]) -> list[BundleMount]:
    """/etc/hostname, /etc/hosts and /etc/resolv.conf: files of the container's own, writable, unless it mounts something there."""
    taken = {point.row.destination for point in points}
    directory = parts.layout.container(record.id)
    made = []
    for name, content in place.files.items():
        path = content if isinstance(content, Path) else directory / name
        if not isinstance(content, Path):
            _write(path, content)
        if _FILES[name] not in taken and path.exists():
            made.append(BundleMount(_FILES[name], str(path)))
    return made


def _write(path: Path, text: str) -> None:
    """In place: a container that shares the file keeps seeing it."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(fd, "w") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)


def _binds(points: Sequence[Point]) -> list[BundleMount]:
    return [
        BundleMount(p.row.destination, str(p.source), _read_only(p), p.row.propagation, p.row.recursive)
        for p in points
        if p.source is not None
    ]


def _read_only(point: Point) -> bool:
    """As asked for; and what is mounted read-only on the host stays so: crun would make it writable."""
    assert point.source is not None
    return not point.row.writable or bool(os.statvfs(point.source).f_flag & os.ST_RDONLY)


def _devices(record: Record) -> list[devices.Device]:
    host = record.config.host_config
    devices.refuse_requests(host.device_requests)  # as dockerd: at the start, the container stays `created`
    found = devices.host_devices() if host.privileged else []
    for mapping in host.devices:
        found += devices.find(mapping)
    return found


def _make_working_dir(rootfs: Path, working_dir: str) -> None:
    """Made when it is missing, beneath the root: links in the image lead nowhere else."""
    if working_dir in ("", "/"):
        return
    root_fd = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(make_directories(root_fd, working_dir))
    except OSError as error:
        raise EngineError(f"cannot make the working directory {working_dir}: {(error.strerror or '').lower()}") from error
    finally:
        os.close(root_fd)


def _joined(config: ContainerConfig) -> list[tuple[str, str]]:
    host = config.host_config
    return [(kind, mode) for kind, mode in (("pid", host.pid_mode), ("ipc", host.ipc_mode)) if mode.startswith("container:")]


def _namespace(parts: Parts, kind: str, mode: str) -> str:
    target = parts.registry.find(mode.removeprefix("container:"))
    if not target.run.phase.alive:
        raise Conflict(f"cannot join {kind.upper()} namespace of a non running container: {target.id}", hint=f"start {target.name} first")
    return f"/proc/{handle_of(target).init.pid}/ns/{kind}"


def _shm(parts: Parts, bundle: Bundle, host: HostConfig) -> str | None:
    """The directory on the host that is its /dev/shm; None: a tmpfs of its own. InvalidArgument: the other container shares none."""
    mode = host.ipc_mode
    if mode == "host":
        return "/dev/shm"
    if mode == "shareable":
        return str(shm.share(bundle, host.shm_size))
    if mode.startswith("container:"):
        return str(shm.join(parts.bundle(parts.registry.find(mode.removeprefix("container:")))))
    return None


def _init() -> str:
    for path in _INITS:
        if os.access(path, os.X_OK):
            return path
    found = shutil.which("tini-static") or shutil.which("catatonit")
    if found is None:
        raise Unavailable(
            "init: true needs a static init program on this machine, and there is none", hint="apt-get install tini (or catatonit)"
        )
    return found
