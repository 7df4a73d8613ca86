"""``composer up``: the stack as its file says. Detached it shows progress; in the foreground it goes on with the logs (`foreground`)."""

from __future__ import annotations

import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.options import asked, dry_run, files, isolated, scales, services, timeout
from composer.cli.stack import run


@click.command()
@files
@isolated(makes=True)
@dry_run
@services
@timeout
@click.option("-d", "--detach", is_flag=True, help="Run containers in the background.")
@click.option("--wait", is_flag=True, help="Wait until services are running or healthy. Implies -d.")
@click.option("--wait-timeout", type=int, default=0, metavar="SECONDS", help="Longest time to wait for that.")
@click.option("--build", is_flag=True, help="Build images before starting containers.")
@click.option("--no-build", is_flag=True, help="Do not build an image, even when its policy says so.")
@click.option("--pull", type=click.Choice(["always", "missing", "never", "policy"]), default="policy", help="Pull images before running.")
@click.option("--quiet-pull", is_flag=True, help="Pull without showing progress.")
@click.option("--quiet-build", is_flag=True, help="Build without showing its output.")
@click.option("--scale", multiple=True, metavar="SERVICE=N", help="Number of containers of a service.")
@click.option("--remove-orphans", is_flag=True, help="Remove containers of services that the file does not have.")
@click.option("--force-recreate", is_flag=True, help="Recreate containers although nothing changed.")
@click.option("--no-recreate", is_flag=True, help="Keep existing containers although something changed.")
@click.option("--always-recreate-deps", is_flag=True, help="Recreate dependencies, too.")
@click.option("--no-deps", is_flag=True, help="Leave linked services alone.")
@click.option("--no-start", is_flag=True, help="Create, do not start.")
@click.option("-V", "--renew-anon-volumes", is_flag=True, help="New anonymous volumes instead of the previous containers'.")
@click.option("--attach", multiple=True, metavar="SERVICE", help="Show only these services' output.")
@click.option("--no-attach", multiple=True, metavar="SERVICE", help="Do not show these services' output.")
@click.option("--attach-dependencies", is_flag=True, help="Show the output of dependencies, too.")
@click.option("--abort-on-container-exit", is_flag=True, help="Stop all when a container stops.")
@click.option("--abort-on-container-failure", is_flag=True, help="Stop all when a container fails.")
@click.option("--exit-code-from", default="", metavar="SERVICE", help="Exit with this service's code. Implies --abort-on-container-exit.")
@click.option("--no-log-prefix", is_flag=True, help="No prefix in logs.")
@click.option("--no-color", is_flag=True, help="No colours in logs.")
@click.option("--timestamps", is_flag=True, help="Show timestamps in logs.")
@click.option("-y", "--yes", is_flag=True, help="Assume yes where a question would be asked (none is).")
@click.option("-w", "--watch", is_flag=True, help="Watch the developer's and the stack's files: sync, rebuild, restart.")
@click.option("--menu/--no-menu", default=None, help="Keys on a terminal: w watch, r rebuild, d detach, q quit (default: with --watch).")
def up(services: tuple[str, ...], **flags: Any) -> int:
    """Create and start containers."""
    application = app()
    check(flags)
    options = {
        "services": list(services),
        "dry_run": application.dry_run,
        "wait": flags["wait"],
        "wait_timeout": flags["wait_timeout"] or None,
        "build": flags["build"],
        "no_build": flags["no_build"],
        "pull": "" if flags["pull"] == "policy" else flags["pull"],
        "scale": scales(flags["scale"]),
        "remove_orphans": flags["remove_orphans"] or asked("COMPOSE_REMOVE_ORPHANS"),
        "ignore_orphans": asked("COMPOSE_IGNORE_ORPHANS"),
        "force_recreate": flags["force_recreate"],
        "no_recreate": flags["no_recreate"],
        "always_recreate_deps": flags["always_recreate_deps"],
        "no_deps": flags["no_deps"],
        "no_start": flags["no_start"],
        "renew_anon_volumes": flags["renew_anon_volumes"],
        "timeout": flags["timeout"],
    }
    if application.dry_run:
        from composer.cli.plan_text import refused, text

        result = run(application, "up", options)
        sys.stdout.write(text(result, application.console))
        return 1 if refused(result) else 0
    if flags["detach"] or flags["wait"] or flags["no_start"]:
        return int(run(application, "up", options, **_quiet(flags)).get("exit", 0))
    from composer.cli.foreground import Foreground

    return Foreground(application, options, flags).run()


def _quiet(flags: dict[str, Any]) -> dict[str, Any]:
    return {"without": tuple(word for word, flag in (("Pull", "quiet_pull"), ("Build", "quiet_build")) if flags[flag])}


def check(flags: dict[str, Any]) -> None:
    """What excludes what, in docker compose's words."""
    if flags["exit_code_from"]:
        flags["abort_on_container_exit"] = True
    for one, other in (
        ("watch", "detach"),
        ("watch", "wait"),
        ("watch", "no_start"),
        ("watch", "abort_on_container_exit"),
        ("watch", "abort_on_container_failure"),
        ("build", "no_build"),
        ("force_recreate", "no_recreate"),
        ("always_recreate_deps", "no_recreate"),
        ("abort_on_container_exit", "abort_on_container_failure"),
    ):
        if flags[one] and flags[other]:
            raise click.UsageError(f"{flag(one)} and {flag(other)} are incompatible")
    if flags["detach"] and flags["attach"]:
        raise click.UsageError("--attach cannot be combined with --detach")
    for aborting in ("abort_on_container_exit", "abort_on_container_failure"):
        if flags[aborting] and flags["detach"]:
            raise click.UsageError(f"{flag(aborting)} cannot be combined with --detach")
        if flags[aborting] and flags["wait"]:
            raise click.UsageError(f"--wait cannot be combined with {flag(aborting)}")
    if flags["attach_dependencies"] and (flags["detach"] or flags["attach"]):
        raise click.UsageError("cannot combine --attach-dependencies with --detach or --attach")


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")
