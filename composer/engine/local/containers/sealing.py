"""Rows of containers that hold decrypted secrets: their configuration lies in the database encrypted (`composer.engine.local.seal`).

Which ones do is said by the label `SEALED`; that an image or anyone else sets it costs nothing but the encryption.
"""

from __future__ import annotations

import json
from typing import Any

from composer.engine.local.containers.record import Record
from composer.engine.local.seal import SEALED, Seal

_WORD = "sealed"  # in place of the configuration


class SealedRecords:
    """Encodes and decodes the rows."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def encode(self, record: Record) -> dict[str, Any]:
        doc = record.encode()
        if record.config.labels.get(SEALED):
            doc["config"] = {_WORD: self._seal.close(json.dumps(doc["config"], separators=(",", ":")).encode())}
        return doc

    def decode(self, doc: dict[str, Any]) -> Record:
        """Unavailable: the key is another one."""
        if set(doc["config"]) == {_WORD}:
            doc = {**doc, "config": json.loads(self._seal.open(doc["config"][_WORD]))}
        return Record.decode(doc)
