"""Paths of the host: bind sources, devices, the files of secrets and configs. Pure.

docker compose makes a directory of a bind source that is missing, unless `create_host_path` is false; that is kept, and said where the
path looks like a file's, because a directory in its place is then what the container finds.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from composer.engine.model.facts import BENEATH_FILE, DANGLING, DEVICE, DIRECTORY, FILE, MISSING, UNREADABLE, PathFact
from composer.reconcile.precheck.finding import WARNING, Finding
from composer.reconcile.precheck.scene import Scene
from composer.spec.model import FileObject, Grant, Service, ServiceVolume, Volume
from composer.spec.problems import did_you_mean

_BIND = 'invalid mount config for type "bind": bind source path does not exist'
_EXTENSION = re.compile(r".+\.[A-Za-z][A-Za-z0-9]{0,9}")
_NO_FILE = re.compile(
    r".*\.(d|git|local|cache|ssh|aws|docker|config|kube|npm|m2|gnupg|app|bak|old|orig|data|com|org|net|io|dev)", re.IGNORECASE
)
_NAMES = frozenset(
    {"dockerfile", "makefile", "caddyfile", "procfile", "jenkinsfile", "known_hosts", "authorized_keys", "id_rsa", "id_ed25519"}
)


def sources(scene: Scene) -> Iterator[str]:
    """The paths that are bound into containers, and the devices of volumes that bind."""
    for service in scene.touched:
        for mount in service.volumes:
            if _is_bind(mount):
                yield mount.source
        for grant in (*service.secrets, *service.configs):
            one = _object(scene, service, grant)
            if one is not None and one.file and not one.external:
                yield one.file
    for _, volume in _volumes(scene):
        if _bound(volume):
            yield volume.driver_opts["device"]


def devices(scene: Scene) -> Iterator[str]:
    """The device paths of services; a name of the Container Device Interface is none."""
    return (device.source for service in scene.touched for device in service.devices if device.source.startswith("/"))


def _is_bind(mount: ServiceVolume) -> bool:
    return mount.type == "bind" and mount.source.startswith("/")


def _object(scene: Scene, service: Service, grant: Grant) -> FileObject | None:
    return scene.stack.secrets.get(grant.source) if grant in service.secrets else scene.stack.configs.get(grant.source)


def _volumes(scene: Scene) -> Iterator[tuple[str, Volume]]:
    """Those of the stack that something which starts uses."""
    used = {mount.source for service in scene.touched for mount in service.volumes if mount.type == "volume"}
    return ((key, volume) for key, volume in scene.stack.volumes.items() if key in used and not volume.external)


def _bound(volume: Volume) -> bool:
    words = volume.driver_opts.get("o", "").split(",")
    return volume.driver in ("", "local") and volume.driver_opts.get("device", "").startswith("/") and ("bind" in words or "rbind" in words)


def check_paths(scene: Scene) -> Iterator[Finding]:
    """All findings about paths."""
    for service in scene.touched:
        for index, mount in enumerate(service.volumes):
            fact = scene.facts.paths.get(mount.source) if _is_bind(mount) else None
            if fact is not None:
                yield from _bind(mount, fact, ("services", service.name, "volumes", index, "source"))
        for index, device in enumerate(service.devices):
            fact = scene.facts.paths.get(device.source)
            if fact is not None:
                yield from _device(device.source, fact, ("services", service.name, "devices", index, "source"))
    for key, volume in _volumes(scene):
        fact = scene.facts.paths.get(volume.driver_opts.get("device", "")) if _bound(volume) else None
        if fact is not None and fact.kind != DIRECTORY and fact.kind != FILE:
            source = volume.driver_opts["device"]
            message = f"failed to mount local volume: mount {source}: {_why(fact)}: volume '{key}' binds it"
            yield Finding("plan.volume-device", message, ("volumes", key, "driver_opts", "device"), f"make it: mkdir -p {source}")
    yield from check_files(scene)


def _bind(mount: ServiceVolume, fact: PathFact, path: tuple[str | int, ...]) -> Iterator[Finding]:
    source = mount.source
    if fact.kind == MISSING and not mount.creates_source:
        hint = f"make it: mkdir -p {source}; or have it made: create_host_path: true"
        yield Finding("plan.bind-missing", f"{_BIND}: {source}", path, hint)
    elif fact.kind == MISSING and looks_like_file(source):
        message = f"{source} does not exist: a directory of that name will be made and mounted, and the name looks like a file's"
        yield Finding("plan.bind-made", message, path, "make the file first if it is to be one", severity=WARNING)
    elif fact.kind == BENEATH_FILE:
        message = f"error while creating mount source path '{source}': not a directory: {fact.detail} is a file"
        yield Finding("plan.bind-beneath-file", message, path, "mount the file itself, or another path")
    elif fact.kind == DANGLING:
        message = f"{_BIND}: {source} is a link to {fact.detail}, which does not exist"
        yield Finding("plan.bind-missing", message, path, "make what it leads to, or mount another path")
    elif fact.kind == UNREADABLE:
        yield Finding("plan.bind-unreadable", f"{source} cannot be mounted: {fact.detail}", path, "the engine must be able to reach it")


def looks_like_file(path: str) -> bool:
    """By its name: an extension that is not one of directories, or a name that only files have."""
    name = posixpath.basename(path)
    return name.lower() in _NAMES or (_EXTENSION.fullmatch(name) is not None and _NO_FILE.fullmatch(name) is None) or name == ".env"


def _device(source: str, fact: PathFact, path: tuple[str | int, ...]) -> Iterator[Finding]:
    if fact.kind in (DEVICE, DIRECTORY):
        return
    why = "no such file or directory" if fact.kind in (MISSING, DANGLING, BENEATH_FILE) else "not a device node"
    message = f'error gathering device information while adding custom device "{source}": {why}'
    yield Finding("plan.device", message, path, "`ls /dev` shows the devices of this machine")


def _why(fact: PathFact) -> str:
    if fact.kind == UNREADABLE:
        return fact.detail
    return "not a directory" if fact.kind == BENEATH_FILE else "no such file or directory"


def check_files(scene: Scene) -> Iterator[Finding]:
    """The content of secrets and configs: there, readable, no directory; and not external, which only Swarm has."""
    told: set[tuple[str, str]] = set()
    for service in scene.made:
        for kind, grants, objects in (("secret", service.secrets, scene.stack.secrets), ("config", service.configs, scene.stack.configs)):
            for index, grant in enumerate(grants):
                one = objects.get(grant.source)
                if one is None or (kind, grant.source) in told:
                    continue
                told.add((kind, grant.source))
                yield from _content(kind, grant.source, one, [name for name, other in objects.items() if other.data is not None])
                yield from _owner(service, kind, index, grant, one)


def _content(kind: str, name: str, one: FileObject, others: list[str]) -> Iterator[Finding]:
    place = (f"{kind}s", name)
    if one.external:
        hint = did_you_mean(one.name or name, others) or "give it a file, a content or an environment variable"
        yield Finding("plan.external", f"unsupported external {kind} {one.name or name}", (*place, "external"), hint)
    elif one.file and one.data is None:
        if "is a directory" in one.problem:
            message = f'the file of {kind} "{name}", {one.file}, is a directory'
            yield Finding(f"plan.{kind}-file", message, (*place, "file"), "name a file in it")
        else:
            message = f"{_BIND}: {one.file}: the file of {kind} '{name}'{_reason(one)}"
            yield Finding(f"plan.{kind}-file", message, (*place, "file"), f"make it, or name another file: {one.file}")
    elif one.data is None:
        yield Finding(f"plan.{kind}-content", one.problem or f'{kind} "{name}" has no content', (*place, "environment"), "set the variable")


def _reason(one: FileObject) -> str:
    return "" if "not found" in one.problem or not one.problem else f" ({one.problem.rpartition(', ')[2]})"


def _owner(service: Service, kind: str, index: int, grant: Grant, one: FileObject) -> Iterator[Finding]:
    if one.file or one.external:
        return
    for field in ("uid", "gid"):
        text = getattr(grant, field)
        if text and not text.isdigit():
            message = f"invalid {field} {text!r} of {kind} '{grant.source}': a number is needed"
            yield Finding("plan.owner", message, ("services", service.name, f"{kind}s", index, field), "such as 1000")
