"""What was asked for and what the image gives, merged into one configuration; and what cannot be, refused in Docker's words. Pure.

The rules are moby's: an entrypoint of one's own drops the image's command, one's own environment comes first and hides the image's
variable of that name, labels, volumes and exposed ports are joined, a health check inherits what it leaves out.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Mapping

from composer.engine.errors import InvalidArgument, Unsupported
from composer.engine.local.runtime import resources
from composer.engine.local.runtime.logs import limits as log_limits
from composer.engine.model import ContainerConfig, HealthConfig, HostConfig, ProcessConfig

_MILLISECOND = 1_000_000
_PORT = re.compile(r"\d+(-\d+)?(/(tcp|udp|sctp))?")


def merge(asked: ContainerConfig, image: ProcessConfig) -> ContainerConfig:
    """InvalidArgument: no command specified."""
    entrypoint, cmd = asked.entrypoint, asked.cmd
    if not entrypoint:
        if not cmd:
            cmd = image.cmd
        if entrypoint is None:
            entrypoint = image.entrypoint
    if entrypoint == ("",):
        entrypoint = None
    if not entrypoint and not cmd:
        raise InvalidArgument("no command specified", hint="the image names no command: give one")
    return asked.replace(
        entrypoint=entrypoint,
        cmd=cmd,
        env=merge_env(asked.env, image.env),
        user=asked.user or image.user,
        working_dir=asked.working_dir or image.working_dir,
        stop_signal=asked.stop_signal or image.stop_signal,
        stop_timeout=asked.stop_timeout if asked.stop_timeout is not None else image.stop_timeout,
        shell=asked.shell or image.shell,
        labels={**_unowned(image.labels), **asked.labels},
        volumes={**image.volumes, **asked.volumes},
        exposed_ports=_exposed((*image.exposed_ports, *asked.exposed_ports, *asked.host_config.port_bindings)),
        healthcheck=merge_health(asked.healthcheck, image.healthcheck),
    )


_OWNERSHIP = ("composer.", "com.docker.compose.")


def _unowned(labels: Mapping[str, str]) -> dict[str, str]:
    """An image cannot say that its containers belong to a stack: those labels come from whoever makes the container."""
    return {name: value for name, value in labels.items() if not name.startswith(_OWNERSHIP)}


def _exposed(ports: Iterable[str]) -> dict[str, dict[str, str]]:
    return {(port if "/" in port else f"{port}/tcp"): {} for port in ports}


def merge_env(own: Iterable[str], image: Iterable[str]) -> tuple[str, ...]:
    own = tuple(own)
    names = {entry.partition("=")[0] for entry in own}
    return (*own, *(entry for entry in image if entry.partition("=")[0] not in names))


def merge_health(own: HealthConfig | None, image: HealthConfig | None) -> HealthConfig | None:
    if own is None or image is None:
        return own or image
    return HealthConfig(
        test=own.test or image.test,
        interval=own.interval or image.interval,
        timeout=own.timeout or image.timeout,
        start_period=own.start_period or image.start_period,
        start_interval=own.start_interval or image.start_interval,
        retries=own.retries or image.retries,
    )


def signal_number(text: str) -> int:
    """ "TERM", "SIGTERM", "sigterm", "15", "RTMIN+3". InvalidArgument in Docker's words."""
    plain = text.upper().removeprefix("SIG")
    if plain.isdigit() and 0 < int(plain) <= signal.SIGRTMAX:
        return int(plain)
    match = re.fullmatch(r"RT(MIN|MAX)(?:([+-])(\d+))?", plain)
    if match:
        base = int(signal.SIGRTMIN if match[1] == "MIN" else signal.SIGRTMAX)
        number = base + int(f"{match[2] or '+'}{match[3] or 0}")
        if signal.SIGRTMIN <= number <= signal.SIGRTMAX:
            return number
    elif f"SIG{plain}" in signal.Signals.__members__:
        return int(signal.Signals[f"SIG{plain}"])
    raise InvalidArgument(f"Invalid signal: {text}")


def check(config: ContainerConfig, *, cpus: int, runtimes: Iterable[str]) -> None:
    """Everything that can be refused without looking at the machine. InvalidArgument, NotFound, Unsupported."""
    _check_process(config)
    _check_health(config.healthcheck)
    host = config.host_config
    resources.check(host, cpus=cpus)
    _check_policy(host)
    _check_modes(config)
    if host.runtime and host.runtime not in set(runtimes):
        raise InvalidArgument(f"unknown or invalid runtime name: {host.runtime}")
    log_limits(host.log_config.type, host.log_config.config)
    if host.isolation not in ("", "default"):
        raise InvalidArgument(f"invalid isolation '{host.isolation}' on linux")
    if host.userns_mode not in ("", "host", "private"):  # private: a namespace where the daemon remaps users, which it does not
        raise Unsupported(f"user namespaces (UsernsMode {host.userns_mode!r})")


def _check_process(config: ContainerConfig) -> None:
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidArgument(f"the working directory '{config.working_dir}' is invalid, it needs to be an absolute path")
    for entry in config.env:
        if not entry.partition("=")[0]:
            raise InvalidArgument(f"invalid environment variable: {entry}")
    if config.stop_signal:
        signal_number(config.stop_signal)
    for port in (*config.exposed_ports, *config.host_config.port_bindings):
        if not _PORT.fullmatch(port):
            raise InvalidArgument(f'invalid port specification: "{port}"')
    if len(config.hostname) > 64:
        raise InvalidArgument(f"invalid hostname: {config.hostname}")


def _check_health(health: HealthConfig | None) -> None:
    if health is None:
        return
    for name, value in (
        ("Interval", health.interval),
        ("Timeout", health.timeout),
        ("StartPeriod", health.start_period),
        ("StartInterval", health.start_interval),
    ):
        if value != 0 and value < _MILLISECOND:
            raise InvalidArgument(f"{name} in Healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidArgument("Retries in Healthcheck cannot be negative")
    if health.test and health.test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        raise InvalidArgument(f"Unknown healthcheck type: {health.test[0]}")


def check_restart(name: str, maximum: int) -> None:
    if name not in ("", "no", "always", "unless-stopped", "on-failure"):
        raise InvalidArgument(
            f"invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if maximum and name != "on-failure":
        raise InvalidArgument(f"invalid restart policy: maximum retry count can only be used with 'on-failure' (not '{name}')")
    if maximum < 0:
        raise InvalidArgument("invalid restart policy: maximum retry count cannot be negative")


def _check_policy(host: HostConfig) -> None:
    check_restart(host.restart_policy.name, host.restart_policy.maximum_retry_count)
    if host.auto_remove and host.restart_policy.name not in ("", "no"):
        raise InvalidArgument("can't create 'AutoRemove' container with restart policy")


def _check_modes(config: ContainerConfig) -> None:
    host = config.host_config
    if host.network_mode.startswith("container:"):
        if host.port_bindings or host.publish_all_ports:
            raise InvalidArgument("conflicting options: port publishing and the container type network mode")
        if config.hostname:
            raise InvalidArgument("conflicting options: hostname and the network mode")
        if host.extra_hosts:
            raise InvalidArgument("conflicting options: custom host-to-IP mapping and the network mode")
    for what, mode, known in (
        ("PID", host.pid_mode, ("", "host")),
        ("IPC", host.ipc_mode, ("", "host", "private", "shareable", "none")),
        ("UTS", host.uts_mode, ("", "host")),
    ):
        if mode not in known and not (what != "UTS" and mode.startswith("container:")):
            raise InvalidArgument(f"invalid {what} mode: {mode}")
    if host.uts_mode == "host" and config.hostname:
        raise InvalidArgument("conflicting options: hostname and the UTS mode")
