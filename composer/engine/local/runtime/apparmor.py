"""The AppArmor profile of a container: the one that is asked for, else Docker's default where the machine has it loaded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

DEFAULT = "docker-default"
_ENABLED = Path("/sys/module/apparmor/parameters/enabled")
_PROFILES = Path("/sys/kernel/security/apparmor/profiles")


def profile(security_opt: Iterable[str], *, privileged: bool = False) -> str:
    """For ``BundleFacts.apparmor``; "" where the kernel has no AppArmor, or only the default is wished and not loaded."""
    if not _enabled():
        return ""
    wish = ""
    for option in security_opt:
        name, _, value = option.replace(":", "=", 1).partition("=")
        if name == "apparmor":
            wish = value
    if wish or privileged:
        return wish or "unconfined"
    return DEFAULT if _loaded(DEFAULT) else ""


def _enabled() -> bool:
    try:
        return _ENABLED.read_text().strip() == "Y"
    except OSError:
        return False


def _loaded(name: str) -> bool:
    try:
        return any(line.startswith(f"{name} ") for line in _PROFILES.read_text().splitlines())
    except OSError:
        return False
