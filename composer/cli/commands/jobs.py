"""``composer jobs``: services that run by the clock (`x-schedule`): when they run, how they ran, what they said."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.listing import dump, write_table
from composer.cli.options import files, services
from composer.cli.stack import Call, run
from composer.cli.units import ago, since, unix
from composer.errors import EXIT_FAILED

Line = dict[str, Any]
_FORMAT = click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", help="How to print it.")


@click.group()
def jobs() -> None:
    """Services that run by the clock (x-schedule)."""


@jobs.command()
@files
@_FORMAT
def ls(form: str) -> None:
    """List the scheduled services, their next run and their last."""
    result = run(app(), "jobs", {})
    rows = result["jobs"]
    if form == "json":
        sys.stdout.write("".join(dump(row) + "\n" for row in rows))
    elif rows:
        write_table(["SERVICE", "CRON", "TIME ZONE", "NEXT RUN", "LAST RUN", "RESULT"], [_cells(row) for row in rows])
    else:
        sys.stdout.write("no scheduled services" + ("" if result["known"] else ": the stack was never brought up") + "\n")


def _cells(row: Line) -> list[str]:
    last = row["Last"]
    coming = _ahead(row["Next"]) if row["Next"] else "not active"
    return [row["Service"], row["Cron"], row["TimeZone"], coming, _moment(last) if last else "never", _result(last) if last else "-"]


def _ahead(text: str) -> str:
    import time

    moment = unix(text)
    return f"in {ago(max(0.0, moment - time.time())).lower()} ({time.strftime('%Y-%m-%d %H:%M', time.localtime(moment))})"


def _moment(one: Line) -> str:
    return since(unix(one["Began"] or one["Due"]))


def _result(one: Line) -> str:
    if one["State"] == "running":
        return "running" if one["Began"] else "waits for its turn"
    if one["State"] == "done":
        return f"done in {float(one['Took']):.1f} s"
    return str(one["State"]) + (f": {one['Detail']}" if one["Detail"] else "")


@jobs.command()
@files
@services
@click.option("-n", "--tail", type=int, default=20, metavar="N", help="The newest N (default 20; -1: all that is kept).")
@_FORMAT
def history(services: tuple[str, ...], tail: int, form: str) -> None:
    """List past runs, and those under way."""
    rows = run(app(), "jobs_history", {"services": list(services), "tail": tail})["runs"]
    if form == "json":
        sys.stdout.write("".join(dump(row) + "\n" for row in rows))
    else:
        write_table(
            ["SERVICE", "RUN", "BY", "DUE", "BEGAN", "RESULT"],
            [[row["Service"], str(row["Run"]), row["By"], row["Due"], _moment(row) if row["Began"] else "-", _result(row)] for row in rows],
        )


@jobs.command("run")
@files
@click.argument("service")
@click.option("-d", "--detach", is_flag=True, help="Do not wait for its end.")
def run_(service: str, detach: bool) -> int:
    """Run a scheduled service now; its output and its exit code."""
    row = run(app(), "jobs_run", {"service": service, "detach": detach})["run"]
    if detach or row["State"] == "running":
        sys.stdout.write(f"{service}: run {row['Run']} has begun\n")
        return 0
    _print(service, row["Run"])
    if row["State"] == "done":
        return 0
    app().warn(f"{service}: run {row['Run']} {_result(row)}")
    return int(row["ExitCode"]) or EXIT_FAILED


@jobs.command()
@files
@click.argument("service")
@click.argument("number", required=False, type=int)
def logs(service: str, number: int | None) -> None:
    """Show what a run has said: the last one, or the one with this number."""
    _print(service, number)


def _print(service: str, number: int | None) -> None:
    call = Call(app(), "jobs_logs", {"service": service, "number": number})
    try:
        for line in call.lines():
            if line is not None and line.get("kind") == "output":
                sys.stdout.write(line["text"])
    finally:
        call.close()
    call.result  # noqa: B018 (raises what went wrong)
