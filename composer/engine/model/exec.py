"""A further process in a running container."""

from __future__ import annotations

from pydantic import Field

from composer.engine.model.wire import Wire


class ExecConfig(Wire):
    """The body of `POST /containers/ID/exec`."""

    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    console_size: tuple[int, int] | None = None  # height, width
    detach_keys: str = ""
    tty: bool = False
    env: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    privileged: bool = False
    user: str = ""
    working_dir: str = ""


class ExecProcess(Wire):
    tty: bool = Field(default=False, alias="tty")
    entrypoint: str = Field(default="", alias="entrypoint")
    arguments: tuple[str, ...] = Field(default=(), alias="arguments")
    privileged: bool = Field(default=False, alias="privileged")
    user: str = Field(default="", alias="user")


class Exec(Wire):
    """What `GET /exec/ID/json` says. ``exit_code`` is None while it has not ended."""

    id: str = Field(default="", alias="ID")
    container_id: str = Field(default="", alias="ContainerID")
    running: bool = False
    exit_code: int | None = None
    pid: int = 0
    open_stdin: bool = False
    open_stdout: bool = False
    open_stderr: bool = False
    can_remove: bool = False
    detach_keys: str = ""
    process_config: ExecProcess = Field(default_factory=ExecProcess)
