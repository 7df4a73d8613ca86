"""How a service's image is built (`build`), and how it is kept fresh while one develops (`develop`).

Source: Compose Build Specification and Compose Develop Specification.
"""

from __future__ import annotations

from pydantic import Field

from composer.spec.model.files import Grant
from composer.spec.model.limits import Ulimit
from composer.spec.model.values import ALWAYS, IN_JSON, Size, Spec


class Build(Spec):
    """`context` is an absolute directory, a URL or a `service:` reference. `args` without a value are None and not passed."""

    context: str = ""
    dockerfile: str = ""
    dockerfile_inline: str = ""
    entitlements: list[str] = []
    args: dict[str, str | None] = {}
    provenance: str = ""
    sbom: str = ""
    ssh: list[str] = []  # `id` or `id=path`
    labels: dict[str, str] = {}
    cache_from: list[str] = []
    cache_to: list[str] = []
    no_cache: bool = False
    no_cache_filter: list[str] = []
    additional_contexts: dict[str, str] = {}
    pull: bool = False
    extra_hosts: list[str] = []  # `name=address`
    isolation: str = ""
    network: str = ""
    target: str = ""
    secrets: list[Grant] = []
    shm_size: Size = 0
    tags: list[str] = []
    ulimits: dict[str, Ulimit] = {}
    platforms: list[str] = []
    privileged: bool = False


class Hook(Spec):
    """A command run in a container of the service: `post_start`, `pre_stop`, or after a `sync+exec`."""

    command: list[str] | None = Field(default=None, json_schema_extra=IN_JSON)
    user: str = ""
    privileged: bool = False
    working_dir: str = ""
    environment: dict[str, str | None] = {}


class Trigger(Spec):
    """What to do when a file beneath `path` changes."""

    path: str = Field(json_schema_extra=ALWAYS)
    action: str = Field(json_schema_extra=ALWAYS)
    target: str = ""
    exec: Hook = Field(default=Hook(), json_schema_extra=IN_JSON)
    include: list[str] = []
    ignore: list[str] = []
    initial_sync: bool = False


class Develop(Spec):
    """`develop`: read by watch mode; without effect elsewhere."""

    watch: list[Trigger] = []
