"""The labels by which things belong to a stack: docker compose's own, and ours. Pure.

`com.docker.compose.*` are written as docker compose 2.40 writes them, so that its tools see our stacks; `composer.*` hold what it has no
label for. Source: api/labels.go and convergence.go of docker compose.
"""

from __future__ import annotations

from collections.abc import Mapping

from composer.reconcile.model import STARTED, Need

_COMPOSE = "com.docker.compose."
PROJECT = _COMPOSE + "project"
SERVICE = _COMPOSE + "service"
NUMBER = _COMPOSE + "container-number"
ONEOFF = _COMPOSE + "oneoff"
CONFIG_HASH = _COMPOSE + "config-hash"
CONFIG_FILES = _COMPOSE + "project.config_files"
WORKING_DIR = _COMPOSE + "project.working_dir"
VERSION = _COMPOSE + "version"
DEPENDS_ON = _COMPOSE + "depends_on"
IMAGE = _COMPOSE + "image"
NETWORK = _COMPOSE + "network"
VOLUME = _COMPOSE + "volume"
REPLACES = _COMPOSE + "replace"
SLUG = _COMPOSE + "slug"

HASH = "composer.hash"  # over all that a re-creation would change, the content of secrets and configs included
PARTS = "composer.parts"  # a short hash of each setting: "command=1a2b3c4d environment=..."
JOINED = "composer.joined"  # ids of the containers whose namespaces or volumes it uses


def write_parts(parts: Mapping[str, str]) -> str:
    """The value of PARTS."""
    return " ".join(f"{name}={value}" for name, value in sorted(parts.items()))


def read_parts(text: str) -> dict[str, str]:
    """The inverse of `write_parts`; what is not of its form is left out."""
    return {name: value for name, _, value in (item.partition("=") for item in text.split()) if value}


def write_needs(needs: tuple[Need, ...]) -> str:
    """The value of DEPENDS_ON: "db:service_healthy:false,cache:service_started:true"."""
    return ",".join(f"{need.service}:{need.condition}:{str(need.restart).lower()}" for need in needs)


def read_needs(text: str) -> tuple[Need, ...]:
    """The inverse of `write_needs`; short forms that older versions wrote ("db") are taken, too."""
    needs = []
    for item in text.split(","):
        name, _, rest = item.partition(":")
        condition, _, restart = rest.partition(":")
        if name:
            needs.append(Need(name, condition or STARTED, restart == "true"))
    return tuple(needs)
