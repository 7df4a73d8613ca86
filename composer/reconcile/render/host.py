"""How the host runs a service's containers: limits, devices, capabilities, namespaces, ports, restart policy. Pure."""

from __future__ import annotations

from typing import Any

from composer.engine.errors import Unsupported
from composer.engine.model import (
    DeviceMapping,
    DeviceRequest,
    LogConfig,
    PortBinding,
    RestartPolicy,
    ThrottleDevice,
    Ulimit,
    WeightDevice,
)
from composer.reconcile.render.process import port_key
from composer.spec.model import Blkio, ResourceLimits, Service
from composer.spec.model import DeviceRequest as SpecDeviceRequest

_CONDITIONS = {
    "none": "no",
    "no": "no",
    "on-failure": "on-failure",
    "unless-stopped": "unless-stopped",
    "any": "always",
    "always": "always",
}


def host_fields(service: Service) -> dict[str, Any]:
    """The fields of `HostConfig` that the service gives; networks and mounts are added by the stack."""
    _refuse(service)
    return {
        "cap_add": tuple(service.cap_add),
        "cap_drop": tuple(service.cap_drop),
        "cgroup_parent": service.cgroup_parent,
        "cgroupns_mode": service.cgroup,
        "annotations": dict(service.annotations),
        "devices": tuple(
            DeviceMapping(
                path_on_host=device.source, path_in_container=device.target or device.source, cgroup_permissions=device.permissions or "rwm"
            )
            for device in service.devices
        ),
        "device_cgroup_rules": tuple(service.device_cgroup_rules),
        "dns": tuple(service.dns),
        "dns_options": tuple(service.dns_opt),
        "dns_search": tuple(service.dns_search),
        "extra_hosts": tuple(":".join(host.split("=", 1)) for host in service.extra_hosts),
        "group_add": tuple(service.group_add),
        "init": service.init,
        "ipc_mode": service.ipc,
        "isolation": service.isolation,
        "log_config": LogConfig(type=service.logging.driver, config=dict(service.logging.options)) if service.logging else LogConfig(),
        "pid_mode": service.pid,
        "port_bindings": port_bindings(service),
        "privileged": service.privileged,
        "readonly_rootfs": service.read_only,
        "restart_policy": restart_policy(service),
        "runtime": service.runtime,
        "security_opt": tuple(service.security_opt),
        "shm_size": service.shm_size,
        "storage_opt": dict(service.storage_opt),
        "sysctls": dict(service.sysctls),
        "tmpfs": {target: options for target, _, options in (item.partition(":") for item in service.tmpfs)},
        "userns_mode": service.userns_mode,
        "uts_mode": service.uts,
        **_limits(service),
    }


def _refuse(service: Service) -> None:
    where = f'service "{service.name}": '
    if service.userns_mode not in ("", "host", "private"):
        raise Unsupported(f"{where}userns_mode {service.userns_mode!r} is not supported", hint="leave it out, or say host")


def port_bindings(service: Service) -> dict[str, tuple[PortBinding, ...]]:
    """ "80/tcp" -> where it is published; a port can be published twice."""
    found: dict[str, tuple[PortBinding, ...]] = {}
    for port in service.ports:
        binding = PortBinding(host_ip=port.host_ip, host_port=port.published)
        found[port_key(port)] = (*found.get(port_key(port), ()), binding)
    return found


def host_ports(service: Service) -> frozenset[str]:
    """ "8080/tcp" of each port of the host that the service holds for sure."""
    return frozenset(f"{port.published}/{port.protocol or 'tcp'}" for port in service.ports if port.published and "-" not in port.published)


def restart_policy(service: Service) -> RestartPolicy:
    """`deploy.restart_policy` is stronger than `restart`, as in docker compose."""
    wanted = service.deploy.restart_policy if service.deploy else None
    if wanted is not None:
        name, attempts = _CONDITIONS.get(wanted.condition or "any", "always"), wanted.max_attempts or 0
    else:
        name, _, count = service.restart.partition(":")
        attempts = int(count) if count.isdigit() else 0
    return RestartPolicy(name=name, maximum_retry_count=attempts if name == "on-failure" else 0)


def _limits(service: Service) -> dict[str, Any]:
    resources = service.deploy.resources if service.deploy else None
    limits = (resources.limits if resources else None) or ResourceLimits()
    reserved = (resources.reservations if resources else None) or ResourceLimits()
    return {
        "cpu_shares": service.cpu_shares,
        "cpu_period": service.cpu_period,
        "cpu_quota": service.cpu_quota,
        "cpu_realtime_period": service.cpu_rt_period // 1000,
        "cpu_realtime_runtime": service.cpu_rt_runtime // 1000,
        "cpuset_cpus": service.cpuset,
        "nano_cpus": round((limits.cpus or service.cpus) * 1e9),
        "memory": limits.memory or service.mem_limit,
        "memory_reservation": reserved.memory or service.mem_reservation,
        "memory_swap": service.memswap_limit,
        "memory_swappiness": service.mem_swappiness or None,
        "oom_kill_disable": True if service.oom_kill_disable else None,
        "oom_score_adj": service.oom_score_adj,
        "pids_limit": limits.pids or service.pids_limit or None,
        "ulimits": tuple(Ulimit(name=name, soft=limit.soft, hard=limit.hard) for name, limit in sorted(service.ulimits.items())),
        "device_requests": (
            *(_device_request(wish) for wish in reserved.devices),
            *(_device_request(wish, "gpu") for wish in service.gpus),
        ),
        **_blkio(service.blkio_config),
    }


def _device_request(wish: SpecDeviceRequest, *more: str) -> DeviceRequest:
    capabilities = tuple(dict.fromkeys((*wish.capabilities, *more)))
    return DeviceRequest(
        driver=wish.driver,
        count=wish.count,
        device_ids=tuple(wish.device_ids),
        capabilities=(capabilities,),
        options=dict(wish.options),
    )


def _blkio(wish: Blkio | None) -> dict[str, Any]:
    if wish is None:
        return {}
    found: dict[str, Any] = {
        "blkio_weight": wish.weight,
        "blkio_weight_device": tuple(WeightDevice(path=item.path, weight=item.weight) for item in wish.weight_device),
    }
    for name in ("device_read_bps", "device_write_bps", "device_read_iops", "device_write_iops"):
        found[f"blkio_{name}"] = tuple(ThrottleDevice(path=item.path, rate=item.rate) for item in getattr(wish, name))
    return found
