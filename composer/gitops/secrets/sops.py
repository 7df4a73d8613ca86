"""SOPS files with age recipients, decrypted as sops itself does: the data key by age, each value by AES-256-GCM, the whole by its MAC.

A value is authenticated with its path in the document, so none can be moved; the MAC (SHA-512 of all values in order, encrypted) tells
when one was added, removed or put elsewhere. Formats: yaml, json, dotenv, binary. Source: github.com/getsops/sops, README "Encryption
protocol" and "Message Authentication Code".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from composer.gitops.errors import Undecryptable
from composer.gitops.secrets import formats
from composer.gitops.secrets.age import Identity
from composer.gitops.secrets.age import decrypt as age_decrypt

_VALUE = re.compile(r"ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]", re.DOTALL)
# what the MAC begins with when only encrypted values are in it: sha256("sops")
_ONLY_ENCRYPTED = hashlib.sha256(b"sops").digest()
_RULES = ("unencrypted_suffix", "encrypted_suffix", "unencrypted_regex", "encrypted_regex")
_COMMENT_RULES = ("unencrypted_comment_regex", "encrypted_comment_regex")


def kind_of(path: str, data: bytes) -> str:
    """The format of a SOPS file: yaml, json, dotenv, binary; "" when it is none."""
    if b"ENC[AES256_GCM," not in data:
        return ""
    return formats.kind_of(path, data)


def decrypt(path: str, data: bytes, kind: str, keys: Sequence[Identity]) -> tuple[bytes, tuple[str, ...]]:
    """The plain file, and the secrets in it. Undecryptable."""
    document, metadata = formats.read(path, data, kind)
    for rule in _COMMENT_RULES:
        if metadata.get(rule):
            raise Undecryptable(f"{path}: {rule} of SOPS is not supported", hint="choose by suffix or by regular expression")
    opening = _Opening(path, _data_key(path, metadata, keys), metadata)
    plain = opening.walk(document, ())
    opening.check()
    return formats.write(plain, kind), tuple(opening.values)


def _data_key(path: str, metadata: Mapping[str, Any], keys: Sequence[Identity]) -> bytes:
    """The 32 bytes that all values are encrypted with."""
    if metadata.get("key_groups"):
        raise Undecryptable(f"{path}: key groups of SOPS (Shamir) are not supported", hint="encrypt it with one group of age recipients")
    recipients = metadata.get("age") or []
    if not recipients:
        raise Undecryptable(f"{path} has no age recipient", hint="sops encrypt --age RECIPIENT; PGP and cloud keys are not supported")
    for recipient in recipients:
        try:
            key = age_decrypt(path, str(recipient.get("enc", "")).encode(), keys)
        except Undecryptable:
            continue
        if len(key) == 32:
            return key
    raise Undecryptable(f"{path} cannot be decrypted with the age keys given", hint=f"it is encrypted for {_names(recipients)}")


def _names(recipients: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(str(one.get("recipient", "?")) for one in recipients)


@dataclass
class _Opening:
    """One document being decrypted: what was seen of it goes into the MAC."""

    path: str
    key: bytes = field(repr=False)
    metadata: Mapping[str, Any]
    values: list[str] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.only_encrypted = str(self.metadata.get("mac_only_encrypted", "")).lower() == "true"
        self.mac = hashlib.sha512(_ONLY_ENCRYPTED if self.only_encrypted else b"")
        self.rules = {name: str(self.metadata[name]) for name in _RULES if self.metadata.get(name)} or {
            "unencrypted_suffix": "_unencrypted"
        }

    def walk(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {key: self.walk(item, path if isinstance(item, formats.Comment) else (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self.walk(item, path) for item in value]
        if value is None:
            return None
        if isinstance(value, formats.Comment):
            return self._comment(value, path)
        return self._leaf(value, path)

    def _leaf(self, value: Any, path: tuple[str, ...]) -> Any:
        encrypted = self.is_encrypted(path)
        if encrypted:
            if not isinstance(value, str):
                raise Undecryptable(f"{self.path}: {'.'.join(path)} is not encrypted, and should be")
            value = self.open(value, ":".join(path) + ":")
            if isinstance(value, str):
                self.values.append(value)
            elif isinstance(value, bytes):
                self.values.append(value.decode("utf-8", "replace"))
            else:
                self.values.append(text_of(value).decode())
        if encrypted or not self.only_encrypted:
            self.mac.update(text_of(value))
        return value

    def _comment(self, value: formats.Comment, path: tuple[str, ...]) -> Any:
        """Comments are in no MAC; one that was never encrypted stays as it is."""
        if not _VALUE.fullmatch(value.text):
            return value
        found = self.open(value.text, ":".join(path) + ":")
        return formats.Comment(str(found))

    def is_encrypted(self, path: tuple[str, ...]) -> bool:
        for name, rule in self.rules.items():
            hit = any(part.endswith(rule) if name.endswith("_suffix") else self._matches(rule, part) for part in path)
            if hit == name.startswith("unencrypted"):
                return False
        return True

    def _matches(self, rule: str, part: str) -> bool:
        try:
            return re.search(rule, part) is not None
        except re.error as error:
            raise Undecryptable(f"{self.path}: the rule {rule!r} of SOPS is not understood: {error}") from error

    def open(self, text: str, place: str) -> Any:
        """One value. Undecryptable: it was altered, or stands elsewhere than it was encrypted."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if text == "":
            return ""
        found = _VALUE.fullmatch(text)
        if found is None:
            raise Undecryptable(f"{self.path}: the value at {place[:-1].replace(':', '.')} is not encrypted, and should be")
        try:
            data, nonce, tag = (base64.b64decode(part, validate=True) for part in found.groups()[:3])
            plain = AESGCM(self.key).decrypt(nonce, data + tag, place.encode())
            return _typed(plain, found[4])
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise Undecryptable(
                f"{self.path}: the value at {place[:-1].replace(':', '.')} was altered or moved",
                hint="restore it, or encrypt it again with sops",
            ) from error

    def check(self) -> None:
        """The MAC fits. Undecryptable."""
        wanted = (
            self.open(str(self.metadata.get("mac") or ""), str(self.metadata.get("lastmodified", ""))) if self.metadata.get("mac") else ""
        )
        if not wanted or not hmac.compare_digest(str(wanted).encode(), self.mac.hexdigest().upper().encode()):
            raise Undecryptable(
                f"{self.path}: its message authentication code does not fit: values were added, removed or changed",
                hint="restore the file, or encrypt it again with sops",
            )


def _typed(plain: bytes, kind: str) -> Any:
    """A value of the type that it had. ValueError."""
    if kind == "str":
        return _string(plain)
    text = plain.decode() if kind != "bytes" else ""
    match kind:
        case "comment" | "time":
            return text
        case "int" | "int64":
            return int(text)
        case "float":
            return float(text)
        case "bool":
            return {"True": True, "False": False, "true": True, "false": False}[text]
        case "bytes":
            return plain
    raise ValueError(f"unknown type {kind}")


def _string(plain: bytes) -> str | bytes:
    """Go's strings are bytes: a binary file is one, too."""
    try:
        return plain.decode()
    except UnicodeDecodeError:
        return plain


def text_of(value: Any) -> bytes:
    """A value as it goes into the MAC: numbers as Go's strconv writes them, booleans with a capital."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"True" if value else b"False"
    if isinstance(value, float):
        text = format(Decimal(repr(value)), "f")
        return (text.removesuffix(".0") if text.endswith(".0") else text).encode()
    return str(value).encode()
