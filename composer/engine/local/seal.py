"""Values that lie on disk only encrypted: AES-SIV (RFC 5297) under a key of this engine alone, made when it is first needed.

The key is a file that only root reads, as the keys are with which such values were decrypted in the first place: what sealing keeps is
that no secret is in a database, a copy of one, or a stack's stored files. Equal values seal to equal texts, so sealing changes no hash.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from composer.engine.errors import Unavailable
from composer.engine.local.files import write_atomic

KEY_FILE = "seal.key"  # in the root
SEALED = "composer.sealed"  # a container's label: its configuration holds decrypted secrets
_KEY = 64  # bytes: AES-256-SIV


class Seal:
    """``path``: of the key's file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key = b""

    def close(self, data: bytes) -> str:
        """The bytes as a text that only this engine opens. Unavailable: the key cannot be written or read."""
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        return base64.b64encode(AESSIV(self._found()).encrypt(b"\0" + data, [b"composer"])).decode()  # AESSIV takes no empty text

    def open(self, text: str) -> bytes:
        """What was sealed. Unavailable: it was sealed by another engine, or altered."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        try:
            return AESSIV(self._found()).decrypt(base64.b64decode(text, validate=True), [b"composer"])[1:]
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise Unavailable(
                "a sealed value cannot be opened", hint=f"{self._path} is not the key that it was sealed with; sync or run `up` again"
            ) from error

    def _found(self) -> bytes:
        if not self._key:
            try:
                if not self._path.exists():
                    write_atomic(self._path, os.urandom(_KEY), mode=0o600)
                key = self._path.read_bytes()
            except OSError as error:
                raise Unavailable(f"the key {self._path} cannot be used: {error.strerror}") from error
            if len(key) != _KEY:
                raise Unavailable(f"{self._path} is not a key of {_KEY} bytes", hint="restore it from a copy")
            self._key = key
        return self._key
