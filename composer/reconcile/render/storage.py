"""What a service mounts: volumes, binds, tmpfs, secrets and configs. Pure.

A secret or config that is a file of the user's is a bind mount of that file, as docker compose has it. One whose content is in the stack
(`environment`, `content`) is written by the daemon into a directory that only root reads, under a name made from its content, owner and
mode, and mounted read-only: so it is in no layer, no log and no image, works below a read-only root, and a change replaces the container.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from composer.engine.errors import Unsupported
from composer.engine.model import BindOptions, ImageOptions, Mount, TmpfsOptions, VolumeOptions
from composer.errors import ComposerError
from composer.reconcile.model import ContentFile
from composer.spec.model import BindOptions as SpecBind
from composer.spec.model import FileObject, Grant, Service, ServiceVolume, Stack


@dataclass(frozen=True, slots=True)
class Storage:
    """The three forms in which the engine takes mounts, the files to be written before, and the named volumes used."""

    binds: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    files: tuple[ContentFile, ...] = ()
    volumes: tuple[str, ...] = ()


def storage(stack: Stack, service: Service, content: str) -> Storage:
    """``content``: the directory for secrets and configs whose content is in the stack."""
    binds: list[str] = []
    mounts: list[Mount] = []
    named: list[str] = []
    for wish in service.volumes:
        if wish.type == "volume" and wish.source:
            volume = stack.volumes[wish.source]
            named.append(volume.name)
        bind = _as_bind(stack, wish)
        if bind:
            binds.append(bind)
        else:
            mounts.append(_as_mount(stack, service, wish))
    files: list[ContentFile] = []
    for kind, grants, objects, usual in (
        ("secret", service.secrets, stack.secrets, "/run/secrets/"),
        ("config", service.configs, stack.configs, "/"),
    ):
        for grant in grants:
            mount, file = _grant(kind, service, grant, objects, usual, content)
            mounts.append(mount)
            if file is not None:
                files.append(file)
    return Storage(tuple(binds), tuple(mounts), tuple(files), tuple(dict.fromkeys(named)))


def api_socket(path: str) -> Mount:
    """`use_api_socket`: the engine's socket, where Docker's clients look for it. Raises Unsupported where the engine has none here."""
    if not path:
        raise Unsupported("use_api_socket: this engine has no socket on this machine")
    return Mount(type="bind", source=path, target="/var/run/docker.sock")


def _as_bind(stack: Stack, wish: ServiceVolume) -> str:
    """ "SOURCE:TARGET:OPTIONS" for what that form can say, as docker compose sends it; else ""."""
    mode = ["ro" if wish.read_only else "rw"]
    if wish.type == "bind" and (wish.bind is None or wish.bind.create_host_path):  # without `bind` the source is made, too
        options = wish.bind or SpecBind()
        mode += [option for option in (options.selinux, options.propagation) if option]
        return "" if options.recursive else f"{wish.source}:{wish.target}:{','.join(mode)}"
    if wish.type == "volume" and wish.source and not (wish.volume and (wish.volume.subpath or wish.volume.labels)):
        if wish.volume is not None and wish.volume.nocopy:
            mode.append("nocopy")
        return f"{stack.volumes[wish.source].name}:{wish.target}:{','.join(mode)}"
    return ""


def _as_mount(stack: Stack, service: Service, wish: ServiceVolume) -> Mount:
    base = Mount(target=wish.target, type=wish.type, read_only=wish.read_only, consistency=wish.consistency, source=wish.source)
    if wish.type == "bind":
        options = wish.bind
        recursive = options.recursive if options else ""
        return base.replace(
            bind_options=BindOptions(
                propagation=options.propagation if options else "",
                create_mountpoint=bool(options and options.create_host_path),
                non_recursive=recursive == "disabled",
                read_only_non_recursive=recursive == "writable",
                read_only_force_recursive=recursive == "readonly",
            )
        )
    if wish.type == "volume":
        asked = wish.volume
        options_ = VolumeOptions(no_copy=asked.nocopy, labels=dict(asked.labels), subpath=asked.subpath) if asked else None
        return base.replace(source=stack.volumes[wish.source].name if wish.source else "", volume_options=options_)
    if wish.type == "tmpfs":
        size = TmpfsOptions(size_bytes=wish.tmpfs.size, mode=wish.tmpfs.mode) if wish.tmpfs else None
        return base.replace(source="", tmpfs_options=size)
    if wish.type == "image":
        return base.replace(image_options=ImageOptions(subpath=wish.image.subpath if wish.image else ""))
    raise Unsupported(f'service "{service.name}": a volume of type {wish.type} is not supported', hint="use volume, bind, tmpfs or image")


def _grant(
    kind: str, service: Service, grant: Grant, objects: Mapping[str, FileObject], usual: str, content: str
) -> tuple[Mount, ContentFile | None]:
    found = objects[grant.source]
    if found.external:
        raise Unsupported(
            f"unsupported external {kind} {found.name or grant.source}", hint="give it a file, a content or an environment variable"
        )
    target = grant.target or grant.source
    if not target.startswith("/"):
        target = usual + target
    if found.file:
        if found.data is None:
            raise ComposerError(
                f'invalid mount config for type "bind": bind source path does not exist: {found.file}',
                hint=f'it is the {kind} "{grant.source}" of service "{service.name}"',
            )
        return Mount(type="bind", source=found.file, target=target, read_only=True), None
    if found.data is None:
        raise ComposerError(found.problem or f'{kind} "{grant.source}" has no content')
    mode = grant.mode if grant.mode is not None else 0o444
    name = hashlib.sha256(b"%d:%d:%o:" % (_number(grant.uid), _number(grant.gid), mode) + found.data).hexdigest()[:32]
    file = ContentFile(f"{content}/{name}", found.data, _number(grant.uid), _number(grant.gid), mode)
    return Mount(type="bind", source=file.path, target=target, read_only=True), file


def _number(text: str) -> int:
    if text and not text.isdigit():
        raise ComposerError(f"invalid uid or gid {text!r}: a number is needed")
    return int(text or 0)
