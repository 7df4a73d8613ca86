"""``composer container update``."""

from __future__ import annotations

from typing import Any

import click

from composer.cli.app import app
from composer.cli.each import each
from composer.cli.units import parse_size


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="CONTAINER...")
@click.option("--blkio-weight", type=int, default=None, metavar="N", help="Block IO weight.")
@click.option("--cpu-period", type=int, default=None, metavar="US", help="CFS period.")
@click.option("--cpu-quota", type=int, default=None, metavar="US", help="CFS quota.")
@click.option("-c", "--cpu-shares", type=int, default=None, metavar="N", help="CPU shares.")
@click.option("--cpus", type=float, default=None, metavar="N", help="Number of CPUs.")
@click.option("--cpuset-cpus", default=None, metavar="LIST", help="CPUs to run on.")
@click.option("--cpuset-mems", default=None, metavar="LIST", help="Memory nodes.")
@click.option("-m", "--memory", default=None, metavar="SIZE", help="Memory limit.")
@click.option("--memory-reservation", default=None, metavar="SIZE", help="Soft limit of memory.")
@click.option("--memory-swap", default=None, metavar="SIZE", help="Limit of memory and swap together; -1: none.")
@click.option("--pids-limit", type=int, default=None, metavar="N", help="Limit of processes; -1: none.")
@click.option("--restart", default=None, metavar="POLICY", help="no, always, unless-stopped, on-failure[:N].")
def update(names: tuple[str, ...], cpus: float | None, restart: str | None, **flags: Any) -> int:
    """Change the limits of containers."""
    application = app()
    body = {_field(key): _value(key, value) for key, value in flags.items() if value is not None}
    if cpus is not None:
        body["NanoCpus"] = round(cpus * 10**9)
    if restart is not None:
        policy, _, count = restart.partition(":")
        body["RestartPolicy"] = {"Name": policy, "MaximumRetryCount": int(count or 0)}
    if not body:
        raise click.UsageError("you must provide one or more flags when using this command")

    def one(ref: str) -> None:
        answer = application.client.post(f"/containers/{ref}/update", body) or {}
        for warning in answer.get("Warnings") or ():
            application.warn(f"WARNING: {warning}")

    return each(application, names, one)


def _field(key: str) -> str:
    return "".join(word.capitalize() for word in key.split("_"))


def _value(key: str, value: Any) -> Any:
    if not key.startswith("memory") or value == "-1":
        return int(value) if value == "-1" else value
    try:
        return parse_size(value)
    except ValueError as error:
        raise click.UsageError(f"invalid size: '{value}'") from error
