"""The image under construction: its OCI configuration, layer by layer. Pure.

Source: OCI image specification, "Image Configuration"; Docker's additions (Healthcheck, OnBuild, Shell) as dockerd writes them.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHELL = ["/bin/sh", "-c"]


@dataclass
class Draft:
    """``config``: the section of that name, with Docker's keys. ``chain_ids``: of its layers, lowest first."""

    architecture: str
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    diff_ids: list[str] = field(default_factory=list)
    chain_ids: list[str] = field(default_factory=list)
    author: str = ""
    variant: str = ""
    cmd_here: bool = False  # CMD was given in this Dockerfile: ENTRYPOINT does not reset it

    @classmethod
    def scratch(cls, architecture: str) -> Draft:
        return cls(architecture, {"Env": [f"PATH={DEFAULT_PATH}"]})

    @classmethod
    def based_on(cls, image: dict[str, Any], chain_ids: list[str]) -> Draft:
        """``image``: the OCI configuration of the base image."""
        image = copy.deepcopy(image)
        return cls(
            image.get("architecture", ""),
            image.get("config") or {},
            image.get("history") or [],
            list((image.get("rootfs") or {}).get("diff_ids") or []),
            list(chain_ids),
            image.get("author", ""),
            image.get("variant", ""),
        )

    def copy(self) -> Draft:
        return copy.deepcopy(self)

    @property
    def shell(self) -> list[str]:
        return list(self.config.get("Shell") or DEFAULT_SHELL)

    @property
    def workdir(self) -> str:
        return str(self.config.get("WorkingDir") or "/")

    @property
    def user(self) -> str:
        return str(self.config.get("User") or "")

    def environment(self) -> dict[str, str]:
        """ENV as a mapping, in order."""
        return dict(entry.partition("=")[::2] for entry in self.config.get("Env") or [])

    def record(self, created: str, created_by: str, *, diff_id: str = "", chain_id: str = "") -> None:
        """Note a step in the history, with its layer when it made one."""
        entry: dict[str, Any] = {"created": created, "created_by": created_by, "comment": "composer"}
        if diff_id:
            self.diff_ids.append(diff_id)
            self.chain_ids.append(chain_id)
        else:
            entry["empty_layer"] = True
        self.history.append(entry)

    def encode(self, created: str, labels: dict[str, str]) -> bytes:
        """The configuration's bytes; their digest is the image's id."""
        config = copy.deepcopy(self.config)
        if labels:
            config["Labels"] = {**(config.get("Labels") or {}), **labels}
        image: dict[str, Any] = {
            "architecture": self.architecture,
            "os": "linux",
            "created": created,
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": self.diff_ids},
            "history": self.history,
        }
        if self.author:
            image["author"] = self.author
        if self.variant:
            image["variant"] = self.variant
        return json.dumps(image, separators=(",", ":"), sort_keys=True).encode()
