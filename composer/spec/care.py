"""How a service is looked after once it runs: the extension `x-heal`, or the labels `composer.heal...` of the service.

    x-heal: report                      # the short form of {drift: report}
    x-heal: {drift: heal, unhealthy: restart, restarts: 5, window: 10m}

``drift``: what happens when its containers are not as the file says: heal (default), report, ignore. ``unhealthy``: what happens to a
container whose health check fails: restart (the default of a service with a restart policy), report (the default of one without), ignore.
``restarts`` in ``window``: the budget of such restarts, for each container. Labels: `composer.heal` (drift), `composer.heal.unhealthy`,
`composer.heal.restarts`, `composer.heal.window`; the extension wins. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from composer.spec.model import Service, Spec
from composer.spec.model.values import Duration, between

EXTENSION, LABEL = "x-heal", "composer.heal"
RESTARTS, WINDOW = 5, 600 * 10**9
Drift = Literal["heal", "report", "ignore"]


if TYPE_CHECKING:
    Restarts = int
else:
    Restarts = between(0, 1000)


class Care(Spec):
    """``window``: nanoseconds. ``unhealthy`` "" : restart where there is a restart policy, else report."""

    drift: Drift = "heal"
    unhealthy: Literal["", "restart", "report", "ignore"] = ""
    restarts: Restarts = RESTARTS
    window: Duration = WINDOW

    @property
    def seconds(self) -> float:
        """The budget's window."""
        return self.window / 10**9


def long_form(value: Any) -> Any:
    """`x-heal: report` as {drift: report}."""
    return {"drift": value} if isinstance(value, str) else value


def from_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """What the labels say, by the extension's names."""
    found = {"drift": labels[LABEL]} if LABEL in labels else {}
    return found | {key.removeprefix(f"{LABEL}."): value for key, value in labels.items() if key.startswith(f"{LABEL}.")}


def care_of(service: Service) -> Care:
    """How this service is looked after. The extension and the labels were checked when the stack was loaded."""
    return Care.model_validate(from_labels(service.labels) | (long_form(service.extensions.get(EXTENSION)) or {}))
