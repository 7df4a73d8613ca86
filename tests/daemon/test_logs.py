"""The daemon's log: what waits is written in order, one JSON line an event; for people without rich; secrets of nobody's making."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.fixtures.patience import patient

SCRIPT = """
import logging, sys
from composer.daemon import logs
handler = logs.configure("info", sys.argv[1])
log = logs.DaemonLog()
log.info("serving 100%", host="x", pid=3)
assert "structlog" not in sys.modules
if "open" in sys.argv:
    handler.open()
    handler.open()
logging.getLogger("composer.network").warning("put right: %s", "bridge")
logging.getLogger("composer.network").debug("not this")
try:
    1 / 0
except ZeroDivisionError as error:
    log.error("failed", stack="shop", exc_info=error)
"""


def written(*words: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", SCRIPT, *words], capture_output=True, text=True, timeout=patient(30), check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_a_line_of_json_for_each_event_in_order_whether_opened_or_not() -> None:
    for words in (("auto",), ("json", "open")):
        lines = [json.loads(line) for line in written(*words)]
        assert [line["event"] for line in lines] == ["serving 100%", "put right: bridge", "failed"]
        assert [line["level"] for line in lines] == ["info", "warning", "error"]
        assert lines[0] | {"time": ""} == {
            "time": "",
            "level": "info",
            "logger": "composer.daemon",
            "event": "serving 100%",
            "host": "x",
            "pid": 3,
        }
        assert lines[2]["stack"] == "shop"
        assert "ZeroDivisionError" in lines[2]["exception"]
        assert lines[0]["time"] <= lines[1]["time"] <= lines[2]["time"]


def test_for_people() -> None:
    lines = written("console", "open")
    assert lines[0].endswith("[info     ] serving 100% host=x pid=3")
    assert lines[1].endswith("put right: bridge logger=composer.network") or lines[1].endswith("put right: bridge")
    assert "project=shop" in lines[2]
    assert lines[-1] == "ZeroDivisionError: division by zero"
