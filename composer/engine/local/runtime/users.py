"""Which user a container's process is: "NAME|UID[:GROUP|GID]" looked up in the passwd and group files beneath the container's root.

Docker's rules and words (moby/sys user.GetExecUser). Formats: passwd(5), group(5). The files are untrusted: opened beneath the root.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from composer.engine.errors import InvalidArgument
from composer.engine.local.linux.beneath import open_in_root

_LIMIT = 4 << 20  # bytes of a passwd or group file that are read
_MAX_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class User:
    """``groups``: the supplementary ones, without duplicates. ``name`` is "" when only a number is known."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = "/"
    name: str = ""


def lookup(root: Path | int, spec: str, group_add: Sequence[str] = ()) -> User:
    """The user ``spec`` ("" = root) names in the root directory ``root`` (a path, or an fd of it).

    Raises InvalidArgument: "unable to find user x: no matching entries in passwd file", the same for groups, ids out of range.
    """
    if isinstance(root, int):
        return _lookup(root, spec, group_add)
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _lookup(fd, spec, group_add)
    finally:
        os.close(fd)


def _lookup(root: int, spec: str, group_add: Sequence[str]) -> User:
    wished_user, _, wished_group = spec.partition(":")
    passwd, group = _rows(root, "etc/passwd", 7), _rows(root, "etc/group", 4)
    user = _user(passwd, wished_user)
    if wished_group:
        gid = _gid(group, wished_group)
        groups: list[int] = []
    else:
        gid = user.gid
        groups = [_number(row[2]) for row in group if user.name and user.name in row[3].split(",")]
    groups += [_gid(group, wish) for wish in group_add]
    return User(user.uid, gid, tuple(dict.fromkeys(groups)), user.home, user.name)


def _user(passwd: list[list[str]], wish: str) -> User:
    wish = wish or "0"
    uid = _parse(wish)
    for row in passwd:
        if row[0] == wish or (uid is not None and row[2] == str(uid)):
            return User(_in_range(row[2]), _in_range(row[3]), (), row[5] or "/", row[0])
    if uid is None:
        raise InvalidArgument(f"unable to find user {wish}: no matching entries in passwd file")
    return User(_in_range(wish), 0)


def _gid(group: list[list[str]], wish: str) -> int:
    for row in group:
        if row[0] == wish:
            return _in_range(row[2])
    if _parse(wish) is None:
        raise InvalidArgument(f"unable to find group {wish}: no matching entries in group file")
    return _in_range(wish)


def _in_range(text: str) -> int:
    number = _parse(text)
    if number is None or not 0 <= number <= _MAX_ID:
        raise InvalidArgument("uids and gids must be in range 0-2147483647")
    return number


def _parse(text: str) -> int | None:
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() else None


def _number(text: str) -> int:
    return _parse(text) or 0


def _rows(root: int, path: str, fields: int) -> list[list[str]]:
    """The lines that have enough fields; no file, no rows."""
    try:
        fd = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        text = _read(fd).decode(errors="replace")
    except OSError:  # a directory, or a fifo without a writer
        return []
    finally:
        os.close(fd)
    rows = [line.split(":") for line in text.splitlines() if line and not line.startswith("#")]
    return [row for row in rows if len(row) >= fields]


def _read(fd: int) -> bytes:
    data = b""
    while len(data) < _LIMIT and (piece := os.read(fd, _LIMIT - len(data))):
        data += piece
    return data
