"""The process of a service's containers: command, environment, health check, stop signal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from composer.engine.model import HealthConfig
from composer.reconcile.model import Hook
from composer.spec.model import HealthCheck, Port, Service
from composer.spec.model import Hook as SpecHook

_SECOND = 1_000_000_000


def process_fields(service: Service, image: str) -> dict[str, Any]:
    """The fields of `ProcessConfig` that the service gives; labels are added by the stack."""
    return {
        "image": image,
        "hostname": service.hostname,
        "domainname": service.domainname,
        "user": service.user,
        "tty": service.tty,
        "open_stdin": service.stdin_open,
        "env": environment(service.environment),
        "cmd": None if service.command is None else tuple(service.command),
        "entrypoint": None if service.entrypoint is None else tuple(service.entrypoint),
        "healthcheck": health(service.healthcheck),
        "working_dir": service.working_dir,
        "stop_signal": service.stop_signal,
        "stop_timeout": grace(service),
        "exposed_ports": {port: {} for port in exposed(service)},
    }


def environment(values: Mapping[str, str | None]) -> tuple[str, ...]:
    """ "NAME=value"; "NAME" alone takes what the image has away."""
    return tuple(name if value is None else f"{name}={value}" for name, value in sorted(values.items()))


def health(check: HealthCheck | None) -> HealthConfig | None:
    """None: the image's. Times that are not given are 0: the image's or the engine's."""
    if check is None:
        return None
    return HealthConfig(
        test=("NONE",) if check.disable else tuple(check.test),
        interval=check.interval or 0,
        timeout=check.timeout or 0,
        start_period=check.start_period or 0,
        start_interval=check.start_interval or 0,
        retries=check.retries or 0,
    )


def grace(service: Service) -> int | None:
    """stop_grace_period in whole seconds, rounded up; None: the engine's default."""
    if service.stop_grace_period is None:
        return None
    return -(-service.stop_grace_period // _SECOND)


def exposed(service: Service) -> list[str]:
    """ "80/tcp" of `expose` and of the published ports."""
    return sorted({*opened(service.expose), *(port_key(port) for port in service.ports)})


def opened(items: Iterable[str]) -> list[str]:
    """ "80/tcp" of each port of `expose`, ranges opened up."""
    found: list[str] = []
    for item in items:
        ports, _, protocol = item.partition("/")
        first, _, last = ports.partition("-")
        if first.isdigit() and (last or first).isdigit():
            found.extend(f"{port}/{protocol or 'tcp'}" for port in range(int(first), int(last or first) + 1))
    return found


def port_key(port: Port) -> str:
    """As Docker's port maps are keyed: "80/tcp"."""
    return f"{port.target}/{port.protocol or 'tcp'}"


def hooks(wanted: Iterable[SpecHook]) -> tuple[Hook, ...]:
    """The hooks with a command."""
    return tuple(
        Hook(tuple(hook.command), hook.user, hook.privileged, hook.working_dir, environment(hook.environment))
        for hook in wanted
        if hook.command
    )
