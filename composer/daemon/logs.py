"""The daemon's log, on standard error, written by structlog: one line an event, JSON for programs, or coloured for people.

Whoever logs does it through the standard library (the engine knows no structlog); structlog's processors make the lines. Importing them
costs more than the rest of a start (FACTS 5), so they come once the daemon serves: until then the records wait, in order, with their times.
``auto`` is JSON unless standard error is a terminal. `Lines` is what renders, for `composer engine logs`, too.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
FORMATS = ("auto", "console", "json")
_MOST = 10_000  # records that may wait
Fields = MutableMapping[str, Any]


class WaitingHandler(logging.Handler):
    """Writes to standard error from `open` on (or from the end of the process, if that comes first); keeps the records until then."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form
        self._held: list[logging.LogRecord] | None = []

    def emit(self, record: logging.LogRecord) -> None:
        if self._held is not None and len(self._held) < _MOST:
            self._held.append(record)
            return
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 (as in logging: an event that cannot be written ends nobody's work)
            self.handleError(record)

    def open(self) -> None:
        """Write what waits, and at once from now on. Safe to call from another thread, and twice."""
        formatter = _formatter(self._form) if self._held is not None else None
        self.acquire()
        try:
            held, self._held = self._held, None
            if formatter is not None:
                self.setFormatter(formatter)
            for record in held or ():
                self.emit(record)
        finally:
            self.release()

    def flush(self) -> None:
        """Called by logging at the end of the process."""
        if self._held:
            self.open()


def configure(level: str, form: str) -> WaitingHandler:
    """Log to standard error; nothing is written before the handler's `open`."""
    handler = WaitingHandler(form)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS.get(level, logging.INFO))
    logging.raiseExceptions = False  # a closed standard error is nobody's fault
    return handler


def _formatter(form: str) -> logging.Formatter:
    import_structlog()
    import structlog

    as_json = form == "json" or (form != "console" and not sys.stderr.isatty())
    renderer: Callable[..., Any] = structlog.processors.JSONRenderer(default=str) if as_json else console(colors=sys.stderr.isatty())
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _head],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )


def _head(_logger: object, _method: str, fields: Fields) -> Fields:
    """When, how bad, by whom and what, in front."""
    record: logging.LogRecord = fields["_record"]
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"time": time, "level": record.levelname.lower(), "logger": record.name, **fields}


def console(*, colors: bool) -> Callable[..., Any]:
    """Renders an event for people: time, level, event, fields."""
    import_structlog()
    import structlog

    renderer = structlog.dev.ConsoleRenderer(
        colors=colors, timestamp_key="time", pad_event=0, exception_formatter=structlog.dev.plain_traceback
    )

    def render(logger: Any, method: str, fields: Fields) -> Any:
        if fields.get("logger", "").startswith("composer"):
            fields.pop("logger")
        if "stack" in fields:  # to this renderer that would be a stack trace
            fields["project"] = fields.pop("stack")
        return renderer(logger, method, fields)

    return render


def import_structlog() -> None:
    """Import it without rich, which it takes for coloured tracebacks where it finds it: 40 ms and 6 MB that lines have no use for."""
    if "structlog" in sys.modules:
        return
    absent = "rich" not in sys.modules
    if absent:
        sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        if absent:
            sys.modules.pop("rich", None)


class DaemonLog:
    """An event and its fields, in structlog's manner, whoever renders it."""

    def __init__(self, name: str = "composer.daemon") -> None:
        self._log = logging.getLogger(name)

    def info(self, event: str, /, **fields: object) -> None:
        self._log.info("%s", event, extra=fields)

    def warning(self, event: str, /, **fields: object) -> None:
        self._log.warning("%s", event, extra=fields)

    def error(self, event: str, /, **fields: object) -> None:
        trace = fields.pop("exc_info", None)
        self._log.error("%s", event, extra=fields, exc_info=trace if isinstance(trace, BaseException) else None)
