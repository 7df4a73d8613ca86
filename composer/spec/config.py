"""The command `config`, all but its flags: what it prints, as functions of a Request and plain arguments.

    config(request, options) -> Output | Need

Each view is one of docker compose's: the model as YAML or JSON, or names, images, hashes, variables, one a line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from composer.errors import ComposerError, Diagnostic, UsageError
from composer.spec.load import Options, load
from composer.spec.model import Service, Stack
from composer.spec.read import Need, Request

_BEFORE_HASHES = ("services", "volumes", "networks", "models")  # of several views docker compose prints one
_OF_NAMES = ("services", "volumes", "networks", "models", "profiles")


@dataclass(frozen=True, slots=True)
class ConfigOptions:
    """The flags of `config`. `view`: "" for the model, or services, volumes, networks, images, models, profiles, environment, variables.

    `hashes`: "*" or names separated by commas; "" for none. `services`: only these and what they depend on.
    `digests`: those of images, by their full names, as far as they are known. `explain`: a path of the model; `explain_variable`: a name.
    """

    services: tuple[str, ...] = ()
    format: str = ""
    view: str = ""
    hashes: str = ""
    quiet: bool = False
    no_interpolate: bool = False
    no_normalize: bool = False
    no_path_resolution: bool = False
    no_consistency: bool = False
    no_env_resolution: bool = False
    resolve_image_digests: bool = False
    lock_image_digests: bool = False
    digests: Mapping[str, str] | None = None
    explain: str = ""
    explain_variable: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """What is printed, and the warnings that go beside it. `unpinned`: call again with the digests of these images."""

    text: str
    warnings: tuple[Diagnostic, ...] = ()
    unpinned: tuple[str, ...] = ()


def config(request: Request, options: ConfigOptions) -> Output | Need:
    """What `config` prints. Need: call again with those contents. SpecError, UsageError: as they say."""
    view = options.view if not options.hashes or options.view in _BEFORE_HASHES else ""
    shows_model = not view and not options.hashes
    if options.format not in ("", "yaml", "json") and (shows_model or view == "variables"):
        raise UsageError(f'unsupported format "{options.format}"', hint="yaml or json")
    if options.explain_variable:
        return _explained_variable(request, options)
    if options.explain:
        return _explained(request, options)
    if view == "variables" or (options.no_interpolate and shows_model and not options.lock_image_digests):
        return _uninterpolated(request, options)
    loaded = load(request, _load_options(options))
    if isinstance(loaded, Need):
        return loaded
    if view in ("services", "volumes"):
        return Output(_joined(VIEWS[view](loaded)), loaded.warnings)
    selected = loaded.select(options.services) if options.services else loaded
    if view:
        return Output(_joined(_view(view)(selected)), loaded.warnings)
    if options.hashes:
        return Output(_hashes(loaded, options.hashes), loaded.warnings)
    if options.resolve_image_digests or options.lock_image_digests:
        return _pinned(selected, options, loaded.warnings)
    return Output("" if options.quiet else _model(selected, options), loaded.warnings)


def _pinned(stack: Stack, options: ConfigOptions, warnings: tuple[Diagnostic, ...]) -> Output:
    from composer.spec.pin import unpinned, with_digests

    known = options.digests or {}
    images = [service.image for service in stack.services.values()]
    lacking = unpinned(images, known)
    if lacking:
        return Output("", (), lacking)
    stack = with_digests(stack, known)
    if options.lock_image_digests:
        only = {name: Service(name=name, image=service.image) for name, service in stack.services.items()}
        stack = Stack(name="", directory=stack.directory, services=only)
    return Output("" if options.quiet else _model(stack, options), warnings)


def _explained(request: Request, options: ConfigOptions) -> Output | Need:
    from composer.spec.explain import text
    from composer.spec.explain.value import explain

    made = explain(request, options.explain)
    if isinstance(made, Need):
        return made
    return Output(text.to_json(text.value_data(made)) if options.format == "json" else text.value_text(made), made.warnings)


def _explained_variable(request: Request, options: ConfigOptions) -> Output | Need:
    from composer.spec.explain.text import to_json
    from composer.spec.explain.variable import explain_variable, variable_data, variable_text

    made = explain_variable(request, options.explain_variable)
    if isinstance(made, Need):
        return made
    return Output(to_json(variable_data(made)) if options.format == "json" else variable_text(made))


def _load_options(options: ConfigOptions) -> Options:
    """As docker compose 2.40: --no-env-resolution changes nothing, and what prints names or hashes needs no env file to be there."""
    return Options(
        normalises=not options.no_normalize,
        resolves_paths=not options.no_path_resolution,
        resolves_environment=not options.hashes and options.view not in _OF_NAMES,
        checks=not options.no_consistency,
        contents=False,
        tolerates=True,
    )


def _uninterpolated(request: Request, options: ConfigOptions) -> Output | Need:
    from composer.spec.raw import raw_model

    made = raw_model(request, _load_options(options))
    if isinstance(made, Need):
        return made
    if options.view == "variables":
        from composer.spec.variables import variables_table

        return Output(variables_table(made.tree, options.format), made.warnings)
    if options.resolve_image_digests:
        from composer.spec.pin import pinned, unpinned

        known = options.digests or {}
        services = [one for one in (made.data.get("services") or {}).values() if one.get("image") and "$" not in one["image"]]
        lacking = unpinned((one["image"] for one in services), known)
        if lacking:
            return Output("", (), lacking)
        for service in services:  # a name with a variable in it is not known yet, and stays
            service["image"] = pinned(service["image"], known)
    return Output("" if options.quiet else _text(made.data, options.format), made.warnings)


def _model(stack: Stack, options: ConfigOptions) -> str:
    from composer.spec.normal import to_normal

    data = to_normal(stack, "json" if options.format == "json" else "yaml")
    if options.format == "json" and not stack.name:
        data["name"] = ""
    text = _text(dict(sorted(data.items())) if options.format == "json" else data, options.format)
    return text.replace("$", "$$")  # so that what is printed means the same when it is read again


def _text(data: dict[str, Any], form: str) -> str:
    if form == "json":
        import json

        from composer.spec.normal import go_escaped

        return go_escaped(json.dumps(data, indent=2, ensure_ascii=False)) + "\n"
    from composer.spec.emit import to_yaml

    return to_yaml(data)


def _hashes(stack: Stack, wanted: str) -> str:
    from composer.spec.normal import service_hash

    names = sorted(stack.services) if wanted == "*" else sorted(wanted.split(","))
    for name in names:
        if name not in stack.services:
            raise ComposerError(f"no such service: {name}", code="spec.no-such-service")
    return _joined([f"{name} {service_hash(stack.services[name])}" for name in names])


def _view(name: str) -> Callable[[Stack], list[str]]:
    if name not in VIEWS:
        raise UsageError(f"config has no view '{name}'")
    return VIEWS[name]


def image_of(service: Service, stack: str) -> str:
    """The image's name; one that is built without a name is called after the stack and the service."""
    return service.image or f"{stack}-{service.name}"


def _profiles(stack: Stack) -> list[str]:
    everything = [*stack.services.values(), *stack.disabled_services.values()]
    return sorted({profile for service in everything for profile in service.profiles})


VIEWS: dict[str, Callable[[Stack], list[str]]] = {
    "services": lambda stack: list(stack.services),
    "volumes": lambda stack: list(stack.volumes),
    "networks": lambda stack: list(stack.networks),
    "models": lambda stack: sorted({model.model for model in stack.models.values()}),
    "images": lambda stack: [image_of(service, stack.name) for service in stack.services.values()],
    "profiles": _profiles,
    "environment": lambda stack: [f"{key}={value}" for key, value in sorted(stack.environment.items())],
}


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
