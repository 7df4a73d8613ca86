"""What a creation of a container would be refused for, all of it and without making anything. The checks are those of `create`."""

from __future__ import annotations

from collections.abc import Callable

from composer.engine.errors import EngineError, NotFound
from composer.engine.local.containers import mounts, resolve
from composer.engine.local.containers.parts import Parts
from composer.engine.local.network import hosts, ports
from composer.engine.local.runtime import devices
from composer.engine.model import ContainerConfig, ProcessConfig
from composer.engine.model.facts import Refusal

_ANY = ProcessConfig(cmd=("any",))  # of an image that is not here: what it says of its process is not known yet


def refusals(parts: Parts, asked: ContainerConfig) -> tuple[Refusal, ...]:
    """In the engine's words; () when nothing speaks against it."""
    found: dict[Refusal, None] = {}
    for check in _checks(parts, asked):
        try:
            check()
        except EngineError as error:
            found[Refusal(error.message, error.hint or "")] = None
    return tuple(found)


def _checks(parts: Parts, asked: ContainerConfig) -> tuple[Callable[[], object], ...]:
    host = asked.host_config
    lent = {mounts.split_volumes_from(wish)[0]: () for wish in host.volumes_from}
    return (
        lambda: resolve.check(_merged(parts, asked), cpus=parts.cpus, runtimes=parts.runtime.available()),
        lambda: parts.cgroup_parent(host.cgroup_parent),
        lambda: mounts.plan(asked, lent),
        lambda: ports.wishes(host.port_bindings, (), publish_all=False),
        lambda: hosts.parse_extra(host.extra_hosts, "127.0.0.1"),
        lambda: devices.cgroup_rules(host.device_cgroup_rules),
    )


def _merged(parts: Parts, asked: ContainerConfig) -> ContainerConfig:
    try:
        image = parts.images.resolve(asked.image).process
    except NotFound:
        image = _ANY
    return resolve.merge(asked, image)
