"""Rules across fields and objects: names that must exist, cycles, things that exclude each other.

Each rule is a function from a `Scene` to findings; `RULES` lists them. Source: the Compose Specification, and docker compose's own checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from composer.spec.extensions import check_extensions
from composer.spec.model import FileObject, Grant, Service
from composer.spec.problems import Problems, did_you_mean
from composer.spec.tree import Node, locate

FILE_ACTIONS = ("rebuild", "restart")


@dataclass(frozen=True, slots=True)
class Scene:
    """What is checked. `tree`: the whole stack in long form, for places. `spoilt`: services of which something was left out already."""

    tree: Node
    services: dict[str, Service]
    disabled: dict[str, Service]
    networks: Iterable[str]
    volumes: Iterable[str]
    secrets: dict[str, FileObject]
    configs: dict[str, FileObject]
    models: Iterable[str]
    spoilt: frozenset[str]
    problems: Problems

    def at(self, *path: str | int) -> Node:
        """The node at a path; the deepest known one on the way."""
        return locate(self.tree, path)

    def key(self, *path: str) -> Node:
        """The node of the key at a path."""
        return locate(self.tree, path[:-1]).key(path[-1])


def check(scene: Scene) -> None:
    """Applies every rule; findings go to the scene's problems."""
    for name, service in scene.services.items():
        for rule in SERVICE_RULES:
            rule(scene, name, service)
    _cycles(scene)
    _container_names(scene)
    _sources(scene)
    _external_volumes(scene)
    _port_clashes(scene)


def _image(scene: Scene, name: str, service: Service) -> None:
    if not service.image and service.build is None and service.provider is None and name not in scene.spoilt:
        message = f'service "{name}" has neither an image nor a build context specified'
        scene.problems.error("spec.no-image", message, scene.key("services", name), "add 'image:' or 'build:'")


def _unknown(scene: Scene, what: str, wanted: str, known: Iterable[str], node: Node, name: str) -> None:
    known = list(known)
    hint = did_you_mean(wanted, known, listed="defined: ") or f"define it under '{what}s:' at the top level"
    scene.problems.error(f"spec.undefined-{what}", f'service "{name}" refers to undefined {what} {wanted}', node, hint)


def _networks(scene: Scene, name: str, service: Service) -> None:
    for network in service.networks:
        if network not in scene.networks:
            _unknown(scene, "network", network, scene.networks, scene.key("services", name, "networks", network), name)
    if service.network_mode and service.networks:
        message = f"service {name} declares mutually exclusive `network_mode` and `networks`"
        scene.problems.error("spec.network-mode", message, scene.key("services", name, "network_mode"), "keep one of them")


def _mounts(scene: Scene, name: str, service: Service) -> None:
    targets: dict[str, str] = {}
    for index, tmpfs in enumerate(service.tmpfs):
        targets[tmpfs.split(":")[0].rstrip("/")] = f"services.{name}.tmpfs[{index}]"
    for index, mount in enumerate(service.volumes):
        node = scene.at("services", name, "volumes", index)
        if mount.type == "volume" and mount.source and mount.source not in scene.volumes:
            _unknown(scene, "volume", mount.source, scene.volumes, _source_node(node), name)
        if mount.type != "tmpfs" and not mount.source and mount.type in ("bind", "image", "npipe", "cluster"):
            message = f"services.{name}.volumes[{index}]: a {mount.type} mount lacks its source"
            is_error = mount.type == "bind" and node.get("source") is None
            (scene.problems.error if is_error else scene.problems.late)("spec.missing", message, node, "add 'source'")
        target = mount.target.rstrip("/")
        if target and target in targets:
            message = f"services.{name}.volumes[{index}]: target {mount.target} already mounted as {targets[target]}"
            scene.problems.error("spec.mount-twice", message, node)
        targets[target] = f"services.{name}.volumes[{index}]"


def _source_node(mount: Node) -> Node:
    return mount.get("source") or mount


def _grants(scene: Scene, name: str, service: Service) -> None:
    sets: list[tuple[str, list[Grant], dict[str, FileObject], tuple[str, ...]]] = [
        ("secret", service.secrets, scene.secrets, ("secrets",)),
        ("config", service.configs, scene.configs, ("configs",)),
    ]
    if service.build is not None:
        sets.append(("secret", service.build.secrets, scene.secrets, ("build", "secrets")))
    for what, grants, known, path in sets:
        for index, grant in enumerate(grants):
            if grant.source not in known:
                node = scene.at("services", name, *path, index)
                _unknown(scene, what, grant.source, known, node.get("source") or node, name)


def _models(scene: Scene, name: str, service: Service) -> None:
    for model in service.models:
        if model not in scene.models:
            _unknown(scene, "model", model, scene.models, scene.key("services", name, "models", model), name)


def _dependencies(scene: Scene, name: str, service: Service) -> None:
    for wanted, dependency in service.depends_on.items():
        if wanted in scene.services or not dependency.required:
            continue
        node = _dependency_node(scene, name, service, wanted)
        hint = did_you_mean(wanted, [n for n in [*scene.services, *scene.disabled] if n != name], listed="services: ")
        if wanted in scene.disabled:
            profiles = ", ".join(scene.disabled[wanted].profiles)
            hint = f"it is there, but only with the profile {profiles}: use --profile, or 'required: false'"
        message = f'service "{name}" depends on undefined service "{wanted}"'
        scene.problems.error("spec.undefined-service", message, node, hint)


def _dependency_node(scene: Scene, name: str, service: Service, wanted: str) -> Node:
    explicit = scene.at("services", name).get("depends_on")
    if explicit is not None and explicit.get(wanted) is not None:
        return explicit.key(wanted)
    for key in ("links", "volumes_from"):
        for index, text in enumerate(getattr(service, key)):
            if text.split(":")[0] == wanted:
                return scene.at("services", name, key, index)
    for key in ("network_mode", "ipc", "pid", "uts", "cgroup"):
        if getattr(service, key) == f"service:{wanted}":
            return scene.at("services", name, key)
    return scene.key("services", name)


def _scale(scene: Scene, name: str, service: Service) -> None:
    replicas = service.deploy.replicas if service.deploy is not None else None
    if service.scale is not None and replicas is not None and service.scale != replicas:
        message = f"services.{name}: can't set distinct values on 'scale' and 'deploy.replicas'"
        scene.problems.error("spec.scale", message, scene.at("services", name, "scale"), "keep one of them")
    if service.container_name and service.replicas > 1:
        message = f"services.{name}: can't set container_name and scale to {service.replicas}, as container name must be unique"
        scene.problems.error(
            "spec.container-name", message, scene.key("services", name, "container_name"), "drop container_name, or run one only"
        )
    if service.replicas < 0:
        key = ("scale",) if service.scale is not None else ("deploy", "replicas")
        message = f"services.{name}: {service.replicas} containers cannot be"
        scene.problems.error("spec.scale", message, scene.at("services", name, *key))


def _limits(scene: Scene, name: str, service: Service) -> None:
    limits = service.deploy.resources.limits if service.deploy is not None else None
    reservations = service.deploy.resources.reservations if service.deploy is not None else None
    pairs = [
        ("cpus", service.cpus, "limits.cpus", limits.cpus if limits else 0),
        ("mem_limit", service.mem_limit, "limits.memory", limits.memory if limits else 0),
        ("mem_reservation", service.mem_reservation, "reservations.memory", reservations.memory if reservations else 0),
        ("pids_limit", service.pids_limit, "limits.pids", limits.pids if limits else 0),
    ]
    for key, one, other_key, other in pairs:
        if one and other and one != other:
            message = f"services.{name}: can't set distinct values on '{key}' and 'deploy.resources.{other_key}'"
            scene.problems.error("spec.limits", message, scene.at("services", name, key), "keep one of them")


def _build(scene: Scene, name: str, service: Service) -> None:
    build = service.build
    if build is None:
        return
    if build.dockerfile and build.dockerfile_inline:
        message = f'service "{name}" declares mutually exclusive dockerfile and dockerfile_inline'
        scene.problems.error("spec.dockerfile", message, scene.key("services", name, "build", "dockerfile_inline"), "keep one of them")
    if build.platforms and service.platform and service.platform not in build.platforms:
        message = f'service.build.platforms MUST include service.platform "{service.platform}"'
        scene.problems.error("spec.platform", message, scene.at("services", name, "platform"), f"add it to build.platforms of '{name}'")


def _contexts(scene: Scene, name: str, service: Service) -> None:
    for key, context in (service.build.additional_contexts if service.build is not None else {}).items():
        if not context.startswith("service:"):
            continue
        wanted = context.removeprefix("service:")
        other = scene.services.get(wanted) or scene.disabled.get(wanted)
        node = scene.at("services", name, "build", "additional_contexts", key)
        if other is None:
            _unknown(scene, "service", wanted, scene.services, node, name)
        elif other.build is None:
            message = f'service "{name}" declares non-buildable service "{wanted}" as additional contexts {key}'
            scene.problems.error("spec.context", message, node, f"'{wanted}' needs a build")


def _watch(scene: Scene, name: str, service: Service) -> None:
    if service.develop is None:
        return
    for index, trigger in enumerate(service.develop.watch):
        node = scene.at("services", name, "develop", "watch", index)
        if trigger.action not in FILE_ACTIONS and not trigger.target:
            message = f"services.{name}.develop.watch: target is required for non-rebuild actions"
            scene.problems.error("spec.missing", message, node, f"'{trigger.action}' needs to know where to: add 'target'")


def _healthcheck(scene: Scene, name: str, service: Service) -> None:
    check = service.healthcheck
    if check is None or not check.test:
        return
    if check.test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        message = f'services.{name}.healthcheck.test must start with "CMD", "CMD-SHELL" or "NONE", not "{check.test[0][:40]}"'
        scene.problems.error("spec.healthcheck", message, scene.at("services", name, "healthcheck", "test", 0), 'as in ["CMD", ...]')


def _devices(scene: Scene, name: str, service: Service) -> None:
    reservations = service.deploy.resources.reservations if service.deploy is not None else None
    for request in [*service.gpus, *(reservations.devices if reservations else ())]:
        if request.count and request.device_ids:
            message = f'services.{name}: "count" and "device_ids" attributes are exclusive'
            scene.problems.error("spec.devices", message, scene.key("services", name, "deploy"), "keep one of them")


Rule = Callable[[Scene, str, Service], None]
SERVICE_RULES: tuple[Rule, ...] = (
    _image,
    _networks,
    _mounts,
    _grants,
    _models,
    _dependencies,
    _scale,
    _limits,
    _build,
    _contexts,
    _watch,
    _healthcheck,
    _devices,
    check_extensions,
)


def _cycles(scene: Scene) -> None:
    """One report for each cycle of dependencies, in the order of names as docker compose gives it."""
    state: dict[str, int] = {}  # 1: being followed, 2: done
    for root in sorted(scene.services):
        stack: list[tuple[str, list[str]]] = []
        path: list[str] = []
        _enter(scene, root, state, stack, path)
        while stack:
            name, left = stack[-1]
            if not left:
                stack.pop()
                path.pop()
                state[name] = 2
                continue
            wanted = left.pop(0)
            if state.get(wanted) == 1:
                _report_cycle(scene, [*path[path.index(wanted) :], wanted])
            elif wanted in scene.services:
                _enter(scene, wanted, state, stack, path)


def _enter(scene: Scene, name: str, state: dict[str, int], stack: list[tuple[str, list[str]]], path: list[str]) -> None:
    if name not in state:
        state[name] = 1
        stack.append((name, sorted(scene.services[name].depends_on)))
        path.append(name)


def _report_cycle(scene: Scene, cycle: list[str]) -> None:
    first, second = cycle[0], cycle[1]
    node = _dependency_node(scene, first, scene.services[first], second)
    message = f"dependency cycle detected: {' -> '.join(cycle)}"
    scene.problems.error("spec.cycle", message, node, "a service cannot wait for what waits for it")


def _container_names(scene: Scene) -> None:
    taken: dict[str, str] = {}
    for name, service in scene.services.items():
        if service.container_name in taken:
            message = (
                f'services.{name}: container name "{service.container_name}" is already in use by service {taken[service.container_name]}'
            )
            scene.problems.error("spec.container-name", message, scene.at("services", name, "container_name"), "container names are unique")
        elif service.container_name:
            taken[service.container_name] = name


def _sources(scene: Scene) -> None:
    for section, objects, sources in (
        ("secrets", scene.secrets, ("file", "environment")),
        ("configs", scene.configs, ("file", "environment", "content")),
    ):
        for name, one in objects.items():
            given = [key for key in ("file", "environment", "content") if getattr(one, key)]
            if len(given) > 1:
                message = f"{section}.{name}: {'|'.join(sources)} attributes are mutually exclusive"
                scene.problems.error("spec.two-sources", message, scene.key(section, name, given[0]), f"keep one of {', '.join(given)}")
            elif not given and not one.external and f"{section}.{name}" not in scene.spoilt:
                message = f"{section}.{name}: one of {', '.join(sources)} must be set"
                written = any(key in scene.at(section, name).value for key in sources)
                (scene.problems.late if written else scene.problems.error)(
                    "spec.no-source", message, scene.key(section, name), "or 'external: true'"
                )


def _external_volumes(scene: Scene) -> None:
    for name in scene.volumes:
        node = scene.at("volumes", name)
        external = node.get("external")
        if external is None or external.value not in (True, "true"):
            continue
        for key in node.value:
            if key not in ("name", "external") and not key.startswith("x-"):
                message = f'volumes.{name}: conflicting parameters "external" and "{key}" specified'
                scene.problems.error("spec.external", message, node.key(key), "what exists already is taken as it is")


def _port_clashes(scene: Scene) -> None:
    """A port of one address can be published once. A warning only: docker compose leaves it to the engine."""
    taken: dict[tuple[str, str, str], str] = {}
    for name, service in scene.services.items():
        for index, port in enumerate(service.ports):
            if not port.published or "-" in port.published or port.published == "0":
                continue
            key = (port.host_ip or "0.0.0.0", port.protocol, port.published)
            if key in taken and taken[key] != name:
                node = scene.at("services", name, "ports", index)
                message = f"port {port.published}/{port.protocol} is published by the services '{taken[key]}' and '{name}'"
                scene.problems.warn("spec.port-clash", message, node, "only one of them can have it")
            taken.setdefault(key, name)
