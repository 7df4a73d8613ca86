"""A service: what its containers run, with what, and next to whom. Source: Compose Specification, chapter "services".

Everything is in long form and resolved: paths absolute, `env_file` already in `environment`, `label_file` in `labels`, `extends` gone.
"""

from __future__ import annotations

from pydantic import Field

from composer.errors import Diagnostic
from composer.spec.model.base import ALWAYS, HIDDEN, IN_JSON, Spec
from composer.spec.model.build import Build, Develop, Hook
from composer.spec.model.deploy import Deploy
from composer.spec.model.files import Grant
from composer.spec.model.limits import Blkio, CredentialSpec, Device, DeviceRequest, Logging, Ulimit
from composer.spec.model.network import Port, ServiceNetwork
from composer.spec.model.values import Cpus, Duration, Flag, Fraction, Natural, Size, SwapSize, Whole
from composer.spec.model.volume import ServiceVolume


class Dependency(Spec):
    """`condition`: service_started, service_healthy, service_completed_successfully. `restart`: follow the other's restarts."""

    condition: str = "service_started"
    restart: Flag = False
    required: Flag = Field(default=True, json_schema_extra=ALWAYS)


class HealthCheck(Spec):
    """`test`: `["CMD", ...]`, `["CMD-SHELL", line]`, `["NONE"]` or empty (the image's). None: the image's or the engine's default."""

    test: list[str] = Field(default_factory=list)
    timeout: Duration | None = None
    interval: Duration | None = None
    retries: Natural | None = None
    start_period: Duration | None = None
    start_interval: Duration | None = None
    disable: Flag = False


class EnvFile(Spec):
    """A file of variables; once loaded it is merged into `environment`."""

    path: str
    required: Flag = True
    format: str = ""


class Provider(Spec):
    """A service that something else runs."""

    type: str
    options: dict[str, list[str]] = Field(default_factory=dict)


class ServiceModel(Spec):
    """How a service learns of an AI model."""

    endpoint_var: str = ""
    model_var: str = ""
    declared: bool = Field(default=True, json_schema_extra=HIDDEN)


class Service(Spec):
    """One service. `command` and `entrypoint`: None is the image's, `[]` clears it. `scale`/`deploy.replicas`: see `replicas`."""

    name: str = Field(default="", json_schema_extra=HIDDEN)
    problems: tuple[Diagnostic, ...] = Field(default=(), json_schema_extra=HIDDEN)  # of a disabled service: why it cannot be enabled
    profiles: list[str] = Field(default_factory=list)
    annotations: dict[str, str] = Field(default_factory=dict)
    attach: Flag | None = None
    build: Build | None = None
    develop: Develop | None = None
    blkio_config: Blkio | None = None
    cap_add: list[str] = Field(default_factory=list)
    cap_drop: list[str] = Field(default_factory=list)
    cgroup_parent: str = ""
    cgroup: str = ""
    cpu_count: Whole = 0
    cpu_percent: Fraction = 0.0
    cpu_period: Whole = 0
    cpu_quota: Whole = 0
    cpu_rt_period: Whole = 0
    cpu_rt_runtime: Whole = 0
    cpus: Cpus = 0.0
    cpuset: str = ""
    cpu_shares: Whole = 0
    command: list[str] | None = Field(default=None, json_schema_extra=IN_JSON)
    configs: list[Grant] = Field(default_factory=list)
    container_name: str = ""
    credential_spec: CredentialSpec | None = None
    depends_on: dict[str, Dependency] = Field(default_factory=dict)
    deploy: Deploy | None = None
    device_cgroup_rules: list[str] = Field(default_factory=list)
    devices: list[Device] = Field(default_factory=list)
    dns: list[str] = Field(default_factory=list)
    dns_opt: list[str] = Field(default_factory=list)
    dns_search: list[str] = Field(default_factory=list)
    domainname: str = ""
    entrypoint: list[str] | None = Field(default=None, json_schema_extra=IN_JSON)
    provider: Provider | None = None
    environment: dict[str, str | None] = Field(default_factory=dict)  # None: unset, and taken out of the image's
    env_file: list[EnvFile] = Field(default_factory=list, json_schema_extra=HIDDEN)
    expose: list[str] = Field(default_factory=list)
    external_links: list[str] = Field(default_factory=list)
    extra_hosts: list[str] = Field(default_factory=list)  # `name=address`
    group_add: list[str] = Field(default_factory=list)
    gpus: list[DeviceRequest] = Field(default_factory=list)
    hostname: str = ""
    healthcheck: HealthCheck | None = None
    image: str = ""
    init: Flag | None = None
    ipc: str = ""
    isolation: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    label_file: list[str] = Field(default_factory=list, json_schema_extra=HIDDEN)
    links: list[str] = Field(default_factory=list)
    logging: Logging | None = None
    mem_limit: Size = 0
    mem_reservation: Size = 0
    memswap_limit: SwapSize = 0
    mem_swappiness: Size = 0
    mac_address: str = ""
    models: dict[str, ServiceModel] = Field(default_factory=dict)
    network_mode: str = ""
    networks: dict[str, ServiceNetwork] = Field(default_factory=dict)
    oom_kill_disable: Flag = False
    oom_score_adj: Whole = 0
    pid: str = ""
    pids_limit: Whole = 0
    platform: str = ""
    ports: list[Port] = Field(default_factory=list)
    privileged: Flag = False
    pull_policy: str = ""
    pull_refresh_after: str = ""
    read_only: Flag = False
    restart: str = ""
    runtime: str = ""
    scale: Whole | None = None
    secrets: list[Grant] = Field(default_factory=list)
    security_opt: list[str] = Field(default_factory=list)
    shm_size: Size = 0
    stdin_open: Flag = False
    stop_grace_period: Duration | None = None
    stop_signal: str = ""
    storage_opt: dict[str, str] = Field(default_factory=dict)
    sysctls: dict[str, str] = Field(default_factory=dict)
    tmpfs: list[str] = Field(default_factory=list)
    tty: Flag = False
    ulimits: dict[str, Ulimit] = Field(default_factory=dict)
    use_api_socket: Flag = False
    user: str = ""
    userns_mode: str = ""
    uts: str = ""
    volumes: list[ServiceVolume] = Field(default_factory=list)
    volumes_from: list[str] = Field(default_factory=list)
    working_dir: str = ""
    pre_start: list[Hook] = Field(default_factory=list)
    post_start: list[Hook] = Field(default_factory=list)
    pre_stop: list[Hook] = Field(default_factory=list)

    @property
    def replicas(self) -> int:
        """How many containers are wanted."""
        if self.scale is not None:
            return self.scale
        if self.deploy is not None and self.deploy.replicas is not None:
            return self.deploy.replicas
        return 1
