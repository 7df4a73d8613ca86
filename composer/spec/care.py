"""How a service is looked after once it runs: the extension `x-heal`, or the labels `composer.heal...` of the service. Pure.

    x-heal: report                      # the short form of {drift: report}
    x-heal: {drift: heal, unhealthy: restart, restarts: 5, window: 10m}

``drift``: what happens when its containers are not as the file says: heal (default), report, ignore. ``unhealthy``: what happens to a
container whose health check fails: restart (the default of a service with a restart policy), report (the default of one without), ignore.
``restarts`` in ``window``: the budget of such restarts, for each container. Labels: `composer.heal` (drift), `composer.heal.unhealthy`,
`composer.heal.restarts`, `composer.heal.window`; the extension wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from composer.spec import fields
from composer.spec.fields import Mistake, one_of, whole

EXTENSION, LABEL = "x-heal", "composer.heal"
_READERS: Mapping[str, fields.Reader] = {
    "drift": one_of("heal", "report", "ignore"),
    "unhealthy": one_of("restart", "report", "ignore"),
    "restarts": whole(0, 1000),
    "window": fields.seconds,
}


@dataclass(frozen=True, slots=True)
class Care:
    """``window``: seconds. ``unhealthy`` "" : restart where there is a restart policy, else report."""

    drift: str = "heal"
    unhealthy: str = ""
    restarts: int = 5
    window: float = 600.0


class Cared(Protocol):
    """A service, as far as it matters here."""

    @property
    def labels(self) -> dict[str, str]: ...
    @property
    def extensions(self) -> dict[str, Any]: ...


def read_extension(value: Any) -> tuple[dict[str, Any], list[Mistake]]:
    """What `x-heal` says, and what is wrong with it."""
    return fields.read({"drift": value} if isinstance(value, str) else value, _READERS)


def read_labels(labels: Mapping[str, str]) -> tuple[dict[str, Any], list[Mistake]]:
    """What the labels say; a mistake's key is the label's name."""
    said = {_key(name): value for name, value in labels.items() if name == LABEL or name.startswith(f"{LABEL}.")}
    found, mistakes = fields.read(said, _READERS)
    return found, [Mistake(LABEL if one.key == "drift" else f"{LABEL}.{one.key}", one.message, one.hint) for one in mistakes]


def _key(name: str) -> str:
    return "drift" if name == LABEL else name.removeprefix(f"{LABEL}.")


def care_of(service: Cared) -> Care:
    """How this service is looked after. What is wrong was said when the stack was loaded."""
    said, _ = read_labels(service.labels)
    if EXTENSION in service.extensions:
        said |= read_extension(service.extensions[EXTENSION])[0]
    return Care(**said)
