"""Names of containers that are taken, and other containers and services that a service stands on. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from composer.reconcile import labels
from composer.reconcile.precheck.finding import Finding
from composer.reconcile.precheck.scene import Scene
from composer.reconcile.render import image_of
from composer.spec.model import Service


def check_names(scene: Scene) -> Iterator[Finding]:
    """Names of the containers that are made."""
    for service in scene.made:
        fixed = bool(service.container_name) and service.name != scene.oneoff
        place = ("services", service.name, "container_name") if fixed else ("services", service.name)
        names = scene.created.get(service.name, ())
        if fixed and scene.scale.get(service.name, 1) > 1:
            message = (
                f'The "{service.name}" service is using the custom container name "{service.container_name}". Docker requires each '
                "container to have a unique name. Remove the custom name to scale the service"
            )
            yield Finding("plan.container-name", message, place, "leave container_name out, or run one only")
            continue
        for name in dict.fromkeys(names):
            yield from _taken(scene, name, place, fixed=fixed)


def _taken(scene: Scene, name: str, place: tuple[str, ...], *, fixed: bool) -> Iterator[Finding]:
    holder = scene.by_name.get(name)
    if holder is None or holder.id in scene.leaving:
        return
    tags = holder.config.labels
    project, other = tags.get(labels.PROJECT, ""), tags.get(labels.SERVICE, "")
    if project == scene.stack.name and tags.get(labels.HASH) and other == place[1]:
        return  # the plan knows it, and deals with it
    whose = f"of stack {project} (service {other})" if project else "of no stack"
    message = (
        f'Conflict. The container name "/{name}" is already in use by container "{holder.id}". You have to remove (or rename) that '
        f"container to be able to reuse that name. It is {whose}, and {holder.state.status}"
    )
    remedy = f"composer container rm -f {name}" if holder.state.running else f"composer container rm {name}"
    yield Finding("plan.container-name", message, place, f"`{remedy}`, or choose another name", on_key=not fixed)


def check_ground(scene: Scene) -> Iterator[Finding]:
    """What a service waits for or shares, and that cannot come."""
    for service in scene.touched:
        yield from _lenders(scene, service)
    for service in scene.touched:
        yield from _health(scene, service)


def _lenders(scene: Scene, service: Service) -> Iterator[Finding]:
    """Namespaces of other services and containers."""
    for field, what in (("network_mode", "network"), ("ipc", "IPC"), ("pid", "PID")):
        kind, _, name = getattr(service, field).partition(":")
        place = ("services", service.name, field)
        if kind == "container" and scene.engaged.containers and not _is_there(scene, name):
            yield Finding("plan.no-container", f"No such container: {name}", place, "`composer container ls -a` shows those that exist")
        if kind == "service" and name not in scene.chosen and not _has_container(scene, name):
            message = f"cannot share {what} namespace with service {name}: container missing"
            yield Finding("plan.no-container", message, place, f"bring it up first: composer up -d {name}; or leave out --no-deps")
    for index, text in enumerate(service.volumes_from):
        kind, _, rest = text.partition(":")
        name = rest.partition(":")[0]
        if kind == "container" and scene.engaged.containers and not _is_there(scene, name):
            yield Finding("plan.no-container", f"No such container: {name}", ("services", service.name, "volumes_from", index))


def _is_there(scene: Scene, name: str) -> bool:
    return name in scene.by_name or name in scene.by_id or any(ident.startswith(name) for ident in scene.by_id)


def _has_container(scene: Scene, service: str) -> bool:
    return any(
        live.ref.kind == "container" and live.project == scene.stack.name and live.service == service for live in scene.have.values()
    )


def _health(scene: Scene, service: Service) -> Iterator[Finding]:
    """docker compose starts what is depended on, waits, and then finds that there is nothing to wait for."""
    if not scene.started.get(service.name):
        return
    for name, dependency in service.depends_on.items():
        other = scene.stack.services.get(name)
        if dependency.condition != "service_healthy" or other is None or name not in scene.chosen or not dependency.required:
            continue
        if _has_check(scene, other) is False:
            named = other.container_name or f"{scene.stack.name}-{name}-1"
            message = f"container {named} has no healthcheck configured: '{service.name}' waits for service '{name}' to be healthy"
            place = ("services", service.name, "depends_on", name, "condition")
            yield Finding("plan.no-healthcheck", message, place, f"give '{name}' a healthcheck, or wait for service_started", late=True)


def _has_check(scene: Scene, service: Service) -> bool | None:
    """None: its image is not here, and may have one."""
    check = service.healthcheck
    if check is not None and (check.disable or check.test[:1] == ["NONE"]):
        return False
    if check is not None and check.test:
        return True
    name = image_of(scene.stack, service)
    image = scene.images.get(name)
    if image is None or any(item.image == name for item in scene.work):
        return None
    of_image = image.config.healthcheck
    return of_image is not None and bool(of_image.test) and of_image.test[0] != "NONE"
