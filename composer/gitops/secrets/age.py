"""age: identities from their files (X25519, or an ssh private key), and decryption, by pyrage. Source: C2SP "age-encryption.org/v1"."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from composer.gitops.errors import Undecryptable

_HEAD = b"age-encryption.org/v1\n"
_ARMOR = b"-----BEGIN AGE ENCRYPTED FILE-----"
_FOOT = b"-----END AGE ENCRYPTED FILE-----"
_KEY_MAX = 64 << 10  # bytes of an identity file

Identity = Any  # pyrage's own types


def is_encrypted(data: bytes) -> bool:
    """The whole file is age's."""
    return data.startswith(_HEAD) or data.lstrip()[: len(_ARMOR)] == _ARMOR


def identities(paths: Sequence[str]) -> list[Identity]:
    """All identities of the files. Undecryptable: one cannot be read, or holds none."""
    from pyrage import IdentityError, ssh, x25519

    found: list[Identity] = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                data = file.read(_KEY_MAX)
            if b"PRIVATE KEY-----" in data:
                found.append(ssh.Identity.from_buffer(data))
                continue
            lines = [line.strip() for line in data.decode().splitlines()]
            keys = [line for line in lines if line and not line.startswith("#")]
            found += [x25519.Identity.from_str(line) for line in keys]
        except OSError as error:
            raise Undecryptable(f"the age key {path} cannot be read: {error.strerror}") from error
        except (IdentityError, ValueError) as error:
            raise Undecryptable(
                f"{path} is no age identity", hint="age-keygen makes one; an ssh private key without passphrase will do"
            ) from error
        if not keys:
            raise Undecryptable(f"{path} holds no age identity")
    return found


def decrypt(path: str, data: bytes, keys: Sequence[Identity]) -> bytes:
    """The plain bytes. Undecryptable: none of the identities fits, or the file was altered."""
    import pyrage

    try:
        return bytes(pyrage.decrypt(dearmored(data), list(keys)))
    except (pyrage.DecryptError, ValueError) as error:
        raise Undecryptable(
            f"{path} cannot be decrypted with the age keys given", hint="is it encrypted for one of them, and whole?"
        ) from error


def dearmored(data: bytes) -> bytes:
    """The binary form. Undecryptable: the armor is broken."""
    text = data.strip()
    if not text.startswith(_ARMOR):
        return data
    lines = text.splitlines()
    if lines[-1].strip() != _FOOT:
        raise Undecryptable("an age file's armor is broken: its end is missing")
    try:
        return base64.b64decode(b"".join(line.strip() for line in lines[1:-1]), validate=True)
    except binascii.Error as error:
        raise Undecryptable("an age file's armor is broken") from error
