"""A stack: services, networks, volumes, secrets and configs under one name (Compose says project)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from composer.errors import ComposerError, Diagnostic, SpecError
from composer.spec.model.base import Spec
from composer.spec.model.files import Config, Secret
from composer.spec.model.network import Network
from composer.spec.model.service import Service
from composer.spec.model.values import Whole
from composer.spec.model.volume import Volume


class Model(Spec):
    """An AI model that services use."""

    name: str = ""
    model: str
    context_size: Whole = 0
    runtime_flags: list[str] = Field(default_factory=list)


class Resources(Spec):
    """Networks, volumes, secrets, configs and models by their keys in the file."""

    networks: dict[str, Network] = Field(default_factory=dict)
    volumes: dict[str, Volume] = Field(default_factory=dict)
    secrets: dict[str, Secret] = Field(default_factory=dict)
    configs: dict[str, Config] = Field(default_factory=dict)
    models: dict[str, Model] = Field(default_factory=dict)


class Stack(Spec):
    """What is wanted, resolved and checked.

    `directory`: absolute, what relative paths were resolved against. `files`: absolute paths, in order of merging; "-" for standard input.
    `services`: the enabled ones; the others (by profile, or by `select`) are in `disabled_services`. `networks`, `volumes`, `secrets`,
    `configs`, `models`: those that the enabled services use; `declared` has all. `environment`: what `${...}` saw. `used_variables`: the
    variables that the files name and that were set, with their values. `warnings`: to be shown, not fatal.
    """

    name: str
    directory: str
    files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    services: dict[str, Service] = Field(default_factory=dict)
    disabled_services: dict[str, Service] = Field(default_factory=dict)
    networks: dict[str, Network] = Field(default_factory=dict)
    volumes: dict[str, Volume] = Field(default_factory=dict)
    secrets: dict[str, Secret] = Field(default_factory=dict)
    configs: dict[str, Config] = Field(default_factory=dict)
    models: dict[str, Model] = Field(default_factory=dict)
    declared: Resources = Field(default_factory=Resources)
    environment: Mapping[str, str] = Field(default_factory=dict, repr=False)
    used_variables: Mapping[str, str] = Field(default_factory=dict, repr=False)
    warnings: tuple[Diagnostic, ...] = ()

    def enable(self, names: Iterable[str]) -> Stack:
        """This stack with the named services enabled even if their profile is not active (what naming one on the command line does).

        A service's profiles become active with it. SpecError when a file that one of them needs is not there, ComposerError when a
        service that one of them depends on is not.
        """
        named = {name for name in names if name in self.disabled_services}
        if not named:
            return self
        profiles = {profile for name in named for profile in self.disabled_services[name].profiles}
        wanted = {n: s for n, s in self.disabled_services.items() if n in named or profiles.intersection(s.profiles)}
        problems = [problem for service in wanted.values() for problem in service.problems]
        if problems:
            raise SpecError(problems)
        services = dict(sorted((self.services | wanted).items()))
        for name, service in wanted.items():
            for other, dependency in service.depends_on.items():
                if dependency.required and other not in services:
                    raise ComposerError(f'service "{name}" depends on undefined service "{other}"', code="spec.undefined-service")
        left = {name: service for name, service in self.disabled_services.items() if name not in wanted}
        return self.with_services(services, left)

    def select(self, names: Iterable[str], *, dependencies: bool = True) -> Stack:
        """This stack with only the named services and, unless told otherwise, what they depend on; all when none is named.

        The others are kept in `disabled_services`. ComposerError `no such service: x` for an unknown name.
        """
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return self
        stack = self.enable(wanted)
        keep: set[str] = set()
        while wanted:
            name = wanted.pop()
            service = stack.services.get(name)
            if service is None:
                raise ComposerError(f"no such service: {name}", code="spec.no-such-service")
            if name not in keep:
                keep.add(name)
                wanted += [d for d in service.depends_on if d in stack.services] if dependencies else []
        left = {name: service for name, service in stack.services.items() if name not in keep}
        kept = {name: _without_absent(service, stack.services) for name, service in stack.services.items() if name in keep}
        return stack.with_services(kept, stack.disabled_services | left)

    def with_services(self, services: dict[str, Service], disabled: dict[str, Service]) -> Stack:
        """This stack with other services enabled, and only the resources that they use."""
        update: dict[str, Any] = {"services": services, "disabled_services": disabled}
        for section, used in used_resources(services.values()).items():
            declared = getattr(self.declared, section)
            update[section] = {key: value for key, value in declared.items() if key in used}
        return self.model_copy(update=update)


def _without_absent(service: Service, services: Mapping[str, Service]) -> Service:
    """The service without optional dependencies that are not there."""
    there = {name: dependency for name, dependency in service.depends_on.items() if name in services or dependency.required}
    return service if len(there) == len(service.depends_on) else service.model_copy(update={"depends_on": there})


def used_resources(services: Iterable[Service]) -> dict[str, set[str]]:
    """The keys of the resources that services refer to, by section."""
    used: dict[str, set[str]] = {"networks": set(), "volumes": set(), "secrets": set(), "configs": set(), "models": set()}
    for service in services:
        used["networks"].update(service.networks)
        used["volumes"].update(mount.source for mount in service.volumes if mount.type == "volume" and mount.source)
        used["secrets"].update(grant.source for grant in service.secrets)
        used["secrets"].update(grant.source for grant in (service.build.secrets if service.build else ()))
        used["configs"].update(grant.source for grant in service.configs)
        used["models"].update(service.models)
    return used
