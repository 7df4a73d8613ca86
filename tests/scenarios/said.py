"""Does a container have what the resolved stack says? An independent, small reading of the Compose Specification, attribute by attribute.

Each check takes a Case and yields complaints. It reads what `composer config --format json` printed (long form) and
what was seen inside (`inside.Sight`); `inspect` is asked only for what no process can see, such as labels.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.scenarios.inside import Sight

USERS = {"root": (0, 0), "postgres": (70, 70), "app": (1234, 1235), "": (0, 0)}  # of the image that stands in for all
_IN_ORDER = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN
NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON
BPF CHECKPOINT_RESTORE
"""  # of their numbers in linux/capability.h
_OF_A_CONTAINER = (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
)
CAPABILITIES = _IN_ORDER.split()
USUAL = set(_OF_A_CONTAINER.split())
LIMITS = {
    "nofile": "Max open files",
    "nproc": "Max processes",
    "memlock": "Max locked memory",
    "stack": "Max stack size",
    "core": "Max core file size",
    "fsize": "Max file size",
    "rtprio": "Max realtime priority",
    "nice": "Max nice priority",
}
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Case:
    """One container: its service in long form, the whole stack, what was seen, and what inspect says."""

    service: dict[str, Any]
    stack: dict[str, Any]
    seen: Sight
    inspect: dict[str, Any]
    host: dict[str, str]  # the host's namespaces by kind

    def deploy(self, *path: str) -> Any:
        found: Any = self.service.get("deploy") or {}
        for key in path:
            found = (found or {}).get(key)
        return found


def complaints(case: Case) -> list[str]:
    """All that is not as said."""
    return [f"{check.__name__}: {text}" for check in CHECKS for text in check(case)]


def differ(name: str, wanted: Any, found: Any) -> Iterator[str]:
    if wanted != found:
        yield f"{name} should be {wanted!r} and is {found!r}"


def seconds(text: str) -> float:
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ns|us|ms|s|m|h)", text))


def environment(case: Case) -> Iterator[str]:
    found = case.seen.environ()
    for name, value in (case.service.get("environment") or {}).items():
        yield from differ(name, value.replace("$$", "$") if value is not None else None, found.get(name))


def process(case: Case) -> Iterator[str]:
    arguments = case.seen.arguments()
    if case.service.get("pid") is None:
        for key in ("entrypoint", "command"):
            for word in case.service.get(key) or ():
                word = str(word).replace("$$", "$")
                if not any(word in argument for argument in arguments):
                    yield f"{word!r} of {key} is no argument of {arguments}"
        yield from differ("an init", bool(case.service.get("init")), "docker-init" in arguments[0] or "tini" in arguments[0])
    if "working_dir" in case.service:
        yield from differ("the directory", case.service["working_dir"], case.seen.parts["cwd"].strip())
    yield from differ("oom_score_adj", str(case.service.get("oom_score_adj", 0)), case.seen.parts["oom"].strip())
    yield from differ("a terminal", case.service.get("tty", False), case.inspect["Config"]["Tty"])


def user(case: Case) -> Iterator[str]:
    name, _, group = str(case.service.get("user", "")).partition(":")
    uid, gid = USERS.get(name) or (int(name), 0)
    if group:
        gid = USERS[group][1] if group in USERS else int(group)
    yield from differ("uid", str(uid), case.seen.status("Uid")[1])
    yield from differ("gid", str(gid), case.seen.status("Gid")[1])
    for added in case.service.get("group_add", ()):
        number = str(USERS[added][1] if added in USERS else added)
        if number not in case.seen.status("Groups"):
            yield f"group {number} is missing in {case.seen.status('Groups')}"


def capabilities(case: Case) -> Iterator[str]:
    named = [[str(cap).upper().removeprefix("CAP_") for cap in case.service.get(key, ())] for key in ("cap_add", "cap_drop")]
    added, dropped = (set(CAPABILITIES) if "ALL" in caps else set(caps) for caps in named)
    wanted = (
        set(CAPABILITIES) if case.service.get("privileged") else (USUAL - dropped) | (added if "ALL" not in named[0] else added - dropped)
    )
    bits = int(case.seen.status("CapBnd")[0], 16)
    given = int(re.findall(r"CapBnd:\s*(\w+)", Path("/proc/self/status").read_text())[0], 16)  # nobody gives more than he has
    found, ours = ({cap for number, cap in enumerate(CAPABILITIES) if mask >> number & 1} for mask in (bits, given))
    yield from differ("the bounding set", sorted(wanted & ours), sorted(found))
    options = [str(option).replace("=", ":") for option in case.service.get("security_opt", ())]
    quiet = any(option in ("no-new-privileges", "no-new-privileges:true") for option in options)
    yield from differ("no_new_privs", "1" if quiet else "0", case.seen.status("NoNewPrivs")[0])
    free = case.service.get("privileged") or "seccomp:unconfined" in options
    yield from differ("seccomp", "0" if free else "2", case.seen.status("Seccomp")[0])


def ulimits(case: Case) -> Iterator[str]:
    for name, wish in (case.service.get("ulimits") or {}).items():
        both = (wish.get("soft", 0), wish.get("hard", 0)) if isinstance(wish, dict) else (wish, wish)
        wanted = tuple("unlimited" if value == -1 else str(value) for value in both)
        yield from differ(name, wanted, case.seen.limit(LIMITS[name]))


def limits(case: Case) -> Iterator[str]:
    host = case.service
    if case.service.get("privileged") and case.service.get("cgroup") != "private":
        return  # it sees the host's tree
    seen = case.seen.cgroup
    memory = int(case.deploy("resources", "limits", "memory") or host.get("mem_limit") or 0)
    if memory:
        yield from differ("memory", str(memory), seen("memory/memory.limit_in_bytes", "memory.max"))
        swap = int(host.get("memswap_limit") or 2 * memory)
        v1 = seen("memory/memory.memsw.limit_in_bytes")
        yield from differ("memory and swap", str(swap), v1 or str(int(seen("memory.swap.max") or 0) + memory))
    reserved = int(case.deploy("resources", "reservations", "memory") or host.get("mem_reservation") or 0)
    if reserved:
        yield from differ("the reservation", str(reserved), seen("memory/memory.soft_limit_in_bytes", "memory.low"))
    cpus = float(case.deploy("resources", "limits", "cpus") or host.get("cpus") or 0)
    if cpus:
        quota = seen("cpu.max").split() or [seen("cpu/cpu.cfs_quota_us"), seen("cpu/cpu.cfs_period_us")]
        yield from differ("cpus", cpus, int(quota[0]) / int(quota[1]))
    if "cpuset" in host:
        yield from differ("cpuset", host["cpuset"], seen("cpuset/cpuset.cpus", "cpuset.cpus"))
    pids = case.deploy("resources", "limits", "pids") or host.get("pids_limit")
    if pids:
        yield from differ("pids", str(pids), seen("pids/pids.max", "pids.max"))
    if host.get("cpu_shares") and seen("cpu/cpu.shares"):
        yield from differ("shares", str(host["cpu_shares"]), seen("cpu/cpu.shares"))
    if "mem_swappiness" in host and seen("memory/memory.swappiness"):
        yield from differ("swappiness", str(host["mem_swappiness"]), seen("memory/memory.swappiness"))


def sysctls(case: Case) -> Iterator[str]:
    for name, value in (case.service.get("sysctls") or {}).items():
        yield from differ(name, str(value).split(), case.seen.text(sysctl(name)).split())


def sysctl(name: str) -> str:
    return "/proc/sys/" + name.replace(".", "/")


def devices(case: Case) -> Iterator[str]:
    for device in case.service.get("devices", ()):
        found, wanted = case.seen.stat(device.get("target") or device["source"]), os.stat(device["source"])
        number = f"{os.major(wanted.st_rdev):x}:{os.minor(wanted.st_rdev):x}"
        yield from differ(device["source"], number, found[5] if found else None)


def mounts(case: Case) -> Iterator[str]:
    found = case.seen.mounts()
    root = "ro" if case.service.get("read_only") else "rw"
    if root not in found["/"].options:
        yield f"the root is not {root}"
    for wish in case.service.get("volumes", ()):
        target = wish["target"].rstrip("/") or "/"
        mount = found.get(os.path.realpath(target).replace("/var/run", "/run") if target not in found else target)
        if mount is None:
            yield f"nothing is mounted at {target}"
            continue
        mode = "ro" if wish.get("read_only") else "rw"
        if mode not in mount.options:
            yield f"{target} is not {mode}"
        if wish["type"] == "bind":
            there = os.stat(wish["source"])
            seen = case.seen.stat(target)
            yield from differ(f"the inode of {target}", str(there.st_ino), seen[4] if seen else None)
            spreads = re.search(
                rf" {re.escape(host_mount(wish['source']))} \\S+ (?:shared|master):", Path("/proc/self/mountinfo").read_text()
            )
            tag = spreads and {"rslave": "master:", "slave": "master:", "rshared": "shared:", "shared": "shared:"}.get(
                (wish.get("bind") or {}).get("propagation", "")
            )
            if tag and tag not in mount.tags:
                yield f"{target} is not {tag}... but {mount.tags!r}"
        if wish["type"] == "tmpfs":
            yield from differ(f"the kind of {target}", "tmpfs", mount.kind)
            size = int((wish.get("tmpfs") or {}).get("size") or 0)
            if size:
                yield from differ(f"the size of {target}", size, mount.size())
    for line in case.service.get("tmpfs", ()):
        target, _, options = line.partition(":")
        mount = found.get(target)
        if mount is None or mount.kind != "tmpfs":
            yield f"no tmpfs is at {target}"
            continue
        for option in options.split(",") if options else ():
            given = f"{','.join(sorted(mount.options))},{mount.of_fs}"
            if option.startswith("size="):
                yield from differ(f"the size of {target}", bytes_of(option.removeprefix("size=")), mount.size())
            elif (
                option.lstrip("0") not in given
                and option not in ("mode=1777", "exec", "rw")
                and option.replace("mode=0", "mode=") not in given
            ):
                yield f"{target} lacks {option}: {given}"
    if "shm_size" in case.service and case.service.get("ipc") != "host":
        yield from differ("/dev/shm", int(case.service["shm_size"]), found["/dev/shm"].size())


def host_mount(path: str) -> str:
    """Where the host's mount begins that holds this path."""
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def bytes_of(text: str) -> int:
    return int(text[:-1]) * {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[text[-1].lower()] if text[-1].isalpha() else int(text)


def granted(service: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Section, grant, and where it is in the container."""
    for section, usual in (("secrets", "/run/secrets/"), ("configs", "/")):
        for grant in service.get(section, ()):
            target = grant.get("target") or grant["source"]
            yield section, grant, target if target.startswith("/") else usual + target


def grants(case: Case) -> Iterator[str]:
    for section, grant, target in granted(case.service):
        source = case.stack[section][grant["source"]]
        mount, stat = case.seen.mounts().get(target), case.seen.stat(target)
        if mount is None or not stat:
            yield f"{section} {grant['source']} is not mounted at {target}"
            continue
        if "ro" not in mount.options:
            yield f"{target} can be written"
        if "file" in source:  # the user's own file, as it is
            there = os.stat(source["file"])
            wanted, content = [f"{there.st_mode & 0o7777:o}", str(there.st_uid), str(there.st_gid)], Path(source["file"]).read_text()
        else:
            mode = int(str(grant["mode"]), 8) if "mode" in grant else 0o444
            wanted = [f"{mode:o}", str(grant.get("uid", 0)), str(grant.get("gid", 0))]
            content = source.get("content", "").replace("$$", "$") or os.environ.get(source.get("environment", ""), "")
        yield from differ(f"mode and owner of {target}", wanted, stat[:3])
        if content and case.seen.text(target):
            yield from differ(target, content.strip(), case.seen.text(target).strip())


def names(case: Case) -> Iterator[str]:
    mode = case.service.get("network_mode", "")
    if case.service.get("uts") != "host" and not mode.startswith(("service:", "container:", "host")):
        yield from differ("the hostname", case.service.get("hostname") or case.inspect["Id"][:12], case.seen.parts["hostname"].strip())
    if case.service.get("domainname"):
        yield from differ("the domain", case.service["domainname"], case.seen.parts["domain"].strip())
    lines = [line.split() for line in case.seen.parts["hosts"].splitlines()]
    for entry in case.service.get("extra_hosts", ()):
        name, _, address = entry.partition("=")
        if not any(name in line[1:] and (address == "host-gateway" or address in (line[0], f"[{line[0]}]")) for line in lines if line):
            yield f"{entry} is not in /etc/hosts: {lines}"


def resolver(case: Case) -> Iterator[str]:
    lines = [line.split() for line in case.seen.parts["resolv"].splitlines() if line and line[0] != "#"]
    settings = {line[0]: line[1:] for line in lines if line}
    if not case.service.get("network_mode"):
        yield from differ("the resolver", ["127.0.0.11"], settings.get("nameserver"))
    if case.service.get("dns_search"):
        yield from differ("search", case.service["dns_search"], settings.get("search"))
    for option in case.service.get("dns_opt", ()):
        if option not in settings.get("options", []):
            yield f"{option} is not in resolv.conf's options {settings.get('options')}"
    yield from differ("servers", list(case.service.get("dns", [])), list(case.inspect["HostConfig"].get("Dns") or []))


def networks(case: Case) -> Iterator[str]:
    mode = case.service.get("network_mode", "")
    if mode == "host":
        yield from differ("the network namespace", case.host["net"], case.seen.parts["ns:net"].strip())
        return
    wanted = case.service.get("networks") or {}
    found = case.seen.interfaces()
    if mode == "none" or not mode.startswith(("service:", "container:")):
        yield from differ("interfaces", len(wanted), len(found))
    addresses = [address for every in found.values() for address in every]
    for key, wish in wanted.items():
        wish = wish or {}
        network = case.stack["networks"][key]
        pools = [pool["subnet"] for pool in (network.get("ipam") or {}).get("config", ()) if "subnet" in pool]
        for pool in pools:
            if not any(ipaddress.ip_interface(address).ip in ipaddress.ip_network(pool) for address in addresses):
                yield f"no address of {pool} (network {key}): {addresses}"
        for fixed in (wish.get("ipv4_address"), wish.get("ipv6_address"), *wish.get("link_local_ips", ())):
            if fixed and fixed not in [address.partition("/")[0] for address in addresses]:
                yield f"{fixed} (network {key}) is not in {addresses}"
        if wish.get("interface_name") and wish["interface_name"] not in found:
            yield f"no interface {wish['interface_name']} in {sorted(found)}"
        known = case.inspect["NetworkSettings"]["Networks"].get(network["name"])
        if known is None:
            yield f"it is not in {network['name']}"
            continue
        for alias in (*wish.get("aliases", ()), case.service["name"]):
            if alias not in known["DNSNames"] and alias not in (known["Aliases"] or ()):
                yield f"{alias} is no alias in {key}"
        if wish.get("mac_address"):
            yield from differ("the MAC address", wish["mac_address"], known["MacAddress"])
    if wanted and all(case.stack["networks"][key].get("internal") for key in wanted) and "default" in case.seen.parts["routes"]:
        yield "it has a default route though its networks are internal"


def namespaces(case: Case) -> Iterator[str]:
    for key, kind in (("pid", "pid"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup")):
        shared = case.service.get(key) == "host"
        if shared or key in ("pid", "ipc"):
            same = case.host[kind] == case.seen.parts[f"ns:{kind}"].strip()
            yield from differ(f"the host's {kind} namespace", shared, same)


def said_to_the_engine(case: Case) -> Iterator[str]:
    """Labels, restart policy, logging, health check and stop settings: no process can see them, so the engine is asked."""
    config, host = case.inspect["Config"], case.inspect["HostConfig"]
    for name, value in (case.service.get("labels") or {}).items():
        yield from differ(f"label {name}", value.replace("$$", "$"), config["Labels"].get(name))
    policy, attempts = host["RestartPolicy"]["Name"], host["RestartPolicy"]["MaximumRetryCount"]
    restart, _, count = str(case.service.get("restart") or "no").partition(":")
    if not case.deploy("restart_policy"):
        yield from differ("restart", (restart, int(count or 0)), (policy or "no", attempts))
    if "stop_signal" in case.service:
        yield from differ("stop_signal", case.service["stop_signal"], config["StopSignal"])
    if "stop_grace_period" in case.service:
        yield from differ("stop_grace_period", seconds(case.service["stop_grace_period"]), float(config["StopTimeout"]))
    logging = case.service.get("logging") or {}
    if logging.get("driver"):
        yield from differ("log driver", logging["driver"], host["LogConfig"]["Type"])
        yield from differ("log options", logging.get("options") or {}, host["LogConfig"]["Config"] or {})
    check = case.service.get("healthcheck") or {}
    if check.get("test") and not check.get("disable"):
        yield from differ("health check", [word.replace("$$", "$") for word in check["test"]], config["Healthcheck"]["Test"])
        yield from differ("interval", seconds(check.get("interval", "0s")), config["Healthcheck"]["Interval"] / 1e9)
    if check.get("disable") or not check:
        yield from differ("health", None, case.inspect["State"].get("Health"))
    for name, value in (case.service.get("annotations") or {}).items():
        yield from differ(f"annotation {name}", value, (host["Annotations"] or {}).get(name))


CHECKS = (
    environment,
    process,
    user,
    capabilities,
    ulimits,
    limits,
    sysctls,
    devices,
    mounts,
    grants,
    names,
    resolver,
    networks,
    namespaces,
    said_to_the_engine,
)
