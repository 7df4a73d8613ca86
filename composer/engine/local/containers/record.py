"""The row of a container: what was asked for, resolved; and what is.

`Record` = identity and wish (it changes by rename and update only) and `Run` (what the supervisor writes). They are two rows, so that a
change of state writes little. The Record is durable before anything is made; all that a container consists of has a name derived from
its id, or is named in it, so that whatever a crash left half-made can be finished or removed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from composer.engine.local.lifecycle import Attempts, HealthState, Phase
from composer.engine.local.runtime import Handle
from composer.engine.model import ZERO_TIME, ContainerConfig, EndpointSettings, HealthResult, PortBinding


@dataclass(frozen=True, slots=True)
class MountRow:
    """One mount of a container, resolved at create. ``kind``: bind, volume, tmpfs, image.

    ``source``: the host's path (bind), the volume's name (volume), the image's id (image). ``data``: tmpfs options.
    ``create``: a missing bind source is made (-v), else it is an error (--mount). ``anonymous``: the volume was made for this container.
    """

    kind: str
    destination: str
    source: str = ""
    writable: bool = True
    mode: str = ""  # as the user wrote it: "ro", "z" ...
    propagation: str = ""
    recursive: bool = True
    create: bool = False
    copy: bool = True
    subpath: str = ""
    data: str = ""
    anonymous: bool = False
    from_mount: bool = False  # asked for by HostConfig.Mounts, which inspect shows otherwise


@dataclass(frozen=True, slots=True)
class Record:
    """``config``: what was asked for, merged with the image. ``args``: entrypoint and command. ``image``: the image's id."""

    id: str
    name: str
    created: str
    image: str
    config: ContainerConfig
    mounts: tuple[MountRow, ...] = ()
    endpoints: dict[str, EndpointSettings] = field(default_factory=dict)  # by network name: what is wished for, in the order of connecting

    @property
    def args(self) -> tuple[str, ...]:
        return (*(self.config.entrypoint or ()), *(self.config.cmd or ()))

    @property
    def anonymous_volumes(self) -> tuple[str, ...]:
        return tuple(m.source for m in self.mounts if m.anonymous)

    @property
    def volumes(self) -> tuple[str, ...]:
        return tuple(m.source for m in self.mounts if m.kind == "volume")

    @property
    def network_mode(self) -> str:
        return self.config.host_config.network_mode or "bridge"

    def replace(self, **changes: Any) -> Record:
        return replace(self, **changes)

    def encode(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "created": self.created,
            "image": self.image,
            "config": self.config.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            "mounts": [asdict(m) for m in self.mounts],
            "endpoints": {k: v.model_dump(mode="json", by_alias=True, exclude_defaults=True) for k, v in self.endpoints.items()},
        }

    @classmethod
    def decode(cls, doc: dict[str, Any]) -> Record:
        return cls(
            **{
                **doc,
                "config": ContainerConfig.from_wire(doc["config"]),
                "mounts": tuple(MountRow(**m) for m in doc["mounts"]),
                "endpoints": {k: EndpointSettings.from_wire(v) for k, v in doc["endpoints"].items()},
            }
        )


@dataclass(frozen=True, slots=True)
class Run:
    """The state of a container. ``boot``: of which boot of the machine its processes are. ``requested``: it was stopped by request.

    ``take_volumes``: its removal was asked for together with its anonymous volumes. ``restarts``: what inspect shows as RestartCount.
    Times are RFC 3339 with nanoseconds.
    """

    phase: Phase = Phase.CREATED
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at: str = ZERO_TIME
    finished_at: str = ZERO_TIME
    requested: bool = False
    attempts: Attempts = field(default_factory=Attempts)
    restarts: int = 0
    handle: Handle | None = None
    boot: str = ""
    health: HealthState | None = None
    health_log: tuple[HealthResult, ...] = ()
    networks: dict[str, EndpointSettings] = field(default_factory=dict)  # by name: what was given
    ports: dict[str, tuple[PortBinding, ...] | None] = field(default_factory=dict)
    take_volumes: bool = False
    cgroup: str = ""  # where it was started, absolute; a later daemon may have another parent for what it starts

    def replace(self, **changes: Any) -> Run:
        return replace(self, **changes)

    @property
    def pid(self) -> int:
        return self.handle.init.pid if self.handle is not None and self.phase.alive else 0

    def encode(self) -> dict[str, Any]:
        return {
            "phase": self.phase.value,
            "exit_code": self.exit_code,
            "error": self.error,
            "oom_killed": self.oom_killed,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "requested": self.requested,
            "attempts": asdict(self.attempts),
            "restarts": self.restarts,
            "handle": self.handle.to_json() if self.handle else None,
            "boot": self.boot,
            "health": asdict(self.health) if self.health else None,
            "health_log": [r.to_wire() for r in self.health_log],
            "networks": {k: v.model_dump(mode="json", by_alias=True, exclude_defaults=True) for k, v in self.networks.items()},
            "ports": {k: [b.to_wire() for b in v] if v is not None else None for k, v in self.ports.items()},
            "take_volumes": self.take_volumes,
            "cgroup": self.cgroup,
        }

    @classmethod
    def decode(cls, doc: dict[str, Any]) -> Run:
        return cls(
            **{
                **doc,
                "phase": Phase(doc["phase"]),
                "attempts": Attempts(**doc["attempts"]),
                "handle": Handle.from_json(doc["handle"]) if doc["handle"] else None,
                "health": HealthState(**doc["health"]) if doc["health"] else None,
                "health_log": tuple(HealthResult.from_wire(r) for r in doc["health_log"]),
                "networks": {k: EndpointSettings.from_wire(v) for k, v in doc["networks"].items()},
                "ports": {k: tuple(PortBinding.from_wire(b) for b in v) if v is not None else None for k, v in doc["ports"].items()},
            }
        )
