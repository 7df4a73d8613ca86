"""Installing the daemon as systemd units (package data in units/), and taking them away again."""

from __future__ import annotations

import grp
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from composer.engine.errors import Unavailable, Unsupported

DIRECTORY = Path("/etc/systemd/system")
UNITS = ("composer-containers.service", "composer.service", "composer.socket")
_TIMEOUT = 180.0  # seconds that systemctl may take


def rendered(python: str, group: str) -> dict[str, str]:
    """The units by file name, for this interpreter and this group of the socket."""
    found = {}
    for name in UNITS:
        text = (files("composer.daemon") / "units" / name).read_text()
        found[name] = text.replace("@PYTHON@", python).replace("@GROUP@", group)
    return found


def install(*, start: bool = True, directory: Path = DIRECTORY) -> list[Path]:
    """Write the units, enable them and (``start``) start the daemon; the files. Unsupported without systemd, Unavailable when it fails."""
    _check()
    written = []
    try:
        for name, text in rendered(sys.executable, _group()).items():
            path = directory / name
            path.write_text(text)
            path.chmod(0o644)
            written.append(path)
    except OSError as error:
        raise Unavailable(f"cannot write the units to {directory}: {error.strerror}", hint="run it as root") from error
    _systemctl("daemon-reload")
    _systemctl("enable", "composer.socket", "composer.service")
    if start:
        _systemctl("start", "composer.socket", "composer.service")
    return written


def uninstall(*, directory: Path = DIRECTORY) -> list[Path]:
    """Stop the daemon, disable and remove the units; the files that were removed. Containers go on until they are stopped."""
    _check()
    present = [directory / name for name in UNITS if (directory / name).exists()]
    if not present:
        return []
    _systemctl("disable", "--now", "composer.socket", "composer.service")
    for path in present:
        path.unlink(missing_ok=True)
    _systemctl("daemon-reload")
    return present


def installed(directory: Path = DIRECTORY) -> bool:
    return (directory / "composer.service").exists()


def _check() -> None:
    if not Path("/run/systemd/system").is_dir():
        raise Unsupported("this machine does not run systemd", hint="composer engine start runs the daemon without it")
    if os.geteuid() != 0:
        raise Unavailable("installing units needs root", hint="run it with sudo")


def _group() -> str:
    for name in ("composer", "docker"):
        try:
            return grp.getgrnam(name).gr_name
        except KeyError:
            continue
    return "root"


def _systemctl(*arguments: str) -> None:
    try:
        done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"systemctl {' '.join(arguments)} failed: {error}") from error
    if done.returncode:
        raise Unavailable(f"systemctl {' '.join(arguments)} failed: {done.stderr.strip()}", hint="journalctl -u composer has the log")
