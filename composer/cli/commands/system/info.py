"""``composer system info``."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from composer.cli.app import app
from composer.cli.units import binary

LINES = (
    ("Containers", "Containers"),
    (" Running", "ContainersRunning"),
    (" Paused", "ContainersPaused"),
    (" Stopped", "ContainersStopped"),
    ("Images", "Images"),
    ("Server Version", "ServerVersion"),
    ("Storage Driver", "Driver"),
    ("Logging Driver", "LoggingDriver"),
    ("Cgroup Driver", "CgroupDriver"),
    ("Cgroup Version", "CgroupVersion"),
    ("Default Runtime", "DefaultRuntime"),
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
    ("Name", "Name"),
    ("ID", "ID"),
    ("Root Dir", "DockerRootDir"),
)


@click.command()
@click.option("-f", "--format", "form", default="", metavar="FORMAT", help="json, or a Go template.")
def info(form: str) -> None:
    """Show what the engine is."""
    found: dict[str, Any] = app().client.get("/info")
    if form == "json":
        sys.stdout.write(json.dumps(found, separators=(",", ":")) + "\n")
    elif form:
        from composer.cli.template import Template

        sys.stdout.write(Template(form).render(found) + "\n")
    else:
        sys.stdout.write("".join(f"{title}: {found[key]}\n" for title, key in LINES if found.get(key) not in (None, "")))
        sys.stdout.write(f"Total Memory: {binary(found.get('MemTotal', 0))}\nRuntimes: {' '.join(found.get('Runtimes') or ())}\n")
        for warning in found.get("Warnings") or ():
            click.echo(f"WARNING: {warning}", err=True)
