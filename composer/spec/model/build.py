"""How a service's image is built (`build`), and how it is kept fresh while one develops (`develop`).

Source: Compose Build Specification and Compose Develop Specification.
"""

from __future__ import annotations

from pydantic import Field

from composer.spec.model.base import ALWAYS, IN_JSON, Spec
from composer.spec.model.files import Grant
from composer.spec.model.limits import Ulimit
from composer.spec.model.values import Flag, Size


class Build(Spec):
    """`context` is an absolute directory, a URL or a `service:` reference. `args` without a value are None and not passed."""

    context: str = ""
    dockerfile: str = ""
    dockerfile_inline: str = ""
    entitlements: list[str] = Field(default_factory=list)
    args: dict[str, str | None] = Field(default_factory=dict)
    provenance: str = ""
    sbom: str = ""
    ssh: list[str] = Field(default_factory=list)  # `id` or `id=path`
    labels: dict[str, str] = Field(default_factory=dict)
    cache_from: list[str] = Field(default_factory=list)
    cache_to: list[str] = Field(default_factory=list)
    no_cache: Flag = False
    no_cache_filter: list[str] = Field(default_factory=list)
    additional_contexts: dict[str, str] = Field(default_factory=dict)
    pull: Flag = False
    extra_hosts: list[str] = Field(default_factory=list)  # `name=address`
    isolation: str = ""
    network: str = ""
    target: str = ""
    secrets: list[Grant] = Field(default_factory=list)
    shm_size: Size = 0
    tags: list[str] = Field(default_factory=list)
    ulimits: dict[str, Ulimit] = Field(default_factory=dict)
    platforms: list[str] = Field(default_factory=list)
    privileged: Flag = False


class Hook(Spec):
    """A command run in a container of the service: `post_start`, `pre_stop`, or after a `sync+exec`."""

    command: list[str] | None = Field(default=None, json_schema_extra=IN_JSON)
    user: str = ""
    privileged: Flag = False
    working_dir: str = ""
    environment: dict[str, str | None] = Field(default_factory=dict)


_NO_Hook = Hook()  # frozen, so one is enough for all


class Trigger(Spec):
    """What to do when a file beneath `path` changes."""

    path: str = Field(json_schema_extra=ALWAYS)
    action: str = Field(json_schema_extra=ALWAYS)
    target: str = ""
    exec: Hook = Field(default_factory=lambda: _NO_Hook, json_schema_extra=IN_JSON)
    include: list[str] = Field(default_factory=list)
    ignore: list[str] = Field(default_factory=list)
    initial_sync: Flag = False


class Develop(Spec):
    """`develop`: read by watch mode; without effect elsewhere."""

    watch: list[Trigger] = Field(default_factory=list)
