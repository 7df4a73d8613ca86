"""What the machine or the engine does not have: processors, memory, runtimes, drivers. Words of refusal are dockerd's. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from composer.reconcile.precheck.finding import WARNING, Finding
from composer.reconcile.precheck.scene import Scene
from composer.spec.model import DeviceRequest, Service
from composer.spec.problems import did_you_mean

_LEAST = 6 << 20  # bytes: dockerd's least memory limit
Place = tuple[str | int, ...]


def check_machine(scene: Scene) -> Iterator[Finding]:
    """All findings about limits, runtimes and drivers."""
    for service in scene.touched:
        yield from _cpus(scene, service)
        yield from _memory(scene, service)
        yield from _named(scene, service)
        yield from _gpus(scene, service)
        yield from _elsewhere(service)
    yield from _volume_drivers(scene)


def _cpus(scene: Scene, service: Service) -> Iterator[Finding]:
    limits = service.deploy.resources.limits if service.deploy else None
    there = scene.facts.cpus
    for wanted, place in ((limits.cpus if limits else 0.0, ("deploy", "resources", "limits", "cpus")), (service.cpus, ("cpus",))):
        if there and wanted > there:
            message = f"range of CPUs is from 0.01 to {there}.00, as there are only {there} CPUs available"
            yield Finding("plan.cpus", message, ("services", service.name, *place), f"{there} at most")
            return


def _memory(scene: Scene, service: Service) -> Iterator[Finding]:
    limits = service.deploy.resources.limits if service.deploy else None
    there = scene.facts.memory
    for wanted, place in (
        (limits.memory if limits else 0, ("deploy", "resources", "limits", "memory")),
        (service.mem_limit, ("mem_limit",)),
    ):
        if 0 < wanted < _LEAST:
            yield Finding("plan.memory", "Minimum memory limit allowed is 6MB", ("services", service.name, *place), "6m or more")
            return
        if there and wanted > there:
            message = f"the limit of {_mib(wanted)} is more than the {_mib(there)} of this machine: it limits nothing"
            yield Finding("plan.memory", message, ("services", service.name, *place), "less, or no limit", severity=WARNING)
            return


def _mib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size >> 20} MiB"


def _named(scene: Scene, service: Service) -> Iterator[Finding]:
    facts = scene.facts
    runtime, driver = service.runtime, service.logging.driver if service.logging else ""
    if facts.runtimes is not None and runtime and runtime not in facts.runtimes:
        hint = _listed(runtime, facts.runtimes)
        yield Finding("plan.runtime", f"unknown or invalid runtime name: {runtime}", ("services", service.name, "runtime"), hint)
    if facts.log_drivers is not None and driver and driver not in facts.log_drivers:
        message = f"logger: no log driver named '{driver}' is registered"
        yield Finding("plan.log-driver", message, ("services", service.name, "logging", "driver"), _listed(driver, facts.log_drivers))
    if ".." in service.cgroup_parent.split("/"):
        message = f"invalid cgroup parent: {service.cgroup_parent}"
        yield Finding("plan.cgroup-parent", message, ("services", service.name, "cgroup_parent"), "a path without '..'")


def _elsewhere(service: Service) -> Iterator[Finding]:
    """What other machines or products have."""
    if service.isolation not in ("", "default"):
        message = f"invalid isolation '{service.isolation}' on linux: it is for Windows containers"
        yield Finding("plan.isolation", message, ("services", service.name, "isolation"), "leave it out")
    if service.models:
        message = f'service "{service.name}": models need a model runner, and this engine has none'
        hint = "run the model's server as a service, and give its address in `environment`"
        yield Finding("plan.models", message, ("services", service.name, "models"), hint)


def _listed(word: str, known: Iterable[str]) -> str:
    names = sorted(name for name in known if name)
    similar = did_you_mean(word, names)
    return similar or f"this engine has: {', '.join(names)}"


def _gpus(scene: Scene, service: Service) -> Iterator[Finding]:
    """dockerd makes such a container, and refuses to start it."""
    if scene.facts.device_drivers is None:
        return
    reservations = service.deploy.resources.reservations if service.deploy else None
    place: Place = ("services", service.name, "deploy", "resources", "reservations", "devices")
    asked = [(wish, wish.capabilities, (*place, index)) for index, wish in enumerate(reservations.devices if reservations else ())]
    asked += [(wish, [*wish.capabilities, "gpu"], ("services", service.name, "gpus", index)) for index, wish in enumerate(service.gpus)]
    for wish, capabilities, where in asked:
        if wish.driver not in scene.facts.device_drivers or not wish.driver:
            yield _no_device(wish, capabilities, where)


def _no_device(wish: DeviceRequest, capabilities: list[str], place: Place) -> Finding:
    sets = " ".join(dict.fromkeys(capabilities))
    message = f'could not select device driver "{wish.driver}" with capabilities: [[{sets}]]'
    hint = "this engine has no driver for such devices: leave it out, or give the device nodes under `devices`"
    return Finding("plan.device-driver", message, place, hint, late=True)


def _volume_drivers(scene: Scene) -> Iterator[Finding]:
    known = scene.facts.volume_drivers
    for key in scene.volumes:
        volume = scene.stack.volumes[key]
        if known is not None and volume.driver and volume.driver not in known:
            message = f'create {volume.name}: error looking up volume plugin {volume.driver}: plugin "{volume.driver}" not found'
            yield Finding("plan.volume-driver", message, ("volumes", key, "driver"), _listed(volume.driver, known))
