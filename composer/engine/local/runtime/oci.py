"""config.json of a container, from facts that are all known: exactly what dockerd would write. Pure.

Source: the OCI runtime specification 1.0.2 (config.md, config-linux.md); moby's daemon/oci_linux.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from composer.engine.errors import InvalidArgument
from composer.engine.local.runtime import mounts, resources
from composer.engine.local.runtime.capabilities import DEFAULT as DEFAULT_CAPABILITIES
from composer.engine.local.runtime.capabilities import sets as capability_sets
from composer.engine.local.runtime.devices import Device, cgroup_rules
from composer.engine.local.runtime.mounts import BundleMount
from composer.engine.model import HostConfig

VERSION = "1.0.2"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT = "/sbin/docker-init"  # where Docker's users expect it
_DEFAULT_DEVICES = ((1, 5), (1, 3), (1, 9), (1, 8), (5, 0), (5, 1))  # zero null urandom random tty console
_RUNTIME_ANNOTATIONS = ("run.oci.", "io.crun.", "org.systemd.property.", "org.criu.", "module.wasm.image/")


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """Everything that config.json says.

    ``namespaces``: type -> path to join, "" for a new one; a type that is absent is the host's (see `namespaces`).
    ``shared_network``: the network namespace is another container's, so its sysctls are not ours.
    ``shm``: a host directory for /dev/shm, None for a tmpfs of its own. ``init``: path of a static init on the host, None for none.
    ``block_numbers``: see `devices.block_numbers`. ``apparmor``: profile, "" for none.
    """

    host: HostConfig
    args: Sequence[str]
    env: Sequence[str]
    rootfs: Path
    cgroup: str
    namespaces: Mapping[str, str]
    capabilities: Sequence[str] = DEFAULT_CAPABILITIES
    seccomp: Mapping[str, Any] | None = None
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    groups: Sequence[int] = ()
    tty: bool = False
    hostname: str = ""
    domainname: str = ""
    mounts: Sequence[BundleMount] = ()
    devices: Sequence[Device] = ()
    shared_network: bool = False
    shm: str | None = None
    init: str | None = None
    apparmor: str = ""
    block_numbers: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def render(facts: BundleFacts) -> dict[str, Any]:
    """The configuration. Raises InvalidArgument for what dockerd or the runtime would refuse."""
    if not facts.args:
        raise InvalidArgument("no command specified", hint="give the service a command, or the image a CMD or ENTRYPOINT")
    binds = list(facts.mounts)
    if facts.init is not None and "pid" in facts.namespaces:
        binds.append(BundleMount(INIT, facts.init, read_only=True, recursive=False))
    own_uts = facts.namespaces.get("uts") == ""
    config: dict[str, Any] = {
        "ociVersion": VERSION,
        "process": _process(facts),
        "root": {"path": str(facts.rootfs), "readonly": facts.host.readonly_rootfs},
        "mounts": mounts.render(facts.host, binds, shm=facts.shm),
        "linux": _linux(facts, binds),
    }
    if own_uts and facts.hostname:
        config["hostname"] = facts.hostname
    if facts.host.annotations:
        config["annotations"] = _annotations(facts.host.annotations)
    return config


def _process(facts: BundleFacts) -> dict[str, Any]:
    args = list(facts.args)
    if facts.init is not None and facts.namespaces.get("pid") == "":
        args = [INIT, "--", *args]
    process = exec_process(
        args,
        env=facts.env,
        cwd=facts.cwd,
        uid=facts.uid,
        gid=facts.gid,
        groups=facts.groups,
        tty=facts.tty,
        capabilities=facts.capabilities,
        no_new_privileges=no_new_privileges(facts.host.security_opt),
        apparmor=facts.apparmor,
        console_size=facts.host.console_size,
    )
    process["oomScoreAdj"] = facts.host.oom_score_adj
    if facts.host.ulimits:
        process["rlimits"] = resources.rlimits(facts.host.ulimits)
    return process


def exec_process(
    args: Sequence[str],
    *,
    env: Sequence[str],
    cwd: str = "/",
    uid: int = 0,
    gid: int = 0,
    groups: Sequence[int] = (),
    tty: bool = False,
    capabilities: Sequence[str],
    no_new_privileges: bool = False,
    apparmor: str = "",
    console_size: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """The ``process`` object: of a container's first process, or of a further one (for `Runtime.exec`).

    ``capabilities``: what the container has, or `capabilities.ALL` for a privileged exec.
    """
    if not args:
        raise InvalidArgument("No exec command specified")
    if not cwd.startswith("/"):
        raise InvalidArgument(f"the working directory '{cwd}' is invalid, it needs to be an absolute path")
    process: dict[str, Any] = {
        "terminal": tty,
        "user": {"uid": uid, "gid": gid, "additionalGids": list(dict.fromkeys([gid, *groups]))},
        "args": list(args),
        "env": list(env),
        "cwd": cwd,
        "capabilities": capability_sets(capabilities, uid),
        "noNewPrivileges": no_new_privileges,
    }
    if tty and console_size and all(console_size):
        process["consoleSize"] = {"height": console_size[0], "width": console_size[1]}
    if apparmor:
        process["apparmorProfile"] = apparmor
    return process


def _linux(facts: BundleFacts, binds: Sequence[BundleMount]) -> dict[str, Any]:
    linux: dict[str, Any] = {
        "namespaces": [{"type": "mount"}]
        + [{"type": kind, "path": path} if path else {"type": kind} for kind, path in facts.namespaces.items()],
        "cgroupsPath": facts.cgroup,
        "resources": resources.render(facts.host, _device_rules(facts), facts.block_numbers),
        "devices": [device.node() for device in facts.devices],
        "maskedPaths": mounts.masked(facts.host),
        "readonlyPaths": mounts.read_only(facts.host),
    }
    if sysctls := _sysctls(facts):
        linux["sysctl"] = sysctls
    if facts.seccomp is not None:
        linux["seccomp"] = facts.seccomp
    if propagation := mounts.root_propagation(binds):
        linux["rootfsPropagation"] = propagation
    return linux


def _device_rules(facts: BundleFacts) -> list[dict[str, Any]]:
    if facts.host.privileged:
        return [{"allow": True, "access": "rwm"}]
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    rules += [{"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"} for major, minor in _DEFAULT_DEVICES]
    rules += [device.rule() for device in facts.devices]
    return rules + cgroup_rules(facts.host.device_cgroup_rules)


def _sysctls(facts: BundleFacts) -> dict[str, str]:
    result: dict[str, str] = {}
    own_network = "network" in facts.namespaces and not facts.shared_network
    if own_network:  # harmless in a network of its own: ping without privileges, low ports without CAP_NET_BIND_SERVICE
        result = {"net.ipv4.ping_group_range": "0 2147483647", "net.ipv4.ip_unprivileged_port_start": "0"}
    if facts.domainname and facts.namespaces.get("uts") == "":
        result["kernel.domainname"] = facts.domainname
    for name, value in facts.host.sysctls.items():
        _check_sysctl(name, own_network, "ipc" in facts.namespaces)
        result[name] = value
    return result


def _check_sysctl(name: str, own_network: bool, own_ipc: bool) -> None:
    key = name.replace("/", ".")
    if key.startswith("net."):
        if not own_network:
            raise InvalidArgument(f"sysctl '{name}' not allowed in host network namespace", hint="remove it, or network_mode")
    elif key.startswith(("fs.mqueue.", "kernel.msg", "kernel.sem", "kernel.shm")):
        if not own_ipc:
            raise InvalidArgument(f"sysctl '{name}' not allowed in host ipc namespace", hint="remove it, or ipc: host")
    elif key != "kernel.domainname":
        raise InvalidArgument(f'sysctl "{name}" is not in a separate kernel namespace', hint="set it on the host with sysctl(8)")


def _annotations(given: Mapping[str, str]) -> dict[str, str]:
    """Annotations are the user's words, never commands to the runtime (crun obeys some: hooks that write host files, other handlers)."""
    for name in given:
        if name.startswith(_RUNTIME_ANNOTATIONS):
            raise InvalidArgument(f"annotation {name} would steer the runtime, which a container's configuration may not")
    return dict(given)


def no_new_privileges(security_opt: Sequence[str]) -> bool:
    """Whether no-new-privileges[:true|=true] is among the options. Raises InvalidArgument for another value."""
    wish = False
    for option in security_opt:
        name, _, value = option.replace(":", "=", 1).partition("=")
        if name == "no-new-privileges":
            if value not in ("", "true", "false"):
                raise InvalidArgument(f'invalid --security-opt 2: "{option}"')
            wish = value != "false"
    return wish


def namespaces(
    host: HostConfig, *, network: str | None, joined: Mapping[str, str] | None = None, cgroup_version: int = 1
) -> dict[str, str]:
    """``BundleFacts.namespaces`` from the modes of ``host``.

    ``network``: path of the network namespace, "" for a new one, None for the host's. ``joined``: for each of pid and ipc in mode
    container:x, the path of that container's namespace (/proc/PID/ns/pid).
    """
    found: dict[str, str] = {}
    paths = joined or {}
    for kind, mode in (("pid", host.pid_mode), ("ipc", host.ipc_mode), ("uts", host.uts_mode)):
        if mode.startswith("container:"):
            if kind not in paths:
                raise InvalidArgument(f"invalid {kind.upper()} mode: {mode}")
            found[kind] = paths[kind]
        elif mode in ("", "private", *(("shareable", "none") if kind == "ipc" else ())):
            found[kind] = ""
        elif mode != "host":
            raise InvalidArgument(f"invalid {kind.upper()} mode: {mode}")
    if network is not None:
        found["network"] = network
    if host.cgroupns_mode not in ("", "private", "host"):
        raise InvalidArgument(f"invalid cgroup namespace mode: {host.cgroupns_mode}")
    if host.cgroupns_mode == "private" or (not host.cgroupns_mode and cgroup_version == 2):
        found["cgroup"] = ""
    return found


def environment(given: Sequence[str], *, hostname: str, tty: bool = False, home: str = "/") -> list[str]:
    """The environment of a first process: dockerd's own variables, then the configuration's; a name without "=" is unset."""
    merged = {"PATH": DEFAULT_PATH, "HOSTNAME": hostname}
    if tty:
        merged["TERM"] = "xterm"
    for entry in given:
        name, equals, value = entry.partition("=")
        if equals:
            merged[name] = value
        else:
            merged.pop(name, None)
    merged.setdefault("HOME", home)
    return [f"{name}={value}" for name, value in merged.items()]
