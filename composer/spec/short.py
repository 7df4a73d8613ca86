"""Short syntax to long syntax: a table of path patterns and the function for each.

After `lengthen` every attribute has its one long form: mappings instead of `KEY=value` lists, lists instead of single strings, objects
instead of `a:b:c` strings, text where numbers and booleans were allowed. What cannot be read is reported at its place and left out.
To add a short form: write its function, add a line to `FORMS`. Source: the Compose Specification.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any

from composer.spec.mounts import parse_mount
from composer.spec.ports import check_address, check_published, parse_ports
from composer.spec.problems import Problems
from composer.spec.scalars import text_of
from composer.spec.tree import MAPPING, SCALAR, SEQUENCE, Node
from composer.spec.trie import Trie, rewrite
from composer.spec.words import split

_TARGET = "add 'target', the path in the container"
_LAST_PORT = 65535
_PORT = "a port is [[address:]published:]target[/protocol], such as 8080:80"

Form = Callable[[Node, Problems], "Node | None"]


def lengthen(tree: Node, problems: Problems) -> Node:
    """The tree in long form."""
    return rewrite(tree, FORMS, lambda node, form: form(node, problems))


def made(at: Node, value: Any) -> Node:
    """Plain values as Nodes at the place of `at`."""
    if isinstance(value, dict):
        return at.mapping({key: made(at, item) for key, item in value.items()}, {})
    if isinstance(value, list):
        return at.sequence([made(at, item) for item in value])
    return at.scalar(value)


def pairs(node: Node, empty: Any) -> Node:
    """`KEY=value` list, or mapping, to a mapping of text; `empty` is the value of a key without one."""
    items: dict[str, Node] = {}
    if node.kind == MAPPING:
        for key, value in node.value.items():
            if isinstance(value.value, str) or value.kind != SCALAR:
                items[key] = value  # a collection is none of this function's business: the model refuses it
            else:
                items[key] = value.scalar(empty if value.value is None else text_of(value.value))
        return node.mapping(items)
    keys: dict[str, Node] = {}
    for item in node.value:
        key, equals, value = text_of(item.value).partition("=")
        items[key] = item.scalar(value if equals else empty)
        keys[key] = item
    return node.mapping(items, keys)


def _options(node: Node, problems: Problems) -> Node | None:
    return None if node.value is None else pairs(node, "")


def _contexts(node: Node, problems: Problems) -> Node:
    """Named build contexts; each must say where it is."""
    done = pairs(node, "")
    for key, value in done.value.items():
        if value.value == "":
            problems.error("spec.context", f"the additional context '{key}' says not where it is", done.key(key), "write name=path")
    return done


def _environment(node: Node, problems: Problems) -> Node | None:
    return None if node.value is None else pairs(node, None)


def listed(node: Node, problems: Problems) -> Node | None:
    """A single string, or a list, to a list."""
    if node.kind == SCALAR:
        return None if node.value is None else node.sequence([node])
    return node


def _servers(node: Node, problems: Problems) -> Node | None:
    done = listed(node, problems)
    return done.sequence([item for item in done.value if item.value != ""]) if done is not None else None


def _texts(node: Node, problems: Problems) -> Node:
    for item in node.value:
        if isinstance(item.value, float):
            problems.error("spec.type", f"{item.raw or item.value} must be a string or a whole number", item, f'quote it: "{item.raw}"')
    return node.sequence([item.scalar(text_of(item.value)) for item in node.value])


def _text(node: Node, problems: Problems) -> Node:
    return node if isinstance(node.value, str) else node.scalar(text_of(node.value))


def _drop_null(node: Node, problems: Problems) -> Node | None:
    return None if node.value is None else node


def _empty_for_null(node: Node, problems: Problems) -> Node:
    return node.mapping({}, {}) if node.value is None else node


def _command(node: Node, problems: Problems) -> Node | None:
    if node.kind == SEQUENCE or node.value is None:
        return node if node.kind == SEQUENCE else None
    try:
        done = split(text_of(node.value))
    except ValueError as error:
        problems.error("spec.command", str(error), node, "or write the command as a list")
        return None
    if done.rest:
        message = f"everything from '{done.rest[:20]}' on is ignored: no shell runs this command"
        problems.warn("spec.command-cut", message, node, 'for a shell write ["sh", "-c", "..."]')
    return node.sequence([node.scalar(word) for word in done.words])


def _test(node: Node, problems: Problems) -> Node:
    if node.kind == SEQUENCE:
        return node
    return node.sequence([node.scalar("CMD-SHELL"), node])


def _named(node: Node, problems: Problems) -> Node:
    """A list of names to a mapping of them; a name without anything is marked so (the model's `declared`)."""
    bare = {"declared": False}
    if node.kind == SEQUENCE:
        return node.mapping({item.value: made(item, bare) for item in node.value}, {item.value: item for item in node.value})
    return node.mapping({key: made(node.key(key), bare) if value.value is None else value for key, value in node.value.items()})


def depends_on(node: Node, problems: Problems) -> Node:
    """A list of services to a mapping with the default condition."""
    if node.kind == MAPPING:
        return node
    items = {item.value: made(item, {"condition": "service_started", "required": True}) for item in node.value}
    return node.mapping(items, {item.value: item for item in node.value})


def build(node: Node, problems: Problems) -> Node:
    """A build context alone to a build."""
    return node.mapping({"context": node}, {}) if node.kind == SCALAR else node


def _build(node: Node, problems: Problems) -> Node:
    node = build(node, problems)
    return node if "context" in node.value else node.with_item("context", node.scalar("."))


def _grant(node: Node, problems: Problems) -> Node:
    return node.mapping({"source": node}, {}) if node.kind == SCALAR else node


def _file(node: Node, problems: Problems) -> Node:
    return node.mapping({"path": node}, {}) if node.kind == SCALAR else node


def hosts(node: Node, problems: Problems) -> Node:
    """`name: address`, `name: [addresses]`, `name=address`, `name:address` to a sorted list of `name=address`."""
    found: list[tuple[str, Node]] = []
    if node.kind == MAPPING:
        for name, value in node.value.items():
            found += [(f"{name}={_bare(text_of(item.value))}", item) for item in (value.value if value.kind == SEQUENCE else [value])]
    for item in node:
        text = text_of(item.value)
        separator = "=" if "=" in text else ":"
        name, found_separator, address = text.partition(separator)
        if not found_separator:
            problems.error("spec.extra-host", f"invalid additional host, missing IP: {text}", item, "write it as name:address")
            continue
        found.append((f"{name.strip()}={_bare(address.strip())}", item))
    return node.sequence([item.scalar(text) for text, item in sorted(found, key=lambda pair: pair[0])])


def _bare(address: str) -> str:
    return address[1:-1] if address.startswith("[") and address.endswith("]") else address


def _ssh(node: Node, problems: Problems) -> Node:
    if node.kind == SEQUENCE:
        for item in node.value:
            if item.value != "default" and "=" not in text_of(item.value):
                problems.error("spec.ssh", f'invalid ssh key "{text_of(item.value)}"', item, "default, or id=path")
        return node
    items = [node.key(key).scalar(key if value.value is None else f"{key}={text_of(value.value)}") for key, value in node.value.items()]
    return node.sequence(items)


def _gpus(node: Node, problems: Problems) -> Node:
    return node.sequence([made(node, {"count": "all"})]) if node.kind == SCALAR else node


def _request(node: Node, problems: Problems) -> Node:
    """A device request without a count or ids is for all devices."""
    if node.kind != MAPPING or "count" in node.value or "device_ids" in node.value:
        return node
    return node.with_item("count", node.scalar("all"))


def _device(node: Node, problems: Problems) -> Node | None:
    if node.kind == MAPPING:
        if "target" not in node.value:
            problems.error("spec.missing", "this device is missing a mount target", node.key("source"), _TARGET)
            return None
        return node
    parts = text_of(node.value).split(":")
    if len(parts) > 3 or not parts[0]:
        problems.error("spec.device", f"confusing device mapping '{text_of(node.value)}'", node, "it is source:target:permissions")
        return None
    target = parts[1] if len(parts) > 1 and parts[1] else parts[0]
    return made(node, {"source": parts[0], "target": target, "permissions": parts[2] if len(parts) > 2 else "rwm"})


def _port(node: Node, problems: Problems) -> list[Node]:
    try:
        if node.kind == MAPPING:
            return [_long_port(node, problems)]
        if isinstance(node.value, float):
            raise ValueError(f"{node.raw} is no port: quote it")
        forms = parse_ports(text_of(node.value))
    except ValueError as error:
        problems.error("spec.port", str(error), node, _PORT)
        return []
    done = []
    for form in forms:
        value: dict[str, Any] = {"mode": "ingress", "target": form.target, "protocol": form.protocol}
        value |= {"host_ip": form.host_ip} if form.host_ip else {}
        value |= {"published": form.published} if form.published else {}
        done.append(made(node, value))
    return done


def _long_port(node: Node, problems: Problems) -> Node:
    items = dict(node.value)
    published, host, target = node.get("published"), node.get("host_ip"), node.get("target")
    number = text_of(target.value) if target is not None else ""
    if number == "":
        raise ValueError("this port is missing a target port: add 'target', the port in the container")
    if number.isascii() and number.isdigit() and not 0 < int(number[:9]) <= _LAST_PORT:
        problems.late("spec.port", f"invalid target: {number} is no port: ports are 1 to {_LAST_PORT}", target, _PORT)
    if published is not None:
        items["published"] = published.scalar(text_of(published.value))
        _check_published(items["published"], problems)
    if host is not None and host.value is not None:
        check_address(text_of(host.value))
    items.setdefault("mode", node.scalar("ingress"))
    items.setdefault("protocol", node.scalar("tcp"))
    return node.mapping(items)


def _check_published(node: Node, problems: Problems) -> None:
    try:
        if node.value:
            check_published(node.value)
    except ValueError as error:
        problems.late("spec.port", str(error), node, _PORT)


def _ports(node: Node, problems: Problems) -> Node:
    return node.sequence([port for item in node.value for port in _port(item, problems)])


def _mount(node: Node, problems: Problems) -> Node | None:
    if node.kind == MAPPING:
        target = node.get("target")
        if target is None or target.text() is None:
            problems.error("spec.missing", "this volume is missing a mount target", target or node, _TARGET)
            return None
        if not target.value:
            problems.late("spec.missing", "this volume's mount target is empty", target, _TARGET)
            return node
        return node.with_item("target", target.scalar(clean(target.value)))
    try:
        mount = parse_mount(text_of(node.value))
        if mount["target"][1:3] == ":/":
            message = f"'{mount['target']}' is taken as a Windows path, for an anonymous volume"
            problems.warn("spec.drive", message, node, "a volume's name should have two letters or more")
        return made(node, {**mount, "target": clean(mount["target"])})
    except ValueError as error:
        problems.error("spec.volume", str(error), node, "a volume is [source:]target[:options], such as data:/data or ./src:/src:ro")
        return None


def clean(target: str) -> str:
    """A path in a container without `.`, `..` and a slash at the end."""
    done = posixpath.normpath(target)
    return done[1:] if done.startswith("//") else done


def _ulimit(node: Node, problems: Problems) -> Node:
    if node.kind == MAPPING:
        return node
    return node.mapping({"soft": node, "hard": node, "single": node.scalar(True)}, {})


def _external(node: Node, problems: Problems) -> Node:
    """A top-level resource: nothing is an empty mapping; the old `external: {name: x}` is a name."""
    node = _empty_for_null(node, problems)
    external = node.get("external")
    if external is None or external.kind != MAPPING:
        return node
    name = external.get("name")
    if name is not None:
        message = "`external.name` is deprecated"
        problems.warn("spec.deprecated", message, external.key("name"), "write 'external: true', and 'name' beside it")
    if name is not None and "name" in node.value:
        problems.error("spec.external-name", "a name stands in 'external' and in 'name'", name, "'external: true' with 'name' is enough")
    done = node.with_item("external", external.scalar(True))
    return done.with_item("name", name) if name is not None else done


def _provider_option(node: Node, problems: Problems) -> Node:
    items = node.value if node.kind == SEQUENCE else [node]
    return node.sequence([item.scalar(text_of(item.value)) for item in items])


def _hook(path: str) -> dict[str, Form]:
    return {f"{path}.command": _command, f"{path}.environment": _environment}


def _resource(path: str) -> dict[str, Form]:
    return {path: _external, f"{path}.labels": _options, f"{path}.driver_opts": _options}


FORMS: Trie[Form] = Trie(
    {
        "include.*": lambda node, problems: node.mapping({"path": node}, {}) if node.kind == SCALAR else node,
        "services.*.annotations": _options,
        "services.*.build": _build,
        "services.*.build.additional_contexts": _contexts,
        "services.*.build.args": _environment,
        "services.*.build.extra_hosts": hosts,
        "services.*.build.labels": _options,
        "services.*.build.no_cache_filter": listed,
        "services.*.build.provenance": _text,
        "services.*.build.sbom": _text,
        "services.*.build.secrets.*": _grant,
        "services.*.build.ssh": _ssh,
        "services.*.build.ulimits.*": _ulimit,
        "services.*.command": _command,
        "services.*.configs.*": _grant,
        "services.*.depends_on": depends_on,
        "services.*.deploy": _drop_null,
        "services.*.deploy.labels": _options,
        "services.*.deploy.resources.reservations.devices.*": _request,
        "services.*.deploy.resources.reservations.devices.*.options": _options,
        "services.*.develop": _drop_null,
        "services.*.develop.watch.*.exec.command": _command,
        "services.*.develop.watch.*.exec.environment": _environment,
        "services.*.develop.watch.*.ignore": listed,
        "services.*.develop.watch.*.include": listed,
        "services.*.devices.*": _device,
        "services.*.dns": _servers,
        "services.*.dns_search": listed,
        "services.*.entrypoint": _command,
        "services.*.env_file": listed,
        "services.*.env_file.*": _file,
        "services.*.environment": _environment,
        "services.*.expose": _texts,
        "services.*.extra_hosts": hosts,
        "services.*.gpus": _gpus,
        "services.*.gpus.*": _request,
        "services.*.gpus.*.options": _options,
        "services.*.group_add": _texts,
        "services.*.healthcheck.test": _test,
        "services.*.label_file": listed,
        "services.*.labels": _options,
        "services.*.logging.options": _options,
        "services.*.models": _named,
        "services.*.networks": _named,
        "services.*.networks.*.driver_opts": _options,
        "services.*.pid": _drop_null,
        "services.*.ports": _ports,
        "services.*.provider.options.*": _provider_option,
        "services.*.secrets.*": _grant,
        "services.*.storage_opt": _options,
        "services.*.sysctls": _options,
        "services.*.tmpfs": listed,
        "services.*.ulimits.*": _ulimit,
        "services.*.volumes.*": _mount,
        "services.*.volumes.*.volume.labels": _options,
        **_hook("services.*.pre_start.*"),
        **_hook("services.*.post_start.*"),
        **_hook("services.*.pre_stop.*"),
        **_resource("networks.*"),
        **_resource("volumes.*"),
        **_resource("secrets.*"),
        **_resource("configs.*"),
        "networks.*.ipam.config.*.aux_addresses": _options,
        "networks.*.ipam.options": _options,
    }
)
