"""Compiled system call filters, kept: crun compiles a profile in 15 ms of CPU for each container, though there are only a few profiles.

crun leaves its compiled program (BPF) in the container's record. The first container of a profile pays; its program is kept and handed to
crun for the next ones by the annotation run.oci.seccomp_bpf_data (crun(1)). Exec'd processes get the same filter from crun's record.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from composer.engine.local.files import write_atomic

_ANNOTATION = "run.oci.seccomp_bpf_data"
_INSTRUCTION = 8  # bytes of a struct sock_filter
_LIMIT = 4096  # instructions (BPF_MAXINSNS)
_TEXTS = 32  # profiles whose digest is kept


class Filters:
    """The programs known so far, by profile, program version and kernel; kept in ``directory`` until the next boot."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, str] = {}
        self._texts: dict[int, tuple[Any, str]] = {}  # by identity: the default profile is one object for all containers

    def apply(self, config: Mapping[str, Any], program: str) -> Mapping[str, Any]:
        """``config`` with the compiled filter in place of its profile, when that is known."""
        key = self._key(config, program)
        compiled = self._load(key) if key else None
        if compiled is None:
            return config
        linux = {name: value for name, value in config["linux"].items() if name != "seccomp"}
        return {**config, "linux": linux, "annotations": {**config.get("annotations", {}), _ANNOTATION: compiled}}

    def learn(self, config: Mapping[str, Any], program: str, record: Path) -> None:
        """Keep what crun compiled for the container whose record is the directory ``record``."""
        key = self._key(config, program)
        if not key or key in self._known:
            return
        try:
            compiled = (record / "seccomp.bpf").read_bytes()
            if not compiled or len(compiled) % _INSTRUCTION or len(compiled) > _LIMIT * _INSTRUCTION:
                return
            self._directory.mkdir(mode=0o700, exist_ok=True)
            write_atomic(self._directory / key, compiled, mode=0o600, durable=False)
        except OSError:  # then the next container pays again, no more
            return
        self._known[key] = base64.b64encode(compiled).decode()

    def _load(self, key: str) -> str | None:
        if key not in self._known:
            try:
                self._known[key] = base64.b64encode((self._directory / key).read_bytes()).decode()
            except FileNotFoundError:
                return None
        return self._known[key]

    def _text(self, profile: Mapping[str, Any]) -> str:
        known = self._texts.get(id(profile))
        if known is None:
            if len(self._texts) >= _TEXTS:
                self._texts.clear()
            digest = hashlib.sha256(json.dumps(profile, sort_keys=True).encode()).hexdigest()
            known = self._texts[id(profile)] = (profile, digest)  # kept, so that no other object gets its identity
        return known[1]

    def _key(self, config: Mapping[str, Any], program: str) -> str:
        """What a compiled program depends on; "" for a profile that must stay as it is (its decisions are made by a listener)."""
        profile = config.get("linux", {}).get("seccomp")
        if not profile or profile.get("listenerPath") or profile.get("flags") or not program.endswith("crun"):
            return ""
        made = os.stat(program)
        parts = [self._text(profile), program, str(made.st_size), str(made.st_mtime_ns), platform.release()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()
