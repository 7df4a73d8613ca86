"""What removing an image by a reference or an id comes to: names only, or itself; and when it is refused. Pure.

Source: the rules and words of moby daemon/images/image_delete.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from composer.engine.errors import Conflict, NotFound
from composer.engine.local.image import reference as references
from composer.engine.local.image.record import ImageRecord
from composer.engine.local.image.reference import Reference


@dataclass(frozen=True)
class Removal:
    """``names``: canonical references that go. ``whole``: the image itself goes, too."""

    names: tuple[str, ...]
    whole: bool


def decide(record: ImageRecord, ref: str, *, force: bool, users: Sequence[str]) -> Removal:
    """``users``: names of the containers that stand on the image. Raises Conflict or NotFound."""
    every = (*record.tags, *record.digests)
    short = record.id[7:19]
    if _is_id(record, ref):
        if not _one_repository(record) and not force:
            raise Conflict(
                f"conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories",
                hint="name one of its references, or use force",
            )
        if users and not force:
            raise Conflict(f"conflict: unable to delete {short} (must be forced) - image is being used by container {users[0]}")
        return Removal(every, whole=True)
    name = references.parse(ref)
    gone = {str(name if name.digest else name.with_default_tag())}
    if not gone <= set(every):
        raise NotFound(f"No such image: {name.with_default_tag().familiar}")
    if not any(_names(one, name) for one in record.tags if one not in gone):
        gone.update(one for one in record.digests if _names(one, name))  # digests alone do not keep a repository's image
    left = [one for one in every if one not in gone]
    if not left and users and not force:
        raise Conflict(
            f'conflict: unable to remove repository reference "{ref}" (must force) - container {users[0]} is using its referenced image '
            f"{short}",
            hint=f"remove the container {users[0]} first, or use force",
        )
    return Removal(tuple(one for one in every if one in gone), whole=not left)


def _is_id(record: ImageRecord, ref: str) -> bool:
    return record.id == ref or (record.id[7:].startswith(ref.removeprefix("sha256:")) and not _is_name(record, ref))


def _is_name(record: ImageRecord, ref: str) -> bool:
    if ref.startswith("sha256:") or len(ref) == 64:
        return False
    return str(references.parse(ref).with_default_tag()) in record.tags


def _names(name: str, wanted: Reference) -> bool:
    return references.parse(name).name == wanted.name


def _one_repository(record: ImageRecord) -> bool:
    """At most one tag, and all references of one repository."""
    names = {references.parse(name).name for name in (*record.tags, *record.digests)}
    return len(record.tags) <= 1 and len(names) <= 1
