"""Images that no registry has, and those that are not here and that nothing brings here. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from composer.engine.model.facts import ABSENT, DENIED, SLOW, UNREACHABLE
from composer.reconcile.precheck.finding import WARNING, Finding
from composer.reconcile.precheck.scene import Scene
from composer.reconcile.render import image_of
from composer.spec.problems import did_you_mean

_HINTS = {
    ABSENT: "check its name and tag, build it, or load it: composer image load -i FILE",
    DENIED: "check its name; if it is private, log in to its registry first",
    UNREACHABLE: "is the registry's address right, and does it run? or load the image: composer image load -i FILE",
}


def check_images(scene: Scene) -> Iterator[Finding]:
    """A finding for each service that names such an image."""
    coming = {item.image for item in scene.work}
    for item in scene.work:
        fact = scene.facts.images.get(item.image) if item.verb == "pull" and item.needed else None
        if fact is None:
            continue
        place = ("services", item.service.name, "image")
        if fact.kind in _HINTS:
            yield Finding(f"plan.image-{fact.kind}", fact.reason, place, _hint(scene, item.image, _HINTS[fact.kind]))
        elif fact.kind == SLOW:
            message = f"the registry of {item.image} does not say whether it has it: {fact.reason}"
            yield Finding("plan.image-slow", message, place, "the pull may fail", severity=WARNING)
    for service in scene.made:
        name = image_of(scene.stack, service)
        if name in scene.images and scene.images[name] is None and name not in coming and service.provider is None:
            hint = "build it (leave out --no-build)" if service.build is not None else "pull it, build it, or load it from a file"
            yield Finding("plan.image-missing", f"No such image: {name}", ("services", service.name, "image"), _hint(scene, name, hint))


def lacks_images(scene: Scene) -> bool:
    """Whether an image is missing, so that the names of those that are here are of interest."""
    return any(image is None for image in scene.images.values())


def _hint(scene: Scene, name: str, otherwise: str) -> str:
    similar = did_you_mean(name.removesuffix(":latest"), [tag.removesuffix(":latest") for tag in scene.engaged.tags])
    return f"{similar} or {otherwise}" if similar else otherwise
