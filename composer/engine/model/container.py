"""A container: what was asked for (`ContainerConfig`) and what is (`Container`)."""

from __future__ import annotations

from pydantic import Field

from composer.engine.model.wire import Wire

ZERO_TIME = "0001-01-01T00:00:00Z"


class HealthConfig(Wire):
    """A health check. ``test``: [] inherit, ["NONE"], ["CMD", ...], ["CMD-SHELL", line]. Times in ns; 0 = default."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ProcessConfig(Wire):
    """The part of a configuration that an image can give defaults for (Docker's ``Config``; the OCI image's ``config``)."""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, dict[str, str]] = Field(default_factory=dict)  # "80/tcp" -> {}
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: tuple[str, ...] = ()  # "NAME=value"; "NAME" alone unsets what the image set
    cmd: tuple[str, ...] | None = None
    healthcheck: HealthConfig | None = None
    args_escaped: bool = False
    image: str = ""
    volumes: dict[str, dict[str, str]] = Field(default_factory=dict)  # "/data" -> {}
    working_dir: str = ""
    entrypoint: tuple[str, ...] | None = None  # None: the image's; () : none
    network_disabled: bool = False
    mac_address: str = ""
    on_build: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    stop_signal: str = ""
    stop_timeout: int | None = None  # seconds
    shell: tuple[str, ...] | None = None


class PortBinding(Wire):
    """A host address and port; ``host_port`` "" is chosen by the engine, "8000-8010" is a range to choose from."""

    host_ip: str = ""
    host_port: str = ""


class RestartPolicy(Wire):
    """``name``: "", "no", "always", "unless-stopped", "on-failure" (with ``maximum_retry_count``, 0 = without end)."""

    name: str = ""
    maximum_retry_count: int = 0


class LogConfig(Wire):
    type: str = ""  # "" = json-file
    config: dict[str, str] = Field(default_factory=dict)


class Ulimit(Wire):
    name: str = ""
    soft: int = 0
    hard: int = 0


class DeviceMapping(Wire):
    path_on_host: str = ""
    path_in_container: str = ""
    cgroup_permissions: str = "rwm"


class DeviceRequest(Wire):
    driver: str = ""
    count: int = 0
    device_ids: tuple[str, ...] = Field(default=(), alias="DeviceIDs")
    capabilities: tuple[tuple[str, ...], ...] = ()
    options: dict[str, str] = Field(default_factory=dict)


class WeightDevice(Wire):
    path: str = ""
    weight: int = 0


class ThrottleDevice(Wire):
    path: str = ""
    rate: int = 0


class DriverConfig(Wire):
    name: str = ""
    options: dict[str, str] = Field(default_factory=dict)


class BindOptions(Wire):
    propagation: str = ""
    non_recursive: bool = False
    create_mountpoint: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False


class VolumeOptions(Wire):
    no_copy: bool = False
    labels: dict[str, str] = Field(default_factory=dict)
    driver_config: DriverConfig | None = None
    subpath: str = ""


class TmpfsOptions(Wire):
    size_bytes: int = 0
    mode: int = 0


class ImageOptions(Wire):
    subpath: str = ""


class Mount(Wire):
    """A mount that is asked for. ``type``: bind, volume, tmpfs, image."""

    target: str = ""
    source: str = ""
    type: str = "volume"
    read_only: bool = False
    consistency: str = ""
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    tmpfs_options: TmpfsOptions | None = None
    image_options: ImageOptions | None = None


class HostConfig(Wire):
    """How the host runs it: limits, mounts, namespaces, ports, policy."""

    cpu_shares: int = 0
    memory: int = 0
    cgroup_parent: str = ""
    blkio_weight: int = 0
    blkio_weight_device: tuple[WeightDevice, ...] = ()
    blkio_device_read_bps: tuple[ThrottleDevice, ...] = ()
    blkio_device_write_bps: tuple[ThrottleDevice, ...] = ()
    blkio_device_read_iops: tuple[ThrottleDevice, ...] = Field(default=(), alias="BlkioDeviceReadIOps")
    blkio_device_write_iops: tuple[ThrottleDevice, ...] = Field(default=(), alias="BlkioDeviceWriteIOps")
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_realtime_period: int = 0
    cpu_realtime_runtime: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    devices: tuple[DeviceMapping, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    device_requests: tuple[DeviceRequest, ...] = ()
    memory_reservation: int = 0
    memory_swap: int = 0  # memory and swap together; -1 = no bound
    memory_swappiness: int | None = None
    nano_cpus: int = 0  # 10^-9 CPUs
    oom_kill_disable: bool | None = None
    init: bool | None = None
    pids_limit: int | None = None
    ulimits: tuple[Ulimit, ...] = ()
    binds: tuple[str, ...] = ()  # "SOURCE:TARGET[:OPTIONS]"
    container_id_file: str = Field(default="", alias="ContainerIDFile")
    log_config: LogConfig = Field(default_factory=LogConfig)
    network_mode: str = ""  # "", "default", "bridge", "none", "host", "container:ID", a network's name
    port_bindings: dict[str, tuple[PortBinding, ...] | None] = Field(default_factory=dict)  # "80/tcp" -> bindings
    restart_policy: RestartPolicy = Field(default_factory=RestartPolicy)
    auto_remove: bool = False
    volume_driver: str = ""
    volumes_from: tuple[str, ...] = ()  # "CONTAINER[:ro|rw]"
    mounts: tuple[Mount, ...] = ()
    console_size: tuple[int, int] = (0, 0)  # height, width
    annotations: dict[str, str] = Field(default_factory=dict)
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    cgroupns_mode: str = ""  # "", private, host
    dns: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()  # "NAME:IP" (IP may be host-gateway)
    group_add: tuple[str, ...] = ()
    ipc_mode: str = ""
    cgroup: str = ""
    links: tuple[str, ...] = ()
    oom_score_adj: int = 0
    pid_mode: str = ""
    privileged: bool = False
    publish_all_ports: bool = False
    readonly_rootfs: bool = False
    security_opt: tuple[str, ...] = ()
    storage_opt: dict[str, str] = Field(default_factory=dict)
    tmpfs: dict[str, str] = Field(default_factory=dict)  # target -> options
    uts_mode: str = Field(default="", alias="UTSMode")
    userns_mode: str = ""
    shm_size: int = 0  # 0 = 64 MiB
    sysctls: dict[str, str] = Field(default_factory=dict)
    runtime: str = ""  # "", "crun", "runc"
    isolation: str = ""
    masked_paths: tuple[str, ...] | None = None  # None: Docker's default list
    readonly_paths: tuple[str, ...] | None = None


class EndpointIPAMConfig(Wire):
    ipv4_address: str = Field(default="", alias="IPv4Address")
    ipv6_address: str = Field(default="", alias="IPv6Address")
    link_local_ips: tuple[str, ...] = Field(default=(), alias="LinkLocalIPs")


class EndpointSettings(Wire):
    """A container's place in one network: the wish (first block) and, while it runs, what was given."""

    ipam_config: EndpointIPAMConfig | None = Field(default=None, alias="IPAMConfig")
    links: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    mac_address: str = ""
    driver_opts: dict[str, str] = Field(default_factory=dict)
    gw_priority: int = 0
    network_id: str = Field(default="", alias="NetworkID")
    endpoint_id: str = Field(default="", alias="EndpointID")
    gateway: str = ""
    ip_address: str = Field(default="", alias="IPAddress")
    ip_prefix_len: int = Field(default=0, alias="IPPrefixLen")
    ipv6_gateway: str = Field(default="", alias="IPv6Gateway")
    global_ipv6_address: str = Field(default="", alias="GlobalIPv6Address")
    global_ipv6_prefix_len: int = Field(default=0, alias="GlobalIPv6PrefixLen")
    dns_names: tuple[str, ...] = Field(default=(), alias="DNSNames")


class NetworkingConfig(Wire):
    endpoints_config: dict[str, EndpointSettings] = Field(default_factory=dict)  # network name or id -> wish


class ContainerConfig(ProcessConfig):
    """The body of `POST /containers/create`: everything that is asked for."""

    host_config: HostConfig = Field(default_factory=HostConfig)
    networking_config: NetworkingConfig = Field(default_factory=NetworkingConfig)


class HealthResult(Wire):
    start: str = ""
    end: str = ""
    exit_code: int = 0
    output: str = ""  # at most 4096 bytes


class Health(Wire):
    status: str = "none"  # none, starting, healthy, unhealthy
    failing_streak: int = 0
    log: tuple[HealthResult, ...] = ()  # the last 5


class ContainerState(Wire):
    """``status``: created, running, paused, restarting, removing, exited, dead."""

    status: str = "created"
    running: bool = False
    paused: bool = False
    restarting: bool = False
    oom_killed: bool = Field(default=False, alias="OOMKilled")
    dead: bool = False
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    started_at: str = ZERO_TIME
    finished_at: str = ZERO_TIME
    health: Health | None = None


class MountPoint(Wire):
    """A mount as it is. ``name``: a volume's; ``source``: the path on the host."""

    type: str = ""
    name: str = ""
    source: str = ""
    destination: str = ""
    driver: str = ""
    mode: str = ""
    rw: bool = Field(default=True, alias="RW")
    propagation: str = ""


class NetworkSettings(Wire):
    bridge: str = ""
    sandbox_id: str = Field(default="", alias="SandboxID")
    sandbox_key: str = ""
    ports: dict[str, tuple[PortBinding, ...] | None] = Field(default_factory=dict)
    networks: dict[str, EndpointSettings] = Field(default_factory=dict)
    ip_address: str = Field(default="", alias="IPAddress")
    ip_prefix_len: int = Field(default=0, alias="IPPrefixLen")
    gateway: str = ""
    mac_address: str = ""


class GraphDriver(Wire):
    name: str = "overlay2"
    data: dict[str, str] = Field(default_factory=dict)


class Container(Wire):
    """What `GET /containers/ID/json` says of one container."""

    id: str = ""
    created: str = ZERO_TIME
    path: str = ""
    args: tuple[str, ...] = ()
    state: ContainerState = Field(default_factory=ContainerState)
    image: str = ""  # the image's id, "sha256:..."
    resolv_conf_path: str = ""
    hostname_path: str = ""
    hosts_path: str = ""
    log_path: str = ""
    name: str = ""  # with a leading slash, as Docker has it
    restart_count: int = 0
    driver: str = "overlay2"
    platform: str = "linux"
    mount_label: str = ""
    process_label: str = ""
    app_armor_profile: str = ""
    exec_ids: tuple[str, ...] = Field(default=(), alias="ExecIDs")
    host_config: HostConfig = Field(default_factory=HostConfig)
    graph_driver: GraphDriver = Field(default_factory=GraphDriver)
    size_rw: int | None = None
    size_root_fs: int | None = None
    mounts: tuple[MountPoint, ...] = ()
    config: ProcessConfig = Field(default_factory=ProcessConfig)
    network_settings: NetworkSettings = Field(default_factory=NetworkSettings)
    # Not Docker's, and shown beside it: True when the last stop was asked for by an API call (stop, kill), not the process's own end.
    stopped_by_request: bool = Field(default=False, alias="ComposerStoppedByRequest")
    next_start: str = Field(default="", alias="ComposerNextStart")  # RFC 3339, while it waits for its restart; not Docker's


class ContainerCreated(Wire):
    id: str = ""
    warnings: tuple[str, ...] = ()


class ContainerUpdate(Wire):
    """The body of `POST /containers/ID/update`: the fields that are present are changed (see ``model_fields_set``)."""

    cpu_shares: int = 0
    memory: int = 0
    blkio_weight: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    memory_reservation: int = 0
    memory_swap: int = 0
    nano_cpus: int = 0
    pids_limit: int | None = None
    restart_policy: RestartPolicy | None = None


class WaitResult(Wire):
    status_code: int = 0
    error: dict[str, str] | None = None


class ContainerTop(Wire):
    titles: tuple[str, ...] = ()
    processes: tuple[tuple[str, ...], ...] = ()


class Change(Wire):
    """One path that differs from the image. ``kind``: 0 modified, 1 added, 2 deleted."""

    path: str = ""
    kind: int = 0


class PathStat(Wire):
    """What the header X-Docker-Container-Path-Stat holds (base64 of this JSON, lower-case names). ``mode`` is Go's os.FileMode."""

    name: str = Field(default="", alias="name")
    size: int = Field(default=0, alias="size")
    mode: int = Field(default=0, alias="mode")
    mtime: str = Field(default=ZERO_TIME, alias="mtime")
    link_target: str = Field(default="", alias="linkTarget")


class PruneReport(Wire):
    """What was removed, and how many bytes that freed."""

    deleted: tuple[str, ...] = ()
    space_reclaimed: int = 0
