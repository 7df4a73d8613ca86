"""config.json, limits, capabilities, filters, users, devices: decided purely, in dockerd's terms and words."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from composer.engine.errors import CommandNotExecutable, CommandNotFound, EngineError, InvalidArgument
from composer.engine.local.runtime import capabilities, devices, limits, mounts, oci, resources, seccomp, users
from composer.engine.local.runtime.mounts import BundleMount
from composer.engine.local.runtime.words import refusal
from composer.engine.model import DeviceMapping, DeviceRequest, HostConfig, Mount, TmpfsOptions, Ulimit


def config(host: HostConfig | None = None, **changes: Any) -> dict[str, Any]:
    host = host or HostConfig()
    values: dict[str, Any] = {
        "host": host,
        "args": ("app", "-x"),
        "env": ("A=1",),
        "rootfs": Path("/r"),
        "cgroup": "/composer-1/abc",
        "namespaces": oci.namespaces(host, network="/run/netns/abc"),
        "hostname": "box",
    }
    return oci.render(oci.BundleFacts(**(values | changes)))


def mount_of(document: dict[str, Any], destination: str) -> dict[str, Any]:
    (found,) = [m for m in document["mounts"] if m["destination"] == destination]
    return found


def test_the_default_container_is_dockers():
    document = config()
    assert json.loads(json.dumps(document)) == document
    assert document["process"]["args"] == ["app", "-x"]
    assert document["process"]["user"] == {"uid": 0, "gid": 0, "additionalGids": [0]}
    assert document["process"]["oomScoreAdj"] == 0
    assert document["root"] == {"path": "/r", "readonly": False}
    assert document["hostname"] == "box"
    assert [m["destination"] for m in document["mounts"]] == [
        "/proc",
        "/dev",
        "/dev/pts",
        "/sys",
        "/sys/fs/cgroup",
        "/dev/mqueue",
        "/dev/shm",
    ]
    assert "size=67108864" in mount_of(document, "/dev/shm")["options"]
    assert "ro" in mount_of(document, "/sys")["options"]
    linux = document["linux"]
    assert linux["cgroupsPath"] == "/composer-1/abc"
    assert {n["type"]: n.get("path", "") for n in linux["namespaces"]} == {
        "mount": "",
        "pid": "",
        "ipc": "",
        "uts": "",
        "network": "/run/netns/abc",
    }
    assert linux["resources"]["devices"][0] == {"allow": False, "access": "rwm"}
    assert "/proc/kcore" in linux["maskedPaths"]
    assert "/proc/sys" in linux["readonlyPaths"]
    assert linux["sysctl"]["net.ipv4.ip_unprivileged_port_start"] == "0"


def test_privileged_is_everything():
    document = config(HostConfig(privileged=True))
    assert document["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert document["linux"]["maskedPaths"] == []
    assert document["linux"]["readonlyPaths"] == []
    assert "rw" in mount_of(document, "/sys")["options"]
    assert "rw" in mount_of(document, "/sys/fs/cgroup")["options"]


def test_a_user_other_than_root_has_no_effective_capabilities():
    sets = config(uid=1000, gid=1000)["process"]["capabilities"]
    assert sets["effective"] == sets["permitted"] == sets["inheritable"] == []
    assert len(sets["bounding"]) == 14


def test_a_read_only_root_and_what_stays_writable():
    document = config(HostConfig(readonly_rootfs=True, tmpfs={"/run": "size=1m"}))
    assert document["root"]["readonly"] is True
    assert "ro" not in mount_of(document, "/dev")["options"]
    assert "ro" not in mount_of(document, "/run")["options"]


def test_user_mounts_replace_the_defaults_and_come_in_the_order_of_depth():
    binds = [BundleMount("/data/deep/er", "/h3"), BundleMount("/data", "/h1", read_only=True), BundleMount("/dev/shm", "/h2")]
    document = config(mounts=binds)
    assert [m["destination"] for m in document["mounts"]][-3:] == ["/data", "/dev/shm", "/data/deep/er"]
    assert mount_of(document, "/data")["options"] == ["rbind", "ro", "rprivate"]
    assert mount_of(document, "/dev/shm")["source"] == "/h2"
    document = config(mounts=[BundleMount("/dev", "/h")])
    assert "/dev/pts" not in [m["destination"] for m in document["mounts"]]
    assert config(mounts=[BundleMount("/d", "/h", propagation="rshared")])["linux"]["rootfsPropagation"] == "shared"
    assert config(mounts=[BundleMount("/d", "/h", propagation="slave")])["linux"]["rootfsPropagation"] == "rslave"
    with pytest.raises(InvalidArgument, match="propagation"):
        config(mounts=[BundleMount("/d", "/h", propagation="sideways")])


def test_tmpfs_options_last_word_holds():
    assert mounts.tmpfs_options("size=64m,exec,mode=1770") == ["nosuid", "nodev", "size=64m", "exec", "mode=1770"]
    assert mounts.tmpfs_options("size=1m,size=2m")[-1] == "size=2m"
    for wrong in ("siez=64m", "fast"):
        with pytest.raises(InvalidArgument, match="Invalid tmpfs option"):
            mounts.tmpfs_options(wrong)
    long_form = Mount(type="tmpfs", target="/t", tmpfs_options=TmpfsOptions(size_bytes=1024, mode=0o1770), read_only=True)
    options = mount_of(config(HostConfig(mounts=(long_form,))), "/t")["options"]
    assert options == ["noexec", "nosuid", "nodev", "ro", "size=1024", "mode=1770"]


def test_init_is_put_in_front_where_the_container_has_its_own_first_process():
    document = config(init="/usr/bin/tini-static")
    assert document["process"]["args"] == ["/sbin/docker-init", "--", "app", "-x"]
    assert mount_of(document, "/sbin/docker-init")["source"] == "/usr/bin/tini-static"
    host = HostConfig(pid_mode="host")
    assert config(host, init="/usr/bin/tini-static")["process"]["args"] == ["app", "-x"]


def test_namespaces_of_every_mode():
    host = HostConfig(pid_mode="container:x", ipc_mode="shareable", uts_mode="host", cgroupns_mode="private")
    found = oci.namespaces(host, network=None, joined={"pid": "/proc/7/ns/pid"})
    assert found == {"pid": "/proc/7/ns/pid", "ipc": "", "cgroup": ""}
    assert "cgroup" in oci.namespaces(HostConfig(), network="", cgroup_version=2)
    assert "cgroup" not in oci.namespaces(HostConfig(cgroupns_mode="host"), network="", cgroup_version=2)
    assert "hostname" not in config(HostConfig(uts_mode="host"))
    for wrong in (
        HostConfig(pid_mode="mine"),
        HostConfig(ipc_mode="yours"),
        HostConfig(cgroupns_mode="x"),
        HostConfig(ipc_mode="container:y"),
    ):
        with pytest.raises(InvalidArgument, match="invalid"):
            oci.namespaces(wrong, network="")


def test_sysctls_only_of_the_containers_own_namespaces():
    document = config(HostConfig(sysctls={"net.core.somaxconn": "1", "kernel.msgmax": "2", "fs.mqueue.msg_max": "3"}), domainname="d.x")
    assert {"net.core.somaxconn": "1", "kernel.msgmax": "2", "kernel.domainname": "d.x"}.items() <= document["linux"]["sysctl"].items()
    with pytest.raises(InvalidArgument, match=r'sysctl "kernel.hostname" is not in a separate kernel namespace'):
        config(HostConfig(sysctls={"kernel.hostname": "x"}))
    with pytest.raises(InvalidArgument, match="host network namespace"):
        config(HostConfig(sysctls={"net.core.somaxconn": "1"}), namespaces=oci.namespaces(HostConfig(), network=None))
    assert "sysctl" not in config(shared_network=True)["linux"]


def test_annotations_are_never_commands_to_the_runtime():
    """DESIGN trap 8: crun would write host files for run.oci.hooks.stdout."""
    assert config(HostConfig(annotations={"org.x": "y"}))["annotations"] == {"org.x": "y"}
    for name in ("run.oci.hooks.stdout", "run.oci.handler", "org.systemd.property.X"):
        with pytest.raises(InvalidArgument, match=name):
            config(HostConfig(annotations={name: "/etc/passwd"}))


def test_no_new_privileges_in_every_spelling():
    for option in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"):
        assert config(HostConfig(security_opt=(option,)))["process"]["noNewPrivileges"] is True
    assert config(HostConfig(security_opt=("no-new-privileges:false",)))["process"]["noNewPrivileges"] is False
    with pytest.raises(InvalidArgument):
        config(HostConfig(security_opt=("no-new-privileges:perhaps",)))


def test_environment():
    got = oci.environment(("A=1", "PATH=/x", "HOSTNAME"), hostname="h", tty=True, home="/root")
    assert got == ["PATH=/x", "TERM=xterm", "A=1", "HOME=/root"]


def test_no_command_and_a_relative_directory_are_refused():
    with pytest.raises(InvalidArgument, match="no command specified"):
        config(args=())
    with pytest.raises(InvalidArgument, match="absolute path"):
        config(cwd="relative")


def test_limits_of_the_first_start():
    host = HostConfig(
        memory=64 << 20,
        nano_cpus=1_500_000_000,
        cpu_shares=512,
        pids_limit=100,
        cpuset_cpus="0-1",
        ulimits=(Ulimit(name="stack", soft=8, hard=-1),),
    )
    document = config(host)
    found = document["linux"]["resources"]
    assert found["memory"] == {"limit": 64 << 20, "swap": 128 << 20}
    assert found["cpu"] == {"shares": 512, "quota": 150_000, "period": 100_000, "cpus": "0-1"}
    assert found["pids"] == {"limit": 100}
    assert document["process"]["rlimits"] == [{"type": "RLIMIT_STACK", "soft": 8, "hard": 2**64 - 1}]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (HostConfig(memory=1024), "Minimum memory limit allowed is 6MB"),
        (HostConfig(memory=64 << 20, memory_swap=32 << 20), "memoryswap limit should be larger"),
        (HostConfig(memory_swap=32 << 20), "always set the Memory limit"),
        (HostConfig(nano_cpus=9_000_000_000), "range of CPUs is from 0.01 to 2.00"),
        (HostConfig(nano_cpus=1, cpu_quota=5000), "Conflicting options"),
        (HostConfig(cpu_period=10), "period"),
        (HostConfig(ulimits=(Ulimit(name="nofiles", soft=1, hard=1),)), "invalid ulimit type: nofiles"),
        (HostConfig(ulimits=(Ulimit(name="nofile", soft=2, hard=1),)), "soft limit"),
        (HostConfig(oom_score_adj=2000), "oom score adj"),
    ],
)
def test_what_dockerd_refuses(host, words):
    with pytest.raises(InvalidArgument, match=words):
        resources.check(host, cpus=2)


def test_updates_are_written_in_an_order_that_the_kernel_takes():
    grow = limits.plan_v1(HostConfig(memory=64 << 20), memory_now=32 << 20)
    assert [name for _, name, _ in grow] == ["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"]
    shrink = limits.plan_v1(HostConfig(memory=16 << 20), memory_now=32 << 20)
    assert [name for _, name, _ in shrink] == ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]


def test_limits_of_cgroup_v2():
    host = HostConfig(memory=64 << 20, memory_swap=96 << 20, cpu_shares=1024, nano_cpus=500_000_000, pids_limit=-1, cpuset_cpus="1")
    assert limits.plan_v2(host) == [
        ("memory", "memory.swap.max", str(32 << 20)),
        ("memory", "memory.max", str(64 << 20)),
        ("cpu", "cpu.weight", "39"),
        ("cpu", "cpu.max", "50000 100000"),
        ("cpuset", "cpuset.cpus", "1"),
        ("pids", "pids.max", "max"),
    ]
    assert ("memory", "memory.swap.max", "max") in limits.plan_v2(HostConfig(memory=64 << 20, memory_swap=-1))
    assert (limits.cpu_weight(2), limits.cpu_weight(262144)) == (1, 10000)


# -- capabilities


def test_capabilities_are_tweaked_as_docker_does():
    def bits(*add: str, drop: tuple[str, ...] = (), **more: bool) -> str:
        names = capabilities.resolve(add, drop, available=capabilities.ALL, **more)
        return f"{sum(1 << capabilities.ALL.index(name) for name in names):016x}"

    assert bits() == "00000000a80425fb"
    assert bits(drop=("ALL",)) == "0000000000000000"
    assert bits("NET_BIND_SERVICE", drop=("ALL",)) == "0000000000000400"
    assert bits("CAP_CHOWN", drop=("all",)) == "0000000000000001"
    assert bits("NET_ADMIN", "sys_time") == "00000000aa0435fb"
    assert bits("ALL", drop=("SYS_ADMIN",)) == "000001ffffdfffff"
    assert bits(privileged=True) == "000001ffffffffff"


def test_unknown_capabilities_are_named():
    with pytest.raises(InvalidArgument, match='invalid CapAdd: unknown capability: "CAP_FLY"'):
        capabilities.resolve(("fly",))
    with pytest.raises(InvalidArgument, match="not supported by your kernel"):
        capabilities.resolve(("SYS_ADMIN",), available=capabilities.DEFAULT)
    assert "CAP_CHOWN" in capabilities.known()


# -- seccomp


def names_allowed(profile: dict[str, Any]) -> set[str]:
    return {name for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}


def test_the_default_filter_depends_on_capabilities_architecture_and_kernel():
    plain = seccomp.render(seccomp.default_profile(), capabilities.DEFAULT, machine="x86_64", kernel="6.1.0")
    assert plain["defaultAction"] == "SCMP_ACT_ERRNO"
    assert plain["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    assert {"ptrace", "chroot", "arch_prctl"} <= names_allowed(plain)
    assert not {"mount", "reboot", "s390_pci_mmio_read"} & names_allowed(plain)
    assert "ptrace" not in names_allowed(seccomp.render(seccomp.default_profile(), (), machine="x86_64", kernel="4.4"))
    full = seccomp.render(seccomp.default_profile(), capabilities.ALL, machine="s390x", kernel="6.1")
    assert {"mount", "reboot", "s390_pci_mmio_read"} <= names_allowed(full)
    assert all(set(rule) <= {"names", "action", "errnoRet", "args"} for rule in full["syscalls"])


def test_the_filter_that_is_asked_for():
    have = capabilities.DEFAULT
    assert seccomp.for_options((), have) == seccomp.for_options(("seccomp=builtin",), have)
    assert seccomp.for_options(("seccomp:unconfined",), have) is None
    assert seccomp.for_options(("seccomp=unconfined",), have) is None
    assert seccomp.for_options((), have, privileged=True) is None
    own = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]})
    assert seccomp.for_options((f"seccomp={own}",), have)["syscalls"] == [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]
    for wrong in ("{", "[]", '{"syscalls": [{}]}'):
        with pytest.raises(InvalidArgument, match="Decoding seccomp profile failed"):
            seccomp.for_options((f"seccomp={wrong}",), have)


# -- users


@pytest.fixture
def root(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n# comment\napp:x:1234:1235::/home/app:\nodd:x:7\n")
    (tmp_path / "etc/group").write_text("root:x:0:root\nmail:x:8:\napp:x:1235:\nextra:x:1300:app,root\n")
    return tmp_path


def test_users_and_groups_are_looked_up_beneath_the_root(root):
    assert users.lookup(root, "") == users.User(0, 0, (0, 1300), "/root", "root")
    assert users.lookup(root, "app", ("mail", "4444")) == users.User(1234, 1235, (1300, 8, 4444), "/home/app", "app")
    assert users.lookup(root, "1234") == users.lookup(root, "app")
    assert users.lookup(root, "app:mail") == users.User(1234, 8, (), "/home/app", "app")
    assert users.lookup(root, "4242:4343") == users.User(4242, 4343)
    assert users.lookup(root, "4242").gid == 0


def test_who_is_not_there(root, tmp_path):
    with pytest.raises(InvalidArgument, match="unable to find user nobody: no matching entries in passwd file"):
        users.lookup(root, "nobody")
    with pytest.raises(InvalidArgument, match="unable to find group wheel: no matching entries in group file"):
        users.lookup(root, "app:wheel")
    for wrong in ("-1", "2147483648", "0:9999999999"):
        with pytest.raises(InvalidArgument, match="range 0-2147483647"):
            users.lookup(root, wrong)


def test_links_in_the_root_lead_nowhere_else(tmp_path):
    """DESIGN trap 10."""
    outside = tmp_path / "outside"
    outside.write_text("spy:x:666:666::/:\n")
    inside = tmp_path / "inside/etc"
    inside.mkdir(parents=True)
    (inside / "passwd").symlink_to(outside)
    with pytest.raises(InvalidArgument):
        users.lookup(inside.parent, "spy")
    (inside / "group").mkdir()
    assert users.lookup(inside.parent, "") == users.User(0, 0)


# -- devices


def test_devices_of_the_host():
    (found,) = devices.find(DeviceMapping(path_on_host="/dev/zero", path_in_container="/dev/nought", cgroup_permissions="r"))
    assert (found.path, found.kind, found.major, found.minor) == ("/dev/nought", "c", 1, 5)
    document = config(devices=(found,))
    assert document["linux"]["devices"][0]["path"] == "/dev/nought"
    assert document["linux"]["resources"]["devices"][-1] == {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "r"}
    for wrong in ("/dev/nosuch", "/etc/passwd"):
        with pytest.raises(InvalidArgument, match="error gathering device information"):
            devices.find(DeviceMapping(path_on_host=wrong, path_in_container="/x"))
    with pytest.raises(InvalidArgument, match="invalid device mode: x"):
        devices.find(DeviceMapping(path_on_host="/dev/zero", cgroup_permissions="x"))


def test_device_rules_and_requests():
    assert devices.cgroup_rules(("c 13:* rmw", "a *:* r")) == [
        {"allow": True, "type": "c", "access": "rmw", "major": 13},
        {"allow": True, "type": "a", "access": "r"},
    ]
    with pytest.raises(InvalidArgument, match="invalid device cgroup rule format"):
        devices.cgroup_rules(("c 13 rw",))
    with pytest.raises(InvalidArgument, match=r'could not select device driver "nvidia" with capabilities: \[\[gpu\]\]'):
        devices.refuse_requests((DeviceRequest(driver="nvidia", capabilities=(("gpu",),)),))


# -- the runtimes' words


def test_words_of_both_runtimes_become_dockers():
    error = refusal("executable file `nosuch` not found in $PATH: No such file or directory\n", "nosuch", runtime="crun")
    assert isinstance(error, CommandNotFound)
    assert error.message == (
        "failed to create task for container: failed to create shim task: OCI runtime create failed: crun create failed: "
        'unable to start container process: error during container init: exec: "nosuch": executable file not found in $PATH: unknown'
    )
    text = 'time="2026-11-24T14:48:14Z" level=error msg="runc create failed: exec: \\"/x\\": permission denied"'
    assert isinstance(refusal(text, "/x", runtime="runc"), CommandNotExecutable)
    other = refusal("crun: mount `proc` to `/proc`: Operation not permitted", "x", runtime="crun")
    assert type(other) is EngineError
    assert other.message.endswith("crun create failed: mount `proc` to `/proc`: Operation not permitted: unknown")
    assert "no reason given" in refusal("", "x", runtime="crun").message


def test_the_block_devices_of_limits_must_exist():
    from composer.engine.model import ThrottleDevice

    with pytest.raises(InvalidArgument, match="no such block device: /dev/null"):
        devices.block_numbers(HostConfig(blkio_device_read_bps=(ThrottleDevice(path="/dev/null", rate=1),)))
    host = HostConfig(blkio_device_read_bps=(ThrottleDevice(path="/dev/b", rate=5),))
    assert config(host, block_numbers={"/dev/b": (8, 0)})["linux"]["resources"]["blockIO"] == {
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 5}]
    }


def test_no_working_directory_is_a_link_to_the_host(tmp_path):
    """The console size is given only for a terminal."""
    process = oci.exec_process(("sh",), env=(), capabilities=(), tty=True, console_size=(24, 80))
    assert process["consoleSize"] == {"height": 24, "width": 80}
    assert "consoleSize" not in oci.exec_process(("sh",), env=(), capabilities=(), console_size=(24, 80))
    assert os.fspath(tmp_path)
