"""What variables a stage knows at one point: ARGs that were declared, ENV that was set. Pure.

ENV wins over ARG of the same name. An ARG takes the given build argument, else its default, else the global ARG's value.
Source: Dockerfile reference, "ARG: Using ARG variables", "Predefined ARGs".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PREDEFINED = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")


@dataclass
class Environment:
    """``given``: build arguments; ``globals``: ARGs before the first FROM, and the platform's; ``env``: what ENV set, in order."""

    given: Mapping[str, str | None]
    globals: Mapping[str, str]
    env: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)

    def declare(self, name: str, default: str | None) -> None:
        given = self.given.get(name)
        if given is not None:
            self.args[name] = given
        elif default is not None:
            self.args[name] = default
        elif name in self.globals:
            self.args[name] = self.globals[name]

    @property
    def values(self) -> dict[str, str]:
        """What ``$NAME`` means in an instruction."""
        return {**self.args, **self.env}

    def for_run(self) -> list[str]:
        """The environment of RUN; proxies that were given need no ARG."""
        proxies = {}
        for name in PREDEFINED:
            for spelling in (name, name.lower()):
                value = self.given.get(spelling)
                if value is not None:
                    proxies[spelling] = value
        return [f"{name}={value}" for name, value in {**proxies, **self.args, **self.env}.items()]

    def for_key(self) -> list[str]:
        """What RUN's cache key covers; proxies do not count."""
        return [f"{name}={value}" for name, value in self.args.items()]
