"""What cannot be rendered at all, service by service: all of it, where rendering a stack ends at the first. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from composer.errors import ComposerError
from composer.reconcile.precheck.finding import Finding
from composer.reconcile.precheck.scene import Scene
from composer.reconcile.render.host import host_fields
from composer.reconcile.render.process import process_fields
from composer.reconcile.render.storage import storage
from composer.spec.model import Service

_SERVICE = re.compile(r'^service "([^"]+)": ')


def refusals(scene: Scene) -> Iterator[Finding]:
    """For the chosen services."""
    for name in scene.chosen:
        service = scene.stack.services[name]
        for part in _parts(scene, service):
            try:
                part()
            except ComposerError as error:
                yield refused(error, scene, name)


def _parts(scene: Scene, service: Service) -> tuple[Callable[[], object], ...]:
    return (lambda: host_fields(service), lambda: process_fields(service, ""), lambda: storage(scene.stack, service, ""))


def refused(error: ComposerError, scene: Scene, service: str = "") -> Finding:
    """A refusal at its place: the service, and mostly the attribute, that its words name."""
    match = _SERVICE.match(error.message)
    name = match[1] if match and match[1] in scene.stack.services else service
    if not name:
        return Finding(error.code, error.message, (), error.hint or "")
    words = error.message[match.end() if match else 0 :].replace("'", " ").replace("`", " ").split()
    one = scene.stack.services[name]
    place = ("services", name, *[word for word in words if hasattr(one, word)][:1])
    return Finding(error.code, error.message, place, error.hint or "", on_key=True)
