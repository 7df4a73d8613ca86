"""Secrets and configs: a file's content given to a service, and the grant that says where it appears in its containers.

Source: Compose Specification, chapters "secrets", "configs" and the services' attributes of these names.
"""

from __future__ import annotations

from pydantic import Field

from composer.spec.model.base import HIDDEN, Spec
from composer.spec.model.values import FileMode, Flag


class Grant(Spec):
    """One use of a secret or config by a service. `target`: a path in the container, or a name beneath the usual directory."""

    source: str
    target: str = ""
    uid: str = ""
    gid: str = ""
    mode: FileMode | None = None


class FileObject(Spec):
    """A secret or config of the stack.

    Exactly one of `file`, `environment`, `content` (configs) unless `external`. `data` is the content that was found, or None:
    then `problem` says why (`file not found: /x`), and what needs it cannot be started.
    """

    name: str = ""
    file: str = ""
    environment: str = ""
    content: str = ""
    external: Flag = False
    labels: dict[str, str] = Field(default_factory=dict)
    driver: str = ""
    driver_opts: dict[str, str] = Field(default_factory=dict)
    template_driver: str = ""
    data: bytes | None = Field(default=None, json_schema_extra=HIDDEN, repr=False)
    problem: str = Field(default="", json_schema_extra=HIDDEN)


class Secret(FileObject):
    """A secret: its content is never printed."""


class Config(FileObject):
    """A config."""
