"""`deploy`: replicas, resources, and how a service is rolled out. Source: Compose Deploy Specification."""

from __future__ import annotations

from pydantic import Field

from composer.spec.model.base import ALWAYS, IN_JSON, Spec
from composer.spec.model.limits import DeviceRequest
from composer.spec.model.values import Cpus, Duration, Fraction, Natural, Size, Whole


class Rollout(Spec):
    """`update_config` and `rollback_config`."""

    parallelism: Natural | None = None
    delay: Duration = 0
    failure_action: str = ""
    monitor: Duration = 0
    max_failure_ratio: Fraction = 0.0
    order: str = ""


class DiscreteResource(Spec):
    """So many of a user-defined kind."""

    kind: str = Field(default="", json_schema_extra=ALWAYS)
    value: Whole = Field(default=0, json_schema_extra=ALWAYS)


class GenericResource(Spec):
    """A user-defined resource of a node."""

    discrete_resource_spec: DiscreteResource | None = None


class ResourceLimits(Spec):
    """`limits` or `reservations`; 0 means unset."""

    cpus: Cpus = 0.0
    memory: Size = 0
    pids: Whole = 0
    devices: list[DeviceRequest] = Field(default_factory=list)
    generic_resources: list[GenericResource] = Field(default_factory=list)


class Resources(Spec):
    """What a replica may use at most, and what is set aside for it."""

    limits: ResourceLimits | None = None
    reservations: ResourceLimits | None = None


_NO_Resources = Resources()  # frozen, so one is enough for all


class RestartPolicy(Spec):
    """`condition`: none, on-failure, any."""

    condition: str = ""
    delay: Duration | None = None
    max_attempts: Natural | None = None
    window: Duration | None = None


class Preference(Spec):
    """A placement preference."""

    spread: str = ""


class Placement(Spec):
    """Which nodes may run the service."""

    constraints: list[str] = Field(default_factory=list)
    preferences: list[Preference] = Field(default_factory=list)
    max_replicas_per_node: Natural = 0


_NO_Placement = Placement()  # frozen, so one is enough for all


class Deploy(Spec):
    """The whole of `deploy`."""

    mode: str = ""
    replicas: Whole | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    update_config: Rollout | None = None
    rollback_config: Rollout | None = None
    resources: Resources = Field(default_factory=lambda: _NO_Resources, json_schema_extra=IN_JSON)
    restart_policy: RestartPolicy | None = None
    placement: Placement = Field(default_factory=lambda: _NO_Placement, json_schema_extra=IN_JSON)
    endpoint_mode: str = ""
