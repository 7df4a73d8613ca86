"""docker run's --mount and --tmpfs."""

from __future__ import annotations

import os
from typing import Any

from composer.cli.units import parse_size

TRUE = ("", "true", "1")


def mount(text: str) -> dict[str, Any]:
    """``type=bind,source=/a,target=/b,readonly`` as the API's Mount. Raises ValueError."""
    made: dict[str, Any] = {"Type": "volume"}
    for part in text.split(","):
        key, _, value = part.partition("=")
        _set(made, key.strip().lower(), value)
    if "Target" not in made:
        raise ValueError(f"invalid argument {text!r} for --mount: target is required")
    if made["Type"] == "bind" and made.get("Source", "").startswith("."):
        made["Source"] = os.path.abspath(made["Source"])
    return made


def _set(made: dict[str, Any], key: str, value: str) -> None:
    if key == "type":
        made["Type"] = value
    elif key in ("source", "src"):
        made["Source"] = value
    elif key in ("target", "dst", "destination"):
        made["Target"] = value
    elif key in ("readonly", "ro"):
        made["ReadOnly"] = value in TRUE
    elif key == "consistency":
        made["Consistency"] = value
    elif key == "bind-propagation":
        made.setdefault("BindOptions", {})["Propagation"] = value
    elif key in ("bind-nonrecursive", "bind-create-src"):
        name = "NonRecursive" if key == "bind-nonrecursive" else "CreateMountpoint"
        made.setdefault("BindOptions", {})[name] = value in TRUE
    elif key == "volume-nocopy":
        made.setdefault("VolumeOptions", {})["NoCopy"] = value in TRUE
    elif key == "volume-subpath":
        made.setdefault("VolumeOptions", {})["Subpath"] = value
    elif key == "volume-driver":
        made.setdefault("VolumeOptions", {}).setdefault("DriverConfig", {})["Name"] = value
    elif key in ("volume-opt", "volume-label"):
        name, _, setting = value.partition("=")
        options = made.setdefault("VolumeOptions", {})
        home = (
            options.setdefault("Labels", {}) if key == "volume-label" else options.setdefault("DriverConfig", {}).setdefault("Options", {})
        )
        home[name] = setting
    elif key == "tmpfs-size":
        made.setdefault("TmpfsOptions", {})["SizeBytes"] = parse_size(value)
    elif key == "tmpfs-mode":
        made.setdefault("TmpfsOptions", {})["Mode"] = int(value, 8)
    else:
        raise ValueError(f"invalid argument for --mount: unexpected key '{key}'")


def tmpfs(text: str) -> tuple[str, str]:
    target, _, options = text.partition(":")
    return target, options
