"""Running a provider's program (`provider` of a service): ``PROGRAM compose --project-name=X up --OPTION=VALUE SERVICE``.

It speaks JSON on its standard output, an object a line: ``info`` and ``debug`` (progress), ``error``, ``setenv`` (NAME=VALUE). It is
docker's plugin of that type, else a program of that name in PATH. Source: docs/extension.md of docker compose 2.40.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

from composer.cli.app import App
from composer.cli.progress import Progress, progress
from composer.errors import ComposerError

_PLUGINS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
_METADATA_PATIENCE = 30.0  # seconds
Provider = dict[str, Any]


class ProviderFailed(ComposerError):
    """The program of a provider is not there, or has failed."""

    code = "provider-failed"


def provide(app: App, providers: list[Provider], command: str) -> dict[str, dict[str, str]]:
    """Run them one after the other; service -> the variables that its provider has set. ``command``: up or down. Raises ProviderFailed."""
    bar = progress(app.console)
    try:
        return {one["service"]: _run(one, command, bar) for one in providers}
    finally:
        bar.close()


def _run(provider: Provider, command: str, bar: Progress) -> dict[str, str]:
    service, before, behind = provider["service"], *(("Creating", "Created") if command == "up" else ("Removing", "Removed"))
    path = _program(provider)
    bar.event({"id": service, "status": before})
    arguments = [path, "compose", f"--project-name={provider['project']}", command, *_options(provider, path, command), service]
    problem, variables = "", dict[str, str]()
    with _started(arguments, service) as process:
        assert process.stdout is not None
        for line in process.stdout:
            kind, message = _message(line, service)
            if kind == "setenv":
                name, _, variables[name] = message.partition("=")
            elif kind == "error":
                problem = message
            elif kind == "info":
                bar.event({"id": service, "status": message})
    if problem or process.returncode:
        problem = problem or f"failed to {command} the service's provider: exit status {process.returncode}"
        bar.event({"id": service, "status": problem, "done": True, "error": True})
        raise ProviderFailed(problem, hint=f"the provider of service {service} is {path}")
    bar.event({"id": service, "status": behind, "done": True})
    return variables


def _started(arguments: list[str], service: str) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
    except OSError as error:
        raise ProviderFailed(f"the provider of service {service} cannot be run: {arguments[0]}: {error.strerror}") from error


def _message(line: str, service: str) -> tuple[str, str]:
    try:
        found = json.loads(line)
        kind, message = str(found["type"]), str(found["message"])
    except (ValueError, KeyError, TypeError) as error:
        raise ProviderFailed(f"invalid response from the provider of service {service}: {line.strip()[:200]}") from error
    if kind not in ("info", "debug", "error", "setenv") or (kind == "setenv" and "=" not in message):
        raise ProviderFailed(f"invalid response from the provider of service {service}: {line.strip()[:200]}")
    return kind, message


def _program(provider: Provider) -> str:
    """Docker's plugin, else what PATH (or a path) has."""
    kind = str(provider["type"])
    if kind == "compose":
        raise ProviderFailed("'compose' is not a valid provider type", hint=f"see service {provider['service']}")
    own = os.path.join(os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker"), "cli-plugins")
    plugins = [] if "/" in kind else [os.path.join(directory, f"docker-{kind}") for directory in (own, *_PLUGINS)]
    found = next((path for path in plugins if os.access(path, os.X_OK)), None) or shutil.which(kind)
    if found is None:
        hint = f"service {provider['service']} is run by the program {kind}, or by docker's plugin docker-{kind}"
        raise ProviderFailed(f'exec: "{kind}": executable file not found in $PATH', hint=hint)
    return found


def _options(provider: Provider, path: str, command: str) -> list[str]:
    """Those that the program knows by its own account; all, when it gives none. ProviderFailed: one that it needs is missing."""
    parameters = (_metadata(path).get(command) or {}).get("parameters") or []
    for one in parameters:
        if one.get("required") and one.get("name") not in provider["options"]:
            raise ProviderFailed(f"required parameter {one['name']!r} is missing in the provider of service {provider['service']}")
    known = {one.get("name") for one in parameters}
    return [f"--{key}={value}" for key, values in sorted(provider["options"].items()) for value in values if not known or key in known]


def _metadata(path: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [path, "compose", "metadata"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_METADATA_PATIENCE, check=False
        )
        found = json.loads(done.stdout) if done.returncode == 0 else {}
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}  # it has none to give: everything is passed on
    return found if isinstance(found, dict) else {}
