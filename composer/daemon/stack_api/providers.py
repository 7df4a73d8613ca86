"""Services that something else runs (`provider`): the client runs the program, with its rights and its PATH, and tells what came of it.

A verb that makes containers asks for them first (`ask`, as files are asked for). What a provider sets (`setenv`) is a variable of each
service that depends on it, with the provider service's name in front, and is kept with the stack's files. Source: Compose Specification,
chapter "provider"; docs/extension.md of docker compose 2.40.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from composer.daemon.stack_api.call import Call
from composer.errors import ComposerError
from composer.reconcile.order import sorted_by_need
from composer.spec.model import Service, Stack


class NeedProviders(ComposerError):
    """The client has to run these, and to tell their variables."""

    code = "need-providers"

    def __init__(self, providers: list[dict[str, Any]]) -> None:
        super().__init__(f"providers are to be run: {', '.join(one['service'] for one in providers)}")
        self.providers = providers


def ask(call: Call, stack: Stack, names: Collection[str]) -> None:
    """Raises NeedProviders for those of ``names`` (none: all) and of what they depend on, unless the client has run them."""
    if "provided" in call.project or call.options.flag("dry_run"):
        return
    found = told(stack, [*stack.select(names, dependencies=not call.options.flag("no_deps")).services])
    if found:
        raise NeedProviders(found)


def told(stack: Stack, names: Collection[str]) -> list[dict[str, Any]]:
    """The provider services of these, those first that others need; as the client is told."""
    every = {name: stack.services[name] for name in names if stack.services[name].provider is not None}
    order = sorted_by_need({name: [need for need in service.depends_on if need in every] for name, service in every.items()})
    return [_told(stack, every[name]) for name in order]


def _told(stack: Stack, service: Service) -> dict[str, Any]:
    assert service.provider is not None
    options = {key: list(values) for key, values in service.provider.options.items()}
    return {"service": service.name, "type": service.provider.type, "options": options, "project": stack.name}


def with_provided(stack: Stack, provided: Mapping[str, Mapping[str, str]] | None) -> Stack:
    """The stack with the variables that providers have set in the services that depend on them."""
    if not provided:
        return stack
    every = ({name: _with(service, provided) for name, service in part.items()} for part in (stack.services, stack.disabled_services))
    services, disabled = every
    return stack.with_services(services, disabled)


def _with(service: Service, provided: Mapping[str, Mapping[str, str]]) -> Service:
    variables = {f"{name.upper()}_{key}": value for name in service.depends_on if name in provided for key, value in provided[name].items()}
    return service.model_copy(update={"environment": {**service.environment, **variables}}) if variables else service
