"""``composer logs``: what the stack's containers have written."""

from __future__ import annotations

import click

from composer.cli.app import App, app
from composer.cli.client import ApiError
from composer.cli.containers import NUMBER, SERVICE, Summary, label, name, of_project, short_name
from composer.cli.logs import LogPrinter, LogStream, Wanted, merged, open_logs
from composer.cli.options import services
from composer.cli.resolve import resolve
from composer.cli.units import parse_time
from composer.errors import ComposerError


@click.command()
@services
@click.option("-f", "--follow", is_flag=True, help="Follow the output.")
@click.option("--index", type=int, default=0, metavar="N", help="Number of the container, if the service has several.")
@click.option("--no-color", is_flag=True, help="No colours.")
@click.option("--no-log-prefix", is_flag=True, help="No prefix.")
@click.option("--since", default=None, metavar="TIME", help="Lines since a time (2013-01-02T13:23:37Z) or so long ago (42m).")
@click.option("-n", "--tail", default="all", metavar="N", help="Lines to show from the end of each log.")
@click.option("-t", "--timestamps", is_flag=True, help="Show timestamps.")
@click.option("--until", default=None, metavar="TIME", help="Lines until a time, or so long ago.")
def logs(
    services: tuple[str, ...],
    follow: bool,
    index: int,
    no_color: bool,
    no_log_prefix: bool,
    since: str | None,
    tail: str,
    timestamps: bool,
    until: str | None,
) -> None:
    """View output from containers."""
    application = app()
    stack = resolve(application, services)
    wanted = Wanted(follow, tail, parse_time(since) if since else None, parse_time(until) if until else None)
    printer = LogPrinter(application.console, prefix=not no_log_prefix, colour=not no_color, timestamps=timestamps, apart=False)
    known = services or (tuple(stack.services) if stack.services is not None else ())
    rows = of_project(application.client, stack.name, all=True, services=known)
    if index:
        rows = [row for row in rows if label(row, NUMBER) == str(index)]
        if not rows and len(services) == 1:
            raise ComposerError(f'service "{services[0]}" is not running container #{index}', hint="see: composer ps -a")
    printer.register(short_name(row) for row in rows)
    if follow:
        _follow(application, stack.name, rows, printer, wanted, set(known), index)
    else:
        for container, line in merged([stream for row in rows if (stream := _opened(application, row, wanted)) is not None]):
            printer.line(container, line)


def _opened(application: App, row: Summary, wanted: Wanted) -> LogStream | None:
    """None, and a warning: it keeps no log that could be read (driver none)."""
    try:
        return open_logs(application.client, row, wanted)
    except ApiError as error:
        if error.status not in (400, 501):
            raise
        application.warn(f'Can\'t retrieve logs for "{name(row)}": {error.message}')
        return None


def _follow(
    application: App, project: str, rows: list[Summary], printer: LogPrinter, wanted: Wanted, services: set[str], index: int
) -> None:
    """Until all have ended; what is started (again) meanwhile is shown, too."""
    from composer.cli.watch import Events, Follower, Loop

    loop = Loop()
    events = Events(application.client, project)
    follower = Follower(application.client, loop, printer, wanted, services=services or {label(row, SERVICE) for row in rows}, index=index)
    follower.listen(events)
    for row in rows:
        follower.add(row, alive=row.get("State") in ("running", "paused", "restarting"))
    while (follower.alive or follower.streams) and not events.ended:
        loop.turn()
