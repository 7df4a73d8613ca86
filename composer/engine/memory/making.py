"""From what is asked for to what a container is: the image's defaults, the networks, the mounts. Pure."""

from __future__ import annotations

from collections.abc import Callable

from composer.engine.model import ContainerConfig, EndpointSettings, HostConfig, MountPoint, ProcessConfig, VolumeConfig


def merged(config: ContainerConfig, image: ProcessConfig, id: str) -> ProcessConfig:
    """The process with the image's defaults where nothing was asked for, as dockerd merges them."""
    own = {item.partition("=")[0]: item for item in config.env}
    env = {item.partition("=")[0]: item for item in image.env} | own
    cmd = config.cmd if config.cmd is not None or config.entrypoint is not None else image.cmd
    fields = {name: getattr(config, name) for name in ProcessConfig.model_fields}
    fields |= {
        "hostname": config.hostname or id[:12],
        "env": tuple(item for item in env.values() if "=" in item),
        "entrypoint": image.entrypoint if config.entrypoint is None else config.entrypoint or None,
        "cmd": cmd,
        "user": config.user or image.user,
        "working_dir": config.working_dir or image.working_dir,
        "labels": {**image.labels, **config.labels},
        "exposed_ports": {**image.exposed_ports, **config.exposed_ports, **{port: {} for port in config.host_config.port_bindings}},
        "volumes": {**image.volumes, **config.volumes},
        "healthcheck": config.healthcheck if config.healthcheck and config.healthcheck.test else image.healthcheck,
        "stop_signal": config.stop_signal or image.stop_signal,
        "stop_timeout": config.stop_timeout if config.stop_timeout is not None else image.stop_timeout,
    }
    return ProcessConfig(**fields)


def endpoints(config: ContainerConfig) -> dict[str, EndpointSettings]:
    """Network name or id -> wish. ``host``, ``none`` and ``container:ID`` have their own rules."""
    mode = config.host_config.network_mode
    if mode.startswith("container:"):
        return {}
    first = "bridge" if mode in ("", "default") else mode
    wishes = dict(config.networking_config.endpoints_config)
    default = wishes.pop("default", None)
    return wishes if first in wishes else {first: default or EndpointSettings(), **wishes}


def mounts(config: ContainerConfig, process: ProcessConfig, volume: Callable[[VolumeConfig], str]) -> tuple[list[MountPoint], list[str]]:
    """The mount points and the names of the anonymous volumes among them. ``volume`` makes one and returns its name."""
    found = {point.destination: point for point in _asked(config.host_config, volume)}
    for target in process.volumes:
        if target not in found:
            found[target] = MountPoint(type="volume", name=volume(VolumeConfig()), destination=target, driver="local")
    named = {bind.partition(":")[0] for bind in config.host_config.binds} | {mount.source for mount in config.host_config.mounts}
    return list(found.values()), [point.name for point in found.values() if point.type == "volume" and point.name not in named]


def _asked(host: HostConfig, volume: Callable[[VolumeConfig], str]) -> list[MountPoint]:
    points = [_bind(text, volume) for text in host.binds]
    for mount in host.mounts:
        if mount.type == "volume":
            options = mount.volume_options
            driver = options.driver_config if options else None
            config = VolumeConfig(name=mount.source, labels=options.labels if options else {}, driver_opts=driver.options if driver else {})
            name = volume(config)
            points.append(MountPoint(type="volume", name=name, destination=mount.target, driver="local", rw=not mount.read_only))
        else:
            points.append(MountPoint(type=mount.type, source=mount.source, destination=mount.target, rw=not mount.read_only))
    return points


def _bind(text: str, volume: Callable[[VolumeConfig], str]) -> MountPoint:
    source, _, rest = text.partition(":")
    target, _, options = rest.partition(":")
    if not rest:
        source, target = "", source
    rw = "ro" not in options.split(",")
    if source.startswith("/"):
        return MountPoint(type="bind", source=source, destination=target, mode=options, rw=rw, propagation="rprivate")
    return MountPoint(type="volume", name=volume(VolumeConfig(name=source)), destination=target, driver="local", mode=options or "z", rw=rw)
