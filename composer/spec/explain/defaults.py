"""What Compose, the image or the engine do where no file says anything, in words.

Source: Compose Specification; the engine's defaults are Docker's.
"""

from __future__ import annotations

from composer.spec.explain.route import Path
from composer.spec.schema import Rule, by_pattern, root
from composer.spec.trie import Trie

IMPLIED: Trie[str] = Trie(
    {
        "name": "made of the directory's name",
        "services.*.build.context": "the directory of the file",
        "services.*.build.dockerfile": "the file of that name in the context",
        "services.*.depends_on.*": "implied by links, volumes_from, or a namespace that is shared",
        "services.*.networks.default": "a service that names no network is on the default one",
        "services.*.secrets.*.target": "a secret appears under its name in /run/secrets",
        "networks.default": "the network of services that name none",
        **{f"{section}.*.name": "the stack's name and the key" for section in ("networks", "volumes", "secrets", "configs")},
    }
)

UNSET: Trie[str] = Trie(
    {
        "networks.*.driver": "bridge",
        "networks.*.internal": "false",
        "services.*.attach": "true",
        "services.*.command": "the image's",
        "services.*.container_name": "STACK-SERVICE-NUMBER",
        "services.*.deploy.replicas": "1",
        "services.*.entrypoint": "the image's",
        "services.*.healthcheck": "the image's",
        "services.*.healthcheck.interval": "30s",
        "services.*.healthcheck.retries": "3",
        "services.*.healthcheck.start_interval": "5s",
        "services.*.healthcheck.start_period": "0s",
        "services.*.healthcheck.timeout": "30s",
        "services.*.hostname": "the first 12 characters of the container's id",
        "services.*.init": "false",
        "services.*.ipc": "private",
        "services.*.logging": "the driver json-file",
        "services.*.platform": "the machine's",
        "services.*.privileged": "false",
        "services.*.pull_policy": "missing",
        "services.*.read_only": "false",
        "services.*.restart": '"no"',
        "services.*.scale": "1",
        "services.*.shm_size": "64 MiB",
        "services.*.stop_grace_period": "10s",
        "services.*.stop_signal": "the image's, else SIGTERM",
        "services.*.user": "the image's",
        "services.*.working_dir": "the image's",
        "volumes.*.driver": "local",
    }
)


def words(table: Trie[str], path: Path) -> str:
    """What a table says of a path, or of the nearest thing above it; "" for nothing."""
    here: Trie[str] | None = table
    said = ""
    for step in path:
        here = here.next(str(step)) if here is not None else None
        said = (here.here or said) if here is not None else said
    return said


def exactly(table: Trie[str], path: Path) -> str:
    """What a table says of this path alone."""
    here: Trie[str] | None = table
    for step in path:
        here = here.next(str(step)) if here is not None else None
    return (here.here or "") if here is not None else ""


def known_names(path: Path) -> list[str] | None:
    """The keys that the Compose Specification has at a path; [] where any name or none goes; None where nothing can be."""
    rules = [root()]
    for step in path:
        rules = [inner for rule in rules for one in _alternatives(rule) for inner in _inside(one, step)]
        if not rules:
            return None
    return [name for rule in rules for one in _alternatives(rule) for name in one.properties]


def _alternatives(rule: Rule) -> list[Rule]:
    return list({id(one): one for one in rule.alternatives.values()}.values()) if rule.alternatives is not None else [rule]


def _inside(rule: Rule, step: str | int) -> list[Rule]:
    if isinstance(step, int):
        return [rule.items] if rule.items is not None else []
    if step in rule.properties:
        return [rule.properties[step]]
    inner = by_pattern(rule, step)
    return [inner] if inner is not None else []
