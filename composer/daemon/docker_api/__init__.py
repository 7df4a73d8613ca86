"""The Docker Engine API (v1.24 to v1.47) over any `Engine`: a table of routes, a module per noun. The models' JSON is Docker's.

Source: moby api/swagger.yaml v1.47, and the docker CLI and docker-py, which are its judges here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from composer.daemon.docker_api import refused
from composer.daemon.docker_api.build import BuildRoutes
from composer.daemon.docker_api.containers import ContainerRoutes
from composer.daemon.docker_api.events import EventRoutes
from composer.daemon.docker_api.exec import ExecRoutes
from composer.daemon.docker_api.images import ImageRoutes
from composer.daemon.docker_api.networks import NetworkRoutes
from composer.daemon.docker_api.streams import StreamRoutes
from composer.daemon.docker_api.system import HEADERS, SystemRoutes
from composer.daemon.docker_api.volumes import VolumeRoutes
from composer.daemon.router import Route
from composer.engine.interface import Engine

__all__ = ["HEADERS", "routes"]


def routes(engine: Engine, *, spool: Path, version: str, clock: Callable[[], float] = time.time) -> list[Route]:
    """``spool``: the directory that build contexts are unpacked beneath; ``version``: composer's."""
    return [
        *ContainerRoutes(engine, clock).routes(),
        *StreamRoutes(engine, clock).routes(),
        *ExecRoutes(engine).routes(),
        *ImageRoutes(engine).routes(),
        *BuildRoutes(engine, spool).routes(),
        *NetworkRoutes(engine).routes(),
        *VolumeRoutes(engine).routes(),
        *EventRoutes(engine, clock).routes(),
        *SystemRoutes(engine, clock, version).routes(),
        *refused.routes(),
    ]
