"""Builds images from Dockerfiles: text -> instructions -> stages -> steps, each a layer or a change of the configuration.

`dockerfile` parses, `words` expands variables, `stages` orders (all pure); `context` finds what COPY names, `cache` remembers what a
step gave, `run` executes a command in a container of its own, `builder` walks the stages.
Source: Dockerfile reference (docs.docker.com/reference/dockerfile).
"""

from composer.engine.local.build.builder import Builder
from composer.engine.local.build.cache import Cache
from composer.engine.local.build.roots import Roots
from composer.engine.local.build.run import Runner

__all__ = ["Builder", "Cache", "Roots", "Runner"]
