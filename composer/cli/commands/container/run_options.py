"""docker run's flags, and the body of ``POST /containers/create`` that they make."""

from __future__ import annotations

import os
from typing import Any

import click

from composer.cli.commands.container.mounts import mount, tmpfs
from composer.cli.commands.container.ports import publish
from composer.cli.each import key_values
from composer.cli.env_file import read
from composer.cli.units import parse_duration, parse_size

NANO = 10**9


def _many(*names: str, metavar: str, help: str) -> Any:
    return click.option(*names, multiple=True, metavar=metavar, help=help)


def _text(*names: str, metavar: str, help: str) -> Any:
    return click.option(*names, default="", metavar=metavar, help=help)


def _flag(*names: str, help: str) -> Any:
    return click.option(*names, is_flag=True, help=help)


def _int(*names: str, metavar: str, help: str) -> Any:
    return click.option(*names, type=int, default=None, metavar=metavar, help=help)


OPTIONS = [
    _many("--add-host", metavar="HOST:IP", help="Add a line to /etc/hosts."),
    _many("--annotation", metavar="KEY=VALUE", help="Add an annotation for the runtime."),
    _many("-a", "--attach", metavar="STREAM", help="Attach to stdin, stdout or stderr."),
    _int("--blkio-weight", metavar="N", help="Block IO weight, 10 to 1000."),
    _many("--cap-add", metavar="CAP", help="Add a capability."),
    _many("--cap-drop", metavar="CAP", help="Drop a capability."),
    _text("--cgroup-parent", metavar="PATH", help="The parent cgroup."),
    _text("--cgroupns", metavar="MODE", help="Cgroup namespace: host or private."),
    _text("--cidfile", metavar="FILE", help="Write the container's id to this file."),
    _int("--cpu-period", metavar="US", help="CFS period."),
    _int("--cpu-quota", metavar="US", help="CFS quota."),
    _int("-c", "--cpu-shares", metavar="N", help="CPU shares."),
    click.option("--cpus", type=float, default=None, metavar="N", help="Number of CPUs."),
    _text("--cpuset-cpus", metavar="LIST", help="CPUs to run on (0-3, 0,1)."),
    _text("--cpuset-mems", metavar="LIST", help="Memory nodes."),
    _many("--device", metavar="HOST[:PATH[:rwm]]", help="Add a device."),
    _many("--device-cgroup-rule", metavar="RULE", help="Add a rule to the list of allowed devices."),
    _many("--dns", metavar="IP", help="DNS server."),
    _many("--dns-option", "--dns-opt", metavar="OPTION", help="DNS option."),
    _many("--dns-search", metavar="DOMAIN", help="DNS search domain."),
    _text("--domainname", metavar="NAME", help="NIS domain name."),
    click.option("--entrypoint", default=None, metavar="COMMAND", help="Another entrypoint."),
    _many("-e", "--env", metavar="KEY[=VALUE]", help="Set an environment variable."),
    _many("--env-file", metavar="FILE", help="Read environment variables from a file."),
    _many("--expose", metavar="PORT", help="Expose a port or a range."),
    _many("--group-add", metavar="GROUP", help="Add a group."),
    _text("--health-cmd", metavar="COMMAND", help="Command of the health check."),
    _text("--health-interval", metavar="TIME", help="Time between checks."),
    _int("--health-retries", metavar="N", help="Failures in a row that make it unhealthy."),
    _text("--health-start-interval", metavar="TIME", help="Time between checks at the start."),
    _text("--health-start-period", metavar="TIME", help="Start time in which failures do not count."),
    _text("--health-timeout", metavar="TIME", help="Longest time of a check."),
    _flag("--no-healthcheck", help="No health check, not the image's either."),
    _text("-h", "--hostname", metavar="NAME", help="Host name."),
    _flag("--init", help="Run an init that passes signals on and reaps processes."),
    _flag("-i", "--interactive", help="Keep stdin open."),
    _text("--ip", metavar="IP", help="IPv4 address."),
    _text("--ip6", metavar="IP", help="IPv6 address."),
    _text("--ipc", metavar="MODE", help="IPC namespace."),
    _many("-l", "--label", metavar="KEY=VALUE", help="Set a label."),
    _many("--label-file", metavar="FILE", help="Read labels from a file."),
    _many("--link", metavar="CONTAINER[:ALIAS]", help="Link to another container."),
    _text("--log-driver", metavar="NAME", help="Logging driver."),
    _many("--log-opt", metavar="KEY=VALUE", help="Logging option."),
    _text("--mac-address", metavar="MAC", help="MAC address."),
    _text("-m", "--memory", metavar="SIZE", help="Memory limit."),
    _text("--memory-reservation", metavar="SIZE", help="Soft limit of memory."),
    _text("--memory-swap", metavar="SIZE", help="Limit of memory and swap together; -1: none."),
    _int("--memory-swappiness", metavar="N", help="Swappiness, 0 to 100."),
    _many("--mount", metavar="MOUNT", help="Attach a file system: type=bind,source=..,target=.."),
    _text("--name", metavar="NAME", help="The container's name."),
    _many("--network", "--net", metavar="NETWORK", help="Connect to a network."),
    _many("--network-alias", "--net-alias", metavar="NAME", help="Another name on the network."),
    _flag("--oom-kill-disable", help="Disable the OOM killer."),
    _int("--oom-score-adj", metavar="N", help="The OOM score's adjustment."),
    _text("--pid", metavar="MODE", help="PID namespace."),
    _int("--pids-limit", metavar="N", help="Limit of processes; -1: none."),
    click.option("--platform", default=None, metavar="OS/ARCH", help="The platform of the image."),
    _flag("--privileged", help="Give it all rights."),
    _many("-p", "--publish", metavar="PORTS", help="Publish a port: [IP:][HOST:]CONTAINER[/PROTOCOL]."),
    _flag("-P", "--publish-all", help="Publish all exposed ports on ports that the engine chooses."),
    click.option("--pull", type=click.Choice(["always", "missing", "never"]), default="missing", help="Pull the image before."),
    _flag("-q", "--quiet", help="No pull progress."),
    _flag("--read-only", help="The root file system is read-only."),
    _text("--restart", metavar="POLICY", help="no, always, unless-stopped, on-failure[:N]."),
    _flag("--rm", help="Remove it when it ends."),
    _text("--runtime", metavar="NAME", help="crun or runc."),
    _many("--security-opt", metavar="OPTION", help="Security option."),
    _text("--shm-size", metavar="SIZE", help="Size of /dev/shm."),
    _text("--stop-signal", metavar="SIGNAL", help="The signal that stops it."),
    _int("--stop-timeout", metavar="SECONDS", help="Seconds until it is killed."),
    _many("--storage-opt", metavar="KEY=VALUE", help="Storage option."),
    _many("--sysctl", metavar="KEY=VALUE", help="Kernel parameter."),
    _many("--tmpfs", metavar="PATH[:OPTIONS]", help="Mount a tmpfs."),
    _flag("-t", "--tty", help="Allocate a pseudo-TTY."),
    _many("--ulimit", metavar="NAME=SOFT[:HARD]", help="Ulimit."),
    _text("-u", "--user", metavar="USER[:GROUP]", help="Run as this user."),
    _text("--userns", metavar="MODE", help="User namespace."),
    _text("--uts", metavar="MODE", help="UTS namespace."),
    _many("-v", "--volume", metavar="VOLUME", help="Mount a volume or a path: SOURCE:TARGET[:OPTIONS]."),
    _many("--volumes-from", metavar="CONTAINER", help="Mount the volumes of another container."),
    _text("-w", "--workdir", metavar="DIR", help="Working directory."),
]

PLAIN = {  # flag -> HostConfig's field, as it is
    "blkio_weight": "BlkioWeight",
    "cgroup_parent": "CgroupParent",
    "cgroupns": "CgroupnsMode",
    "cpu_period": "CpuPeriod",
    "cpu_quota": "CpuQuota",
    "cpu_shares": "CpuShares",
    "cpuset_cpus": "CpusetCpus",
    "cpuset_mems": "CpusetMems",
    "dns": "Dns",
    "dns_option": "DnsOptions",
    "dns_search": "DnsSearch",
    "add_host": "ExtraHosts",
    "group_add": "GroupAdd",
    "device_cgroup_rule": "DeviceCgroupRules",
    "cap_add": "CapAdd",
    "cap_drop": "CapDrop",
    "ipc": "IpcMode",
    "link": "Links",
    "memory_swappiness": "MemorySwappiness",
    "oom_kill_disable": "OomKillDisable",
    "oom_score_adj": "OomScoreAdj",
    "pid": "PidMode",
    "pids_limit": "PidsLimit",
    "privileged": "Privileged",
    "publish_all": "PublishAllPorts",
    "read_only": "ReadonlyRootfs",
    "rm": "AutoRemove",
    "runtime": "Runtime",
    "security_opt": "SecurityOpt",
    "userns": "UsernsMode",
    "uts": "UTSMode",
    "volumes_from": "VolumesFrom",
    "init": "Init",
}
SIZES = {"memory": "Memory", "memory_reservation": "MemoryReservation", "memory_swap": "MemorySwap", "shm_size": "ShmSize"}


def configuration(image: str, command: tuple[str, ...], flags: dict[str, Any], *, attach: bool) -> dict[str, Any]:
    """The body of the request. Raises UsageError for values that cannot be."""
    try:
        exposed, bindings = publish(flags["publish"], flags["expose"])
        host = _host(flags)
        host["PortBindings"] = bindings
        endpoints, host["NetworkMode"] = _networks(flags)
        body = {
            "Image": image,
            "Cmd": list(command) or None,
            "Entrypoint": _entrypoint(flags["entrypoint"]),
            "Env": _environment(flags),
            "Labels": _labels(flags),
            "Hostname": flags["hostname"],
            "Domainname": flags["domainname"],
            "User": flags["user"],
            "WorkingDir": flags["workdir"],
            "Tty": flags["tty"],
            "OpenStdin": flags["interactive"],
            "StdinOnce": flags["interactive"] and attach,
            "AttachStdin": flags["interactive"] and attach,
            "AttachStdout": attach,
            "AttachStderr": attach,
            "ExposedPorts": exposed,
            "StopSignal": flags["stop_signal"],
            "StopTimeout": flags["stop_timeout"],
            "MacAddress": flags["mac_address"],
            "Healthcheck": _health(flags),
            "Volumes": {text: {} for text in flags["volume"] if ":" not in text} or None,
            "HostConfig": host,
            "NetworkingConfig": {"EndpointsConfig": endpoints},
        }
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return {key: value for key, value in body.items() if value not in (None, "", {})}


def _host(flags: dict[str, Any]) -> dict[str, Any]:
    host: dict[str, Any] = {field: list(v) if isinstance(v := flags[key], tuple) else v for key, field in PLAIN.items() if flags[key]}
    host.update({field: -1 if flags[key] == "-1" else parse_size(flags[key]) for key, field in SIZES.items() if flags[key]})
    for key in ("pids_limit", "memory_swappiness"):
        if flags[key] is not None:
            host[PLAIN[key]] = flags[key]
    if flags["cpus"]:
        host["NanoCpus"] = round(flags["cpus"] * NANO)
    if flags["restart"]:
        policy, _, count = flags["restart"].partition(":")
        host["RestartPolicy"] = {"Name": policy, "MaximumRetryCount": int(count or 0)}
    if flags["log_driver"] or flags["log_opt"]:
        host["LogConfig"] = {"Type": flags["log_driver"], "Config": key_values(flags["log_opt"])}
    host["Binds"] = [_bind(text) for text in flags["volume"] if ":" in text]
    host["Mounts"] = [mount(text) for text in flags["mount"]]
    host["Tmpfs"] = dict(tmpfs(text) for text in flags["tmpfs"])
    host["Devices"] = [_device(text) for text in flags["device"]]
    host["Ulimits"] = [_ulimit(text) for text in flags["ulimit"]]
    for key, field in (("sysctl", "Sysctls"), ("storage_opt", "StorageOpt"), ("annotation", "Annotations")):
        host[field] = key_values(flags[key])
    return {key: value for key, value in host.items() if value not in ([], {})}


def _networks(flags: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The endpoints, and the network mode (the first network)."""
    endpoints: dict[str, Any] = {}
    mode = ""
    for text in flags["network"]:
        long = key_values(text.split(",")) if "name=" in text else {"name": text}
        name = long["name"]
        mode = mode or name
        if name in ("host", "none", "bridge", "default") or name.startswith("container:"):
            continue
        aliases = [pair[6:] for pair in text.split(",") if pair.startswith("alias=")]
        endpoints[name] = _endpoint(aliases, long.get("ip", ""), long.get("ip6", ""), long.get("mac-address", ""))
    if endpoints and (flags["network_alias"] or flags["ip"] or flags["ip6"]):
        endpoints[next(iter(endpoints))] = _endpoint(list(flags["network_alias"]), flags["ip"], flags["ip6"], flags["mac_address"])
    elif flags["network_alias"]:
        raise ValueError("network-scoped aliases are only supported for user-defined networks")
    return endpoints, mode or "default"


def _endpoint(aliases: list[str], ip: str, ip6: str, mac: str) -> dict[str, Any]:
    address = {"IPv4Address": ip, "IPv6Address": ip6} if ip or ip6 else None
    return {"Aliases": aliases or None, "IPAMConfig": address, "MacAddress": mac}


def _entrypoint(text: str | None) -> list[str] | None:
    """ "" takes the image's away (docker sends one empty word)."""
    return None if text is None else [text]


def _environment(flags: dict[str, Any]) -> list[str]:
    found: dict[str, str | None] = {}
    for path in flags["env_file"]:
        found.update(read(path))
    for pair in flags["env"]:
        key, equals, value = pair.partition("=")
        found[key] = value if equals else os.environ.get(key)
    return [f"{key}={value}" for key, value in found.items() if value is not None]


def _labels(flags: dict[str, Any]) -> dict[str, str]:
    found = {key: value or "" for path in flags["label_file"] for key, value in read(path).items()}
    return {**found, **key_values(flags["label"])}


def _health(flags: dict[str, Any]) -> dict[str, Any] | None:
    if flags["no_healthcheck"]:
        if flags["health_cmd"]:
            raise ValueError("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    keys = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod", "start_interval": "StartInterval"}
    times = {field: int(parse_duration(flags[f"health_{key}"]) * NANO) for key, field in keys.items() if flags[f"health_{key}"]}
    if not (flags["health_cmd"] or times or flags["health_retries"]):
        return None
    test = ["CMD-SHELL", flags["health_cmd"]] if flags["health_cmd"] else []
    return {"Test": test, "Retries": flags["health_retries"] or 0, **times}


def _bind(text: str) -> str:
    """docker's CLI makes a relative source absolute."""
    source, _, rest = text.partition(":")
    if source.startswith((".", "~")) or source == "..":
        source = os.path.abspath(os.path.expanduser(source))
    return f"{source}:{rest}"


def _device(text: str) -> dict[str, str]:
    host, _, rest = text.partition(":")
    inside, _, rights = rest.partition(":")
    if inside and not inside.startswith("/"):
        inside, rights = "", inside
    return {"PathOnHost": host, "PathInContainer": inside or host, "CgroupPermissions": rights or "rwm"}


def _ulimit(text: str) -> dict[str, Any]:
    name, equals, numbers = text.partition("=")
    soft, _, hard = numbers.partition(":")
    if not equals or not soft.lstrip("-").isdigit() or not (hard or soft).lstrip("-").isdigit():
        raise ValueError(f"invalid ulimit argument: {text}")
    return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}
