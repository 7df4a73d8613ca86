"""What a daemon is told: where it keeps its things and where it listens. By flags, else by the environment, else the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from composer.engine.errors import InvalidArgument, Unsupported

ROOT, RUN, HOST = "COMPOSER_ROOT", "COMPOSER_RUN", "COMPOSER_HOST"
POOL, POOL6, CGROUP, LOG_LEVEL, LOG_FORMAT, RESYNC = (
    "COMPOSER_POOL",
    "COMPOSER_POOL6",
    "COMPOSER_CGROUP",
    "COMPOSER_LOG_LEVEL",
    "COMPOSER_LOG_FORMAT",
    "COMPOSER_RESYNC",
)
SOCKET = "composer.sock"  # in the run directory
LOG = "daemon.log"  # in the run directory: what a daemon writes that was started on demand
LOCK = "daemon.lock"  # in the root


@dataclass(frozen=True)
class Options:
    """``root``: state that survives a reboot. ``run``: what does not. ``host``: unix:///PATH. ``pool``, ``pool6``: address pools (CIDR),
    "" = the defaults. ``cgroup``: the cgroup beneath which containers live, "" = the default. ``log_format``: auto (json unless
    standard error is a terminal), console or json. ``resync``: seconds between two looks at everything, "" = 60."""

    root: Path
    run: Path
    host: str
    pool: str = ""
    pool6: str = ""
    cgroup: str = ""
    log_level: str = "info"
    log_format: str = "auto"
    resync: str = ""

    @property
    def resync_seconds(self) -> float:
        """Between two looks at everything. InvalidArgument."""
        if not self.resync:
            return 60.0
        try:
            seconds = float(self.resync)
        except ValueError:
            seconds = 0.0
        if not 0.5 <= seconds <= 86400:
            raise InvalidArgument(f"invalid resync {self.resync!r}", hint="seconds, 0.5 to 86400")
        return seconds

    @property
    def socket(self) -> Path:
        """The path of the unix socket. Unsupported for another kind of address."""
        if not self.host.startswith("unix://"):
            raise Unsupported(f"the daemon listens on unix sockets only, not on {self.host}", hint="name it unix:///PATH")
        return Path(self.host.removeprefix("unix://"))


def options(environ: Mapping[str, str], *, root: str = "", run: str = "", host: str = "", **others: str) -> Options:
    """The options from flags (empty: not given) over the environment over the defaults. InvalidArgument: a path that is not absolute."""
    root = root or environ.get(ROOT) or "/var/lib/composer"
    run = run or environ.get(RUN) or "/run/composer"
    for name, path in (("root", root), ("run", run)):
        if not path.startswith("/"):
            raise InvalidArgument(f"the {name} directory must be an absolute path: {path}")
    host = host or environ.get(HOST) or f"unix://{run}/{SOCKET}"
    found = {
        "pool": environ.get(POOL, ""),
        "pool6": environ.get(POOL6, ""),
        "cgroup": environ.get(CGROUP, ""),
        "log_level": environ.get(LOG_LEVEL, "info"),
        "log_format": environ.get(LOG_FORMAT, "auto"),
        "resync": environ.get(RESYNC, ""),
    } | {name: value for name, value in others.items() if value}
    return Options(Path(root), Path(run), f"unix://{host}" if host.startswith("/") else host, **found)
