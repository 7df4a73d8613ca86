"""A container as `inspect` and `list` show it: rows turned into Docker's JSON, defaults filled in. Pure but for the paths' layout."""

from __future__ import annotations

from composer.engine.local.containers.parts import Parts, rfc3339, seconds
from composer.engine.local.containers.record import MountRow, Record, Run
from composer.engine.local.containers.registry import Held, Shown
from composer.engine.local.lifecycle import Phase, pause
from composer.engine.local.runtime import mounts as runtime_mounts
from composer.engine.model import (
    Container,
    ContainerState,
    EndpointSettings,
    GraphDriver,
    Health,
    HostConfig,
    LogConfig,
    MountPoint,
    NetworkSettings,
    PortBinding,
    ProcessConfig,
    RestartPolicy,
)

_PROCESS_FIELDS = tuple(ProcessConfig.model_fields)


def container(parts: Parts, held: Held, *, size_rw: int | None = None, size_root: int | None = None) -> Container:
    record, run = held.record, held.run
    args = record.args
    directory = str(parts.layout.container(record.id))
    files = (
        str(parts.layout.container(record.network_mode.removeprefix("container:")))
        if record.network_mode.startswith("container:")
        else directory
    )
    return Container(
        id=record.id,
        created=record.created,
        path=args[0] if args else "",
        args=args[1:],
        state=state(run),
        image=record.image,
        resolv_conf_path=f"{files}/resolv.conf",
        hostname_path=f"{files}/hostname",
        hosts_path=f"{files}/hosts",
        log_path="" if record.config.host_config.log_config.type == "none" else f"{directory}/container.log",
        name=f"/{record.name}",
        restart_count=run.restarts,
        exec_ids=tuple(held.execs),
        host_config=_shown(parts, held).host,
        graph_driver=GraphDriver(
            data={
                "MergedDir": f"{parts.layout.bundle(record.id)}/rootfs",
                "UpperDir": f"{directory}/upper",
                "WorkDir": f"{directory}/work",
            }
        ),
        size_rw=size_rw,
        size_root_fs=size_root,
        mounts=tuple(mount_point(parts, row) for row in record.mounts if row.kind != "tmpfs" or row.from_mount),
        config=_shown(parts, held).config,
        network_settings=network_settings(parts, record, run),
        stopped_by_request=run.requested and not run.phase.alive,
        next_start=_next_start(run) if run.phase is Phase.RESTARTING else "",
    )


def _next_start(run: Run) -> str:
    began, ended = seconds(run.started_at), seconds(run.finished_at)
    return rfc3339(int((ended + pause(run.attempts, ran=ended - began)) * 10**9))


def _shown(parts: Parts, held: Held) -> Shown:
    if held.shown is None or held.shown.record is not held.record:
        held.shown = Shown(held.record, process_config(held.record), host_config(parts, held.record))
    return held.shown


def state(run: Run) -> ContainerState:
    health = None
    if run.health is not None:
        health = Health(status=run.health.status, failing_streak=run.health.streak, log=run.health_log)
        if not run.phase.alive and health.status != "starting":
            health = health.replace(status="unhealthy")
    return ContainerState(
        status=run.phase.status,
        running=run.phase.alive or run.phase is Phase.RESTARTING,
        paused=run.phase is Phase.PAUSED,
        restarting=run.phase is Phase.RESTARTING,
        oom_killed=run.oom_killed,
        dead=run.phase is Phase.DEAD,
        pid=run.pid,
        exit_code=run.exit_code,
        error=run.error,
        started_at=run.started_at,
        finished_at=run.finished_at,
        health=health,
    )


def process_config(record: Record) -> ProcessConfig:
    return ProcessConfig.model_construct(**{name: getattr(record.config, name) for name in _PROCESS_FIELDS})


def host_config(parts: Parts, record: Record) -> HostConfig:
    """As it was asked for, with the defaults that dockerd shows."""
    host = record.config.host_config
    changes: dict[str, object] = {
        "masked_paths": tuple(runtime_mounts.masked(host)),
        "readonly_paths": tuple(runtime_mounts.read_only(host)),
        "runtime": host.runtime or parts.runtime.default,
        "shm_size": host.shm_size or runtime_mounts.SHM_SIZE,
        "ipc_mode": host.ipc_mode or "private",
        "cgroupns_mode": host.cgroupns_mode or ("private" if parts.runtime.hierarchies.version == 2 else "host"),
    }
    if not host.restart_policy.name:
        changes["restart_policy"] = RestartPolicy(name="no")
    if not host.log_config.type:
        changes["log_config"] = LogConfig(type="json-file", config=host.log_config.config)
    if host.memory > 0 and host.memory_swap == 0:
        changes["memory_swap"] = host.memory * 2
    return host.replace(**changes)


def mount_point(parts: Parts, row: MountRow) -> MountPoint:
    if row.kind == "volume":
        source = str(parts.layout.volumes / row.source / "_data")
        return MountPoint(
            type="volume",
            name=row.source,
            source=source,
            destination=row.destination,
            driver="local",
            mode=row.mode or ("z" if row.from_mount else ""),
            rw=row.writable,
        )
    propagation = (row.propagation or "rprivate") if row.kind == "bind" else ""
    return MountPoint(
        type=row.kind, source=row.source, destination=row.destination, mode=row.mode, rw=row.writable, propagation=propagation
    )


def network_settings(parts: Parts, record: Record, run: Run) -> NetworkSettings:
    mode = record.network_mode
    networks = {**record.endpoints, **run.networks}
    if mode in ("host", "none"):
        networks = {mode: EndpointSettings()}
    first = networks.get("bridge") if mode == "bridge" else None
    return NetworkSettings(
        sandbox_id=record.id if run.phase.alive else "",
        sandbox_key=str(parts.layout.netns(record.id)) if run.phase.alive and mode not in ("host",) else "",
        ports=dict(run.ports) if run.phase.alive else {},
        networks=networks,
        ip_address=first.ip_address if first else "",
        ip_prefix_len=first.ip_prefix_len if first else 0,
        gateway=first.gateway if first else "",
        mac_address=first.mac_address if first else "",
    )


def ports(run: Run) -> list[tuple[str, PortBinding | None]]:
    """Each published or exposed port of a running container."""
    found: list[tuple[str, PortBinding | None]] = []
    for port, bindings in run.ports.items():
        if bindings:
            found.extend((port, binding) for binding in bindings)
        else:
            found.append((port, None))
    return found
