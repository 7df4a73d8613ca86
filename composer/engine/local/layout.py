"""Where one engine instance keeps its things, and what its kernel objects are called.

Several engines share a machine, so every name carries the instance: ``ab12`` = the first four hex digits of sha256(state root).
A name is derived, never stored alone: whatever carries our prefix and no row owns is garbage that `recover` removes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PREFIX = "cmp"  # of every link; at most 15 characters in all (IFNAMSIZ)


@dataclass(frozen=True)
class Layout:
    """``root``: state that survives a reboot (on a real disk). ``run``: what does not (on tmpfs).

    ``pool``: the address pool as CIDR that networks without a subnet are cut from (64 networks of a /16, /22 each: a stack may have
    hundreds of containers); ``pool6``: the same for IPv6, /64 each.
    """

    root: Path
    run: Path
    pool: str = "172.29.0.0/16"
    pool6: str = "fd6d:7063::/48"
    cgroup_parent: str = ""  # "" = /composer-<instance>; under systemd the unit's delegated cgroup + "/containers"

    @cached_property
    def instance(self) -> str:
        return hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:4]

    # Asked for several times in each start of a container: joining paths is a tenth of what the daemon does then.

    @cached_property
    def _containers(self) -> Path:
        return self.root / "containers"

    @cached_property
    def _bundles(self) -> Path:
        return self.run / "containers"

    @cached_property
    def _netns(self) -> Path:
        return self.run / "netns"

    @property
    def database(self) -> Path:
        return self.root / "state.db"

    @property
    def blobs(self) -> Path:
        """Content-addressed blobs: blobs/sha256/<hex>."""
        return self.root / "blobs"

    @cached_property
    def layers(self) -> Path:
        """Unpacked layers, shared read-only: layers/<chain id hex>/."""
        return self.root / "layers"

    @property
    def volumes(self) -> Path:
        """volumes/<name>/_data."""
        return self.root / "volumes"

    @property
    def temporary(self) -> Path:
        """Half-done things, on the same file system as the rest; emptied at start."""
        return self.root / "tmp"

    def container(self, container_id: str) -> Path:
        """What a container keeps: upper/, work/, logs, hosts, resolv.conf, hostname."""
        return self._containers / container_id

    def bundle(self, container_id: str) -> Path:
        """The OCI bundle of a running container: config.json, rootfs (mount point), conmon's sockets, pid files, attach."""
        return self._bundles / container_id

    @property
    def exits(self) -> Path:
        """conmon's --exit-dir: one file a container that ended, holding its exit status. Watched by inotify."""
        return self.run / "exits"

    @cached_property
    def runtime_root(self) -> Path:
        """--root of crun and runc."""
        return self.run / "runtime"

    def netns(self, container_id: str) -> Path:
        """Where a container's network namespace is pinned."""
        return self._netns / container_id

    @property
    def table(self) -> str:
        """The one nft table (family inet) of this engine."""
        return f"composer_{self.instance}"

    def bridge(self, network_id: str) -> str:
        return f"{PREFIX}{self.instance}{network_id[:8]}"

    @property
    def cgroups(self) -> str:
        """The cgroup beneath which every container has its own, absolute from the root of the hierarchy."""
        return self.cgroup_parent or self.default_cgroups

    @property
    def default_cgroups(self) -> str:
        """Where an engine without a unit puts them. What such a one started lives on there when a unit's engine takes over."""
        return f"/composer-{self.instance}"

    def make(self) -> None:
        """Create the directories: 0711 for the root, as dockerd, so that a user-namespaced process may traverse."""
        for path, mode in (
            (self.root, 0o711),
            (self.run, 0o711),
            (self.blobs / "sha256", 0o700),
            (self.layers, 0o700),
            (self.volumes, 0o711),
            (self.temporary, 0o700),
            (self.root / "containers", 0o711),
            (self.run / "containers", 0o711),
            (self.exits, 0o700),
            (self.runtime_root, 0o700),
            (self.run / "netns", 0o711),
        ):
            path.mkdir(mode=mode, parents=True, exist_ok=True)
