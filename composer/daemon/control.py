"""/composer/v1/engine: the daemon itself. What it is, and its end."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable

from composer.daemon.options import Options
from composer.daemon.request import Request
from composer.daemon.response import Answer, json_response
from composer.daemon.router import Route


class ControlRoutes:
    """``stop`` begins the daemon's end; containers go on."""

    def __init__(self, options: Options, version: str, stop: Callable[[], None]) -> None:
        self._options = options
        self._version = version
        self._stop = stop
        self._started = time.time()

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/composer/v1/engine/status", self.status),
            Route("POST", "/composer/v1/engine/status", self.status),
            Route("POST", "/composer/v1/engine/stop", self.stop, finishes=True),
        ]

    async def status(self, request: Request) -> Answer:
        """Sizes in bytes, times in seconds."""
        return json_response(
            {
                "pid": os.getpid(),
                "version": self._version,
                "root": str(self._options.root),
                "run": str(self._options.run),
                "host": self._options.host,
                "uptime": round(time.time() - self._started, 3),
                "memory": resident(),
                "memory_peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )

    async def stop(self, request: Request) -> Answer:
        self._stop()
        return json_response({"pid": os.getpid()})


def resident() -> int:
    """Bytes of memory that this process holds now (proc_pid_statm(5))."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
