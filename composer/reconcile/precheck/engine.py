"""What the engine has against a container or a network, put at the attribute that its words are about. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from composer.reconcile.precheck.finding import Finding
from composer.reconcile.precheck.scene import Scene

_ABOUT = (  # the engine's words, the attribute
    (r"ulimit", "ulimits"),
    (r"oom score", "oom_score_adj"),
    (r"SHM size", "shm_size"),
    (r"blkio", "blkio_config"),
    (r"memoryswap|Memoryswap", "memswap_limit"),
    (r"memory reservation", "mem_reservation"),
    (r"swappiness", "mem_swappiness"),
    (r"memory", "mem_limit"),
    (r"Nano CPUs|range of CPUs", "cpus"),
    (r"CPU shares", "cpu_shares"),
    (r"cfs period", "cpu_period"),
    (r"cfs quota", "cpu_quota"),
    (r"restart policy", "restart"),
    (r"hostname", "hostname"),
    (r"[Hh]ealthcheck", "healthcheck"),
    (r"Invalid signal", "stop_signal"),
    (r"PID mode", "pid"),
    (r"IPC mode", "ipc"),
    (r"UTS mode", "uts"),
    (r"working directory", "working_dir"),
    (r"environment variable", "environment"),
    (r"extra-host|host-to-IP|add-host|extra host", "extra_hosts"),
    (r"device cgroup rule", "device_cgroup_rules"),
    (r"port spec|port publishing|SCTP", "ports"),
    (r"mount|volume", "volumes"),
    (r"max-size|max-file|log", "logging"),
    (r"no command", "command"),
)
_OF_NETWORKS = ((r"driver_opt|com\.docker|network option|interface name", "driver_opts"), (r"ipam", "ipam"), (r"IPv[46]", "enable_ipv6"))


def check_engine(scene: Scene, told: Collection[str]) -> Iterator[Finding]:
    """``told``: messages that the rules have found; what one of them contains is not said again."""
    for name, refusals in scene.facts.refused.items():
        kind, _, key = name.partition(" ")
        for refusal in refusals:
            if not any(refusal.message in message for message in told):
                about = _ABOUT if kind == "service" else _OF_NETWORKS
                attribute = [word for pattern, word in about if re.search(pattern, refusal.message)][:1]
                yield Finding("plan.refused", refusal.message, (f"{kind}s", key, *attribute), refusal.hint, on_key=True)
