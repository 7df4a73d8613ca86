"""The configuration of a one-off container (`run`): the service's template with what the command line changes. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from composer.daemon.stack_api.options import Options
from composer.engine.errors import InvalidArgument
from composer.engine.model import ContainerConfig, HostConfig, PortBinding, RestartPolicy
from composer.reconcile import labels
from composer.reconcile.render.process import opened
from composer.spec.model import Service, Stack

_PORT = re.compile(r"(?:(?P<ip>\[[0-9a-fA-F:]+\]|[0-9]+\.[0-9.]+):)?(?:(?P<host>[0-9-]*):)?(?P<target>\d+)(?:/(?P<protocol>tcp|udp|sctp))?")


def one_off(
    template: ContainerConfig, stack: Stack, name: str, slug: str, options: Options, environment: Mapping[str, str], cwd: str
) -> ContainerConfig:
    """``environment`` and ``cwd``: the client's. Raises InvalidArgument for what cannot be read."""
    if options.flag("service_ports") and options.names("publish"):
        raise InvalidArgument("--service-ports and --publish are incompatible")
    tty, interactive = options.flag("tty"), options.flag("interactive")
    own = {labels.ONEOFF: "True", labels.SLUG: slug, labels.NUMBER: "1"}
    given = {key: value for key, _, value in (label.partition("=") for label in options.names("labels"))}
    host = _host(template.host_config, stack, options, cwd)
    changes: dict[str, Any] = {
        "labels": {**template.labels, **given, **own},
        "env": merged_env(template.env, options.names("env"), environment),
        "tty": tty,
        "open_stdin": interactive,
        "stdin_once": interactive,
        "attach_stdin": interactive,
        "attach_stdout": True,
        "attach_stderr": True,
        "host_config": host,
        "exposed_ports": _exposed(template, stack.services[options.text("service")], host, options),
        "networking_config": template.networking_config.replace(endpoints_config=_endpoints(template, name, options.flag("use_aliases"))),
    }
    if options.given("entrypoint"):
        changes["entrypoint"] = tuple(shlex.split(options.text("entrypoint")))
        changes["cmd"] = None
    if options.names("command"):
        changes["cmd"] = options.names("command")
    if options.text("user"):
        changes["user"] = options.text("user")
    if options.text("workdir"):
        changes["working_dir"] = options.text("workdir")
    return template.replace(**changes)


def _exposed(template: ContainerConfig, service: Service, host: HostConfig, options: Options) -> Mapping[str, Any]:
    """Without ``service_ports`` the service's ports are not this container's."""
    if options.flag("service_ports"):
        return template.exposed_ports
    return {port: {} for port in (*opened(service.expose), *host.port_bindings)}


def _endpoints(template: ContainerConfig, name: str, use_aliases: bool) -> dict[str, Any]:
    """Without ``use_aliases`` it does not answer to the service's names."""
    return {
        network: wish.replace(aliases=tuple(dict.fromkeys((name, *(wish.aliases if use_aliases else ())))))
        for network, wish in template.networking_config.endpoints_config.items()
    }


def merged_env(base: tuple[str, ...], given: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, ...]:
    """``given``: NAME=value, or NAME, which takes the client's value."""
    found = {item.partition("=")[0]: item for item in base}
    for item in given:
        name, equals, _ = item.partition("=")
        if equals:
            found[name] = item
        elif name in environment:
            found[name] = f"{name}={environment[name]}"
    return tuple(found.values())


def _host(host: HostConfig, stack: Stack, options: Options, cwd: str) -> HostConfig:
    bindings = dict(host.port_bindings) if options.flag("service_ports") else {}
    for text in options.names("publish"):
        key, binding = published(text)
        bindings[key] = (*(bindings.get(key) or ()), binding)
    return host.replace(
        port_bindings=bindings,
        restart_policy=RestartPolicy(name="no"),
        auto_remove=options.flag("rm"),
        binds=(*host.binds, *(bind_of(text, stack, cwd) for text in options.names("volumes"))),
        cap_add=(*host.cap_add, *options.names("cap_add")),
        cap_drop=(*host.cap_drop, *options.names("cap_drop")),
    )


def published(text: str) -> tuple[str, PortBinding]:
    """``-p``: "8080:80", "127.0.0.1:8080:80/udp", "80". Raises InvalidArgument."""
    match = _PORT.fullmatch(text)
    if match is None:
        raise InvalidArgument(f"invalid port {text!r}", hint="[[IP:]HOST:]CONTAINER[/tcp|udp]")
    binding = PortBinding(host_ip=(match["ip"] or "").strip("[]"), host_port=match["host"] or "")
    return f"{match['target']}/{match['protocol'] or 'tcp'}", binding


def bind_of(text: str, stack: Stack, cwd: str) -> str:
    """``-v``: a path is taken from the client's directory, a name is one of the stack's volumes or any other."""
    source, colon, rest = text.partition(":")
    if not colon:
        return text
    if source.startswith((".", "/", "~")):
        home = str(stack.environment.get("HOME", "/"))
        path = home + source[1:] if source.startswith("~") else source
        return f"{path if path.startswith('/') else f'{cwd}/{path}'}:{rest}"
    volume = stack.volumes.get(source)
    return f"{volume.name if volume is not None else source}:{rest}"
