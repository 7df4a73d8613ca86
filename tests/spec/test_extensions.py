"""`x-heal` and `x-schedule`: what they mean, and each mistake at its place."""

from __future__ import annotations

import pytest

from composer.errors import SpecError
from composer.spec.care import Care, care_of
from composer.spec.load import load
from composer.spec.model import Stack
from composer.spec.read import Content, Request
from composer.spec.schedule import Schedule, schedule_of


def loaded(text: str) -> Stack:
    contents = {"/d/stack.yml": Content(text.encode()), "/d/.env": Content(missing=True)}
    found = load(Request(files=("/d/stack.yml",), cwd="/d", contents=contents))
    assert isinstance(found, Stack)
    return found


def service(body: str) -> str:
    return f"services:\n  web:\n    image: a\n{body}\n"


@pytest.mark.parametrize(
    ("body", "care"),
    [
        ("", Care()),
        ("    x-heal: report", Care(drift="report")),
        (
            "    x-heal: {drift: ignore, unhealthy: restart, restarts: 2, window: 1m30s}",
            Care("ignore", "restart", 2, 90.0),
        ),
        ("    labels: {composer.heal: report, composer.heal.restarts: '7'}", Care("report", restarts=7)),
        ("    labels: {composer.heal: report}\n    x-heal: {drift: heal}", Care()),
    ],
)
def test_how_a_service_is_looked_after(body: str, care: Care) -> None:
    assert care_of(loaded(service(body)).services["web"]) == care


def test_when_a_service_runs() -> None:
    assert schedule_of(loaded(service("")).services["web"]) is None
    assert schedule_of(loaded(service("    x-schedule: '@daily'")).services["web"]) == Schedule("0 0 * * *")
    long = "    x-schedule: {cron: 5 4 * * *, timezone: Europe/Berlin, overlap: queue, catch_up: all, keep: 3, timeout: 1h}"
    assert schedule_of(loaded(service(long)).services["web"]) == Schedule("5 4 * * *", "Europe/Berlin", "queue", "all", 3, 3600.0)


@pytest.mark.parametrize(
    ("body", "where", "words"),
    [
        ("    x-heal: {drift: repair}", "4:21", "'repair' is none of heal, report, ignore"),
        ("    x-heal: {drif: report}", "4:14", "services.web.x-heal has no key 'drif'"),
        ("    x-heal: [report]", "4:5", "must be a mapping"),
        ("    x-heal: {restarts: -1}", "4:24", "no whole number from 0 to 1000"),
        ("    x-heal: {window: 0s}", "4:22", "must be longer than nothing"),
        ("    labels: {composer.heal.window: soon}", "4:36", "'soon' is no duration"),
        ("    x-schedule: '61 * * * *'", "4:17", "bad minute"),
        ("    x-schedule: '* * * *'", "4:17", "is no cron expression"),
        ("    x-schedule: '0 0 30 2 *'", "4:17", "is no cron expression"),
        ("    x-schedule: '@dayly'", "4:17", "is none of @hourly"),
        ("    x-schedule: {timezone: UTC}", "4:5", "lacks the property 'cron'"),
        ("    x-schedule: {cron: '@daily', timezone: Mars/Olympus}", "4:44", "'Mars/Olympus' is no time zone"),
        ("    x-schedule: {cron: '@daily', overlap: true}", "4:43", "is none of forbid, queue, replace"),
        ("    x-schedule: '@daily'\n    restart: always", "5:14", "a job is not started again"),
        ("    x-schedule: '@daily'\n    scale: 2", "5:12", "a job runs as one container"),
    ],
)
def test_mistakes(body: str, where: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(service(body))
    (found,) = [one for one in caught.value.diagnostics if one.severity == "error"]
    assert words in found.message
    assert found.mark is not None
    assert f"{found.mark.line}:{found.mark.column}" == where


def test_nobody_can_wait_for_a_job() -> None:
    with pytest.raises(SpecError, match="runs by the clock") as caught:
        loaded(service("    depends_on: [job]") + "  job: {image: a, x-schedule: '@daily'}\n")
    assert str(caught.value.diagnostics[0].mark).endswith(":4:18")
