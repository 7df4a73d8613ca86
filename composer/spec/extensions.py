"""The rules of composer's own extensions of a service, `x-heal` and `x-schedule`, for `check`: findings at their places in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from composer.spec.check import Scene
    from composer.spec.fields import Mistake
    from composer.spec.model import Service


def check_extensions(scene: Scene, name: str, service: Service) -> None:
    """A rule of `check.SERVICE_RULES`."""
    if "x-heal" in service.extensions:
        from composer.spec import care

        _report(scene, name, "x-heal", care.read_extension(service.extensions["x-heal"])[1])
    if any(label.startswith("composer.heal") for label in service.labels):
        from composer.spec import care

        for mistake in care.read_labels(service.labels)[1]:
            place = scene.at("services", name, "labels", mistake.key)
            scene.problems.error("spec.heal", f"services.{name}.labels.{mistake.key}: {mistake.message}", place, mistake.hint)
    if "x-schedule" in service.extensions:
        from composer.spec import schedule

        _report(scene, name, "x-schedule", schedule.read_extension(service.extensions["x-schedule"])[1])
        _job(scene, name, service)
    for other in service.depends_on:
        if other in scene.services and "x-schedule" in scene.services[other].extensions:
            message = f'service "{name}" depends on "{other}", which runs by the clock and is not started with the stack'
            scene.problems.error("spec.schedule", message, scene.key("services", name, "depends_on", other), "drop the dependency")


def _report(scene: Scene, name: str, extension: str, mistakes: list[Mistake]) -> None:
    code = extension.replace("x-", "spec.")
    for mistake in mistakes:
        path: tuple[Any, ...] = ("services", name, extension, *([mistake.key] if mistake.key else []))
        place = scene.key(*path) if mistake.on_key or not mistake.key else scene.at(*path)
        where = ".".join(map(str, path[:3] if mistake.on_key or not mistake.key else path))
        scene.problems.error(
            code, f"{where} {mistake.message}" if mistake.on_key or not mistake.key else f"{where}: {mistake.message}", place, mistake.hint
        )


def _job(scene: Scene, name: str, service: Service) -> None:
    """What cannot go together with a schedule."""
    if service.restart not in ("", "no"):
        message = f"services.{name}.restart: a job is not started again when it ends"
        scene.problems.error("spec.schedule", message, scene.at("services", name, "restart"), "drop 'restart'")
    if service.replicas > 1:
        key = ("scale",) if service.scale is not None else ("deploy", "replicas")
        message = f"services.{name}: a job runs as one container, not {service.replicas}"
        scene.problems.error("spec.schedule", message, scene.at("services", name, *key), "use overlap for runs beside each other")
