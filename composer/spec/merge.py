"""Merging: an override file over a file, a service over the one it extends. On the tree, so that marks survive.

Mappings merge key by key, lists append, anything else is replaced; `RULES` has the attributes that do otherwise, and `UNIQUE` the lists in
which a later item replaces an earlier one with the same key. `!reset` takes an attribute away, `!override` replaces it whole, an empty
value leaves what was there. Source: Compose Specification, chapter "Merge and override".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from composer.spec.mounts import parse_mount
from composer.spec.problems import Problems
from composer.spec.scalars import text_of
from composer.spec.short import build, depends_on, listed, pairs
from composer.spec.tree import MAPPING, SCALAR, SEQUENCE, Node, plain
from composer.spec.trie import Trie, rewrite

Rule = Callable[[Node, Node, "Trie[Rule] | None", Problems], Node]
_NAMES = ("a value", "a mapping", "a list")


def merge(base: Node, over: Node, problems: Problems, rules: Trie[Rule] | None = None) -> Node:
    """`over` merged into `base`; both in the form that files have, short or long. `rules`: those below this place (default: the root's)."""
    return _merge(base, over, RULES if rules is None else rules, problems)


def merge_services(base: Node, over: Node, problems: Problems) -> Node:
    """A service over the one that it extends."""
    return _merge(base, over, RULES.below["services"].each, problems)


def untagged(node: Node) -> Node:
    """The tree without what `!reset` takes away, for a file that is merged over nothing."""
    if not node.live or node.kind == SCALAR:
        return node
    if node.kind == SEQUENCE:
        return node.sequence([untagged(item) for item in node.value if item.tag != "!reset"])
    return node.mapping({key: untagged(value) for key, value in node.value.items() if value.tag != "!reset"})


def _merge(base: Node, over: Node, rules: Trie[Rule] | None, problems: Problems) -> Node:
    if over.tag == "!override":
        return untagged(over)
    if rules is not None and rules.here is not None:
        return rules.here(base, over, rules, problems)
    return _plainly(base, over, rules, problems)


def _plainly(base: Node, over: Node, rules: Trie[Rule] | None, problems: Problems) -> Node:
    if over.kind == SCALAR and over.value is None:
        return base
    if base.kind == SCALAR:
        return untagged(over)
    if base.kind != over.kind:
        wanted = f"{_NAMES[base.kind]}, as in {base.mark}"
        problems.error("spec.merge", f"cannot override {_NAMES[base.kind]} with {_NAMES[over.kind]}", over, f"it must be {wanted}")
        return base
    return _mappings(base, over, rules, problems) if base.kind == MAPPING else base.sequence([*base.value, *untagged(over).value])


def _mappings(base: Node, over: Node, rules: Trie[Rule] | None, problems: Problems) -> Node:
    items: dict[str, Node] = dict(base.value)
    keys: dict[str, Node] = dict(base.keys or {})
    for key, value in over.value.items():
        old = items.get(key)
        if value.tag == "!reset":
            items.pop(key, None)
        elif old is None:
            items[key] = untagged(value)
            keys[key] = over.key(key)
        else:
            items[key] = _merge(old, value, rules.next(key) if rules else None, problems)
            if not (value.kind == SCALAR and value.value is None):
                keys[key] = over.key(key)
    return base.mapping(items, keys)


def _replace(base: Node, over: Node, rules: Trie[Rule] | None, problems: Problems) -> Node:
    return over


def _after(form: Callable[[Node], Node]) -> Rule:
    """Both sides are brought to one form first."""

    def rule(base: Node, over: Node, rules: Trie[Rule] | None, problems: Problems) -> Node:
        if over.kind == SCALAR and over.value is None:
            return base
        return _plainly(form(base), form(over), rules, problems)

    return rule


def _set(base: Node, over: Node, rules: Trie[Rule] | None, problems: Problems) -> Node:
    """`KEY=value` lists and mappings: a key without a value replaces, too."""
    if over.kind == SCALAR or base.kind == SCALAR:
        return _plainly(base, over, rules, problems)
    first, second = (node if node.kind == MAPPING else pairs(node, None) for node in (base, over))
    items, keys = dict(first.value), dict(first.keys or {})
    for key, value in second.value.items():
        if value.tag == "!reset":
            items.pop(key, None)
        else:
            items[key], keys[key] = value, second.key(key)
    return base.mapping(items, keys)


def _named(node: Node) -> Node:
    if node.kind != SEQUENCE:
        return node
    return node.mapping({text_of(item.value): item.scalar(None) for item in node.value}, {text_of(item.value): item for item in node.value})


def _listed(node: Node) -> Node:
    return listed(node, Problems()) or node.sequence([])


def _depends(node: Node) -> Node:
    return depends_on(node, Problems())


def _build(node: Node) -> Node:
    return build(node, Problems())


def _hosts(base: Node, over: Node, rules: Trie[Rule] | None, problems: Problems) -> Node:
    """Addresses add up, whatever form they are written in."""
    if over.kind == SCALAR or base.kind == SCALAR:
        return _plainly(base, over, rules, problems)
    items: list[Node] = []
    for node in (base, over):
        if node.kind == SEQUENCE:
            items += node.value
            continue
        for name, value in node.value.items():
            for one in value.value if value.kind == SEQUENCE else [value]:
                items.append(one.scalar(f"{name}={text_of(one.value)}"))
    seen: dict[str, Node] = {text_of(item.value): item for item in items}
    return base.sequence(list(seen.values()))


def _logging(base: Node, over: Node, rules: Trie[Rule] | None, problems: Problems) -> Node:
    """Options of one driver mean nothing to another."""
    old, new = base.get("driver"), over.get("driver")
    if old is not None and new is not None and old.value != new.value:
        return over
    return _plainly(base, over, rules, problems)


def _ulimit(base: Node, over: Node, rules: Trie[Rule] | None, problems: Problems) -> Node:
    return _plainly(base, over, rules, problems) if base.kind == MAPPING and over.kind == MAPPING else over


def _pools(base: Node, over: Node, rules: Trie[Rule] | None, problems: Problems) -> Node:
    """The later file's pools count; what an earlier pool of the same subnet says is taken over, in the order that docker compose has."""
    if base.kind != SEQUENCE or over.kind != SEQUENCE:
        return _plainly(base, over, None, problems)
    pools: list[Node] = []
    for earlier in base.value:
        for pool in over.value:
            known = next((at for at, one in enumerate(pools) if _subnet(one) == _subnet(pool)), -1)
            if _subnet(pool) != _subnet(earlier) and known < 0:
                pools.append(pool)
                continue
            earlier = _plainly(earlier, pool, None, problems)
            known = next((at for at, one in enumerate(pools) if _subnet(one) == _subnet(earlier)), -1)
            if known < 0:
                pools.append(earlier)
            else:
                pools[known] = earlier
    return base.sequence(pools)


def _subnet(pool: Node) -> Any:
    subnet = pool.get("subnet")
    return plain(subnet) if subnet is not None else None


RULES: Trie[Rule] = Trie(
    {
        "networks.*.ipam.config": _pools,
        "services.*.build": _after(_build),
        "services.*.command": _replace,
        "services.*.depends_on": _after(_depends),
        "services.*.dns": _after(_listed),
        "services.*.dns_search": _after(_listed),
        "services.*.entrypoint": _replace,
        "services.*.env_file": _after(_listed),
        "services.*.extra_hosts": _hosts,
        "services.*.build.extra_hosts": _hosts,
        "services.*.healthcheck.test": _replace,
        "services.*.label_file": _after(_listed),
        "services.*.logging": _logging,
        "services.*.models": _after(_named),
        "services.*.networks": _after(_named),
        "services.*.tmpfs": _after(_listed),
        "services.*.ulimits.*": _ulimit,
        **dict.fromkeys(
            (
                "networks.*.labels",
                "volumes.*.labels",
                "services.*.annotations",
                "services.*.build.additional_contexts",
                "services.*.build.args",
                "services.*.build.labels",
                "services.*.deploy.labels",
                "services.*.environment",
                "services.*.labels",
                "services.*.sysctls",
                "services.*.volumes.*.volume.labels",
            ),
            _set,
        ),
    }
)

Index = Callable[[Node], "str | None"]  # what makes an item of a list the same as another; None: it stays


def _value(item: Node) -> str | None:
    return text_of(item.value) if item.kind == SCALAR else None


def _variable(item: Node) -> str | None:
    return text_of(item.value).partition("=")[0] if item.kind == SCALAR else None


def _target(item: Node) -> str | None:
    if item.kind == SCALAR:
        try:
            return str(parse_mount(text_of(item.value))["target"])
        except ValueError:
            return None
    target = item.get("target")
    return text_of(target.value) if target is not None and target.kind == SCALAR else None


def _device(item: Node) -> str | None:
    if item.kind == SCALAR:
        parts = text_of(item.value).split(":")
        return parts[1] if len(parts) > 1 else parts[0]
    return _target(item)


def _path(item: Node) -> str | None:
    path = item if item.kind == SCALAR else item.get("path")
    if path is None or path.kind != SCALAR:
        return None
    return path.source.base.resolve(text_of(path.value))  # files of one name beside two stack files are two


def _grant(folder: str) -> Index:
    def index(item: Node) -> str | None:
        if item.kind == SCALAR:
            return f"{folder}/{text_of(item.value)}"
        target, source = item.get("target"), item.get("source")
        if target is not None:
            return _value(target)
        return f"{folder}/{text_of(source.value)}" if source is not None and source.kind == SCALAR else None

    return index


def _port(item: Node) -> str | None:
    if item.kind == SCALAR:
        return text_of(item.value)
    part = {key: text_of(value.value) for key, value in item.items() if value.kind == SCALAR}
    return f"{part.get('host_ip') or '0.0.0.0'}:{part.get('published', '')}:{part.get('target')}/{part.get('protocol', 'tcp')}"


_SERVICE_UNIQUE: dict[str, Index] = {
    **dict.fromkeys(
        (
            "annotations",
            "build.additional_contexts",
            "build.args",
            "build.labels",
            "build.tags",
            "cap_add",
            "cap_drop",
            "deploy.labels",
            "dns",
            "dns_opt",
            "dns_search",
            "environment",
            "labels",
            "links",
            "networks.*.aliases",
            "networks.*.link_local_ips",
            "profiles",
            "sysctls",
            "tmpfs",
        ),
        _variable,  # also where nothing is KEY=value: so docker compose has it
    ),
    "configs": _grant(""),
    "devices": _device,
    "env_file": _path,
    "expose": _value,
    "ports": _port,
    "secrets": _grant("/run/secrets"),
    "volumes": _target,
}
UNIQUE: Trie[Index] = Trie(
    {
        **{f"services.*.{key}": index for key, index in _SERVICE_UNIQUE.items()},
        "networks.*.ipam.options": _variable,
        "networks.*.labels": _variable,
    }
)


def unique(tree: Node) -> Node:
    """The tree with each list free of items that a later one replaces."""
    return rewrite(tree, UNIQUE, _distinct)


def _distinct(node: Node, index: Index) -> Node:
    if node.kind != SEQUENCE or len(node.value) < 2:
        return node
    found: dict[object, Node] = {}
    for item in node.value:
        key = index(item)
        found[key if key is not None else id(item)] = item
    return node if len(found) == len(node.value) else node.sequence(list(found.values()))
