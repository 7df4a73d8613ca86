"""The daemon's log, on standard error: one line a record, for people (console) or for programs (json).

Through the standard library's logging, which asyncio loads anyway: a start costs no further import (FACTS 5: structlog 100 ms).
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_PLAIN = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {"message", "asctime", "taskName"}


class LineFormatter(logging.Formatter):
    """What is given as ``extra`` is shown behind the message as key=value, or is a field of the JSON object."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = {key: value for key, value in record.__dict__.items() if key not in _PLAIN}
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        if self._json:
            head = {"time": time, "level": record.levelname.lower(), "logger": record.name, "event": record.getMessage()}
            return json.dumps(head | fields | ({"exception": trace} if trace else {}), default=str)
        beside = "".join(f" {key}={value}" for key, value in fields.items())
        return f"{time} {record.levelname.lower():7} {record.getMessage()}{beside}" + (f"\n{trace}" if trace else "")


def configure(level: str, form: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(form))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS.get(level, logging.INFO))


class DaemonLog:
    """server.Log over logging."""

    def __init__(self, name: str = "composer.daemon") -> None:
        self._log = logging.getLogger(name)

    def info(self, event: str, /, **fields: object) -> None:
        self._log.info(event, extra=fields)

    def error(self, event: str, /, **fields: object) -> None:
        trace = fields.pop("exc_info", None)
        self._log.error(event, extra=fields, exc_info=trace if isinstance(trace, BaseException) else None)
