"""The override file of ours: mounts, build contexts, secrets and configs that are files of the repository, at the places where they are
laid out; and a mark on services that hold decrypted values (`SEALED`: the engine keeps them encrypted at rest).

It is written in YAML's flow style, which is JSON but for ``!reset``. Source: Compose Specification, chapter "Merge and override".
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from composer.engine.local.seal import SEALED
from composer.gitops.errors import Refused
from composer.gitops.git.tree import Entry, Found
from composer.gitops.opened import Opened
from composer.spec.model import FileObject, Service, Stack
from composer.spec.normal import normal

if TYPE_CHECKING:
    from composer.gitops.desired import Reader

_RESET = "!reset null"
_SHORTEST = 4  # characters: a shorter secret is in too many texts to be looked for


@dataclass
class Layout:
    """What must be laid out: ``trees``: name -> (path in the tree, entry); ``secrets``: name -> decrypted bytes."""

    content: Path
    secret_directory: Path
    trees: dict[str, tuple[str, Entry]] = field(default_factory=dict)
    secrets: dict[str, bytes] = field(default_factory=dict, repr=False)

    def place(self, path: str, entry: Entry) -> str:
        """The absolute path at which the tree's entry will be."""
        name = f"{entry.oid}{'x' if entry.executable else ''}"
        self.trees[name] = (path, entry)
        return str(self.content / name)

    def hide(self, data: bytes) -> str:
        """The absolute path, on tmpfs, at which the bytes will be."""
        name = hashlib.sha256(data).hexdigest()[:40]
        self.secrets[name] = data
        return str(self.secret_directory / name)

    def tell(self, reader: Reader) -> None:
        """A load that asks for what is laid out is told its bytes."""
        for name, data in self.secrets.items():
            reader.put(str(self.secret_directory / name), Opened(data, secret=True))


async def override(stack: Stack, reader: Reader, layout: Layout) -> str:
    """The file's text; "" when nothing is to be said. Refused: a mount leads out of the repository by a link."""
    services: dict[str, Any] = {}
    for name, service in {**stack.services, **stack.disabled_services}.items():
        said = await _service(service, reader, layout)
        if said:
            services[name] = said
    found: dict[str, Any] = {"services": services} if services else {}
    for kind, objects in (("secrets", stack.declared.secrets), ("configs", stack.declared.configs)):
        said = {key: one for key, item in objects.items() if (one := await _file(kind[:-1], key, item, reader, layout))}
        if said:
            found[kind] = said
    return _text(found) if found else ""


async def _service(service: Service, reader: Reader, layout: Layout) -> dict[str, Any]:
    said: dict[str, Any] = {}
    mounts = []
    for wish in service.volumes:
        if wish.type != "bind" or (relative := reader.relative(wish.source)) is None:
            continue
        found = _sound(reader, relative, f'service "{service.name}" mounts')
        if found.entry is not None:
            mounts.append({**normal(wish), "source": await _laid(found, reader, layout)})
    if mounts:
        said["volumes"] = mounts
    if service.build is not None:
        build = await _build(service, reader, layout)
        if build:
            said["build"] = build
    if reader.hidden and _holds(service, reader.hidden):
        said["labels"] = {SEALED: "1"}
    return said


async def _build(service: Service, reader: Reader, layout: Layout) -> dict[str, Any]:
    """Contexts lie in the whole tree laid out, so that a Dockerfile beside the context is found, too."""
    assert service.build is not None
    said: dict[str, Any] = {}
    root = str(layout.content / reader.tree.entries[""].oid)
    context = reader.relative(service.build.context)
    if service.build.context.startswith("/") and context is not None:
        if _sound(reader, context, f'service "{service.name}" is built from').entry is None:
            raise Refused(f'service "{service.name}" is built from {context}, which the commit does not have')
        said["context"] = posixpath.join(root, context)
    extra = {}
    for name, path in service.build.additional_contexts.items():
        relative = reader.relative(path) if path.startswith("/") else None
        if relative is not None:
            extra[name] = posixpath.join(root, relative)
    if extra:
        said["additional_contexts"] = extra
    if said:
        layout.place("", reader.tree.entries[""])
    return said


def _sound(reader: Reader, path: str, what: str) -> Found:
    found = reader.tree.find(path)
    if found.problem:
        raise Refused(f"{what} {path}, which {found.problem}")
    return found


async def _laid(found: Found, reader: Reader, layout: Layout) -> str:
    """The place of a mounted entry: on tmpfs when it is an encrypted file, else beside the others on disk."""
    assert found.entry is not None
    if not found.entry.folder:
        path = f"{reader.root}/{found.path}"
        if path not in reader.files:
            await reader.answer((path,))
        opened = reader.files[path]
        if opened.secret:
            return layout.hide(opened.data)
    return layout.place(found.path, found.entry)


async def _file(kind: str, key: str, item: FileObject, reader: Reader, layout: Layout) -> dict[str, Any]:
    """A secret or config: a file of the repository; or one whose content holds something decrypted, which must not lie on disk."""
    if item.file and (relative := reader.relative(item.file)) is not None:
        found = _sound(reader, relative, f'{kind} "{key}" is')
        if found.entry is not None and not found.entry.folder:
            return {"file": await _laid(found, reader, layout)}
        return {}
    if not item.file and item.data is not None and any(value.encode() in item.data for value in reader.hidden if len(value) >= _SHORTEST):
        return {"file": layout.hide(item.data), "environment": _RESET, "content": _RESET}
    return {}


def _holds(service: Service, hidden: set[str]) -> bool:
    """Whether a decrypted value is anywhere in the service."""
    text = json.dumps(normal(service), ensure_ascii=False)
    return any(json.dumps(value, ensure_ascii=False)[1:-1] in text for value in hidden if len(value) >= _SHORTEST)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    if value == _RESET:
        return _RESET
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("$", "$$") if isinstance(value, str) else text
