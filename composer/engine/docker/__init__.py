"""DockerEngine: a client of any engine that speaks the Docker Engine API (composer's daemon, dockerd, Podman)."""

from composer.engine.docker.engine import DockerEngine

__all__ = ["DockerEngine"]
