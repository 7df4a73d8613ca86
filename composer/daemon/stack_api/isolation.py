"""Checkouts of the same stack side by side: which checkout has an isolated stack, its name, and the host ports that it got.

A call asks for one by ``project.isolated`` ({"name": "feature-x", "make": true}). It then holds for the checkout: a later call from the
same directory for the same stack means the isolated one, until that is taken down.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from composer.daemon.stack_api.call import Call
from composer.daemon.stack_api.loader import Loaded, Loader
from composer.engine.errors import InvalidArgument, Unavailable
from composer.engine.interface import Engine
from composer.engine.local.state import State, Table
from composer.errors import ComposerError
from composer.reconcile import labels
from composer.reconcile.model import Progress
from composer.spec.isolate import published
from composer.spec.model import Stack
from composer.spec.project import normalise

_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


@dataclass(frozen=True)
class Isolated:
    """``name``: the isolated stack's; ``base``: the one that it would have in ``directory``; ``ports``: key of the file's port -> ours.
    ``current``: calls from the directory mean this one."""

    name: str
    directory: str
    base: str
    ports: Mapping[str, int] = field(default_factory=dict)
    current: bool = True


class Isolation:
    """The rows of all isolated stacks, by name."""

    def __init__(self, state: State, engine: Engine) -> None:
        self._rows: Table[Isolated] = Table(state, "isolated", encode=asdict, decode=lambda doc: Isolated(**doc))
        self._engine = engine

    async def apply(self, call: Call, loaded: Loaded, loader: Loader) -> Loaded:
        """What the call means: the isolated stack of its checkout when there is one, or when it asks for one; else what was loaded."""
        wish = call.project.get("isolated")
        named = call.project.get("name") or (call.project.get("environment") or {}).get("COMPOSE_PROJECT_NAME")
        stack = loaded.stack
        if wish is None:
            row = None if named else self._current(stack.directory, stack.name)
        elif not isinstance(wish, dict) or not (name := _fit(str(wish.get("name")))):
            raise InvalidArgument("the name of an isolated stack needs letters or digits")
        else:
            row = await self._wished(call, stack, f"{stack.name}-{name}", bool(wish.get("make")))
        if row is None:
            return loaded
        kept = {key: value for key, value in call.project.items() if key != "isolated"}
        return await loader.load({**kept, "name": row.name, "isolation": {"base": row.base, "ports": dict(row.ports)}})

    async def forget(self, name: str) -> None:
        """The stack is down."""
        if name in self._rows:
            await self._rows.delete(name)

    def _current(self, directory: str, base: str) -> Isolated | None:
        rows = (row for row in self._rows if row.directory == directory and row.base == base and row.current)
        return next(rows, None)

    async def _wished(self, call: Call, stack: Stack, name: str, make: bool) -> Isolated:
        known = self._rows.get(name)
        if known is None and not make:
            raise ComposerError(f"there is no isolated stack {name} of this checkout", hint="composer up --isolated makes one")
        if known is not None and known.directory != stack.directory:
            hint = "give this one another name: --isolated=NAME"
            raise ComposerError(f"the isolated stack {name} belongs to {known.directory}", hint=hint)
        before = self._current(stack.directory, stack.name)
        ports = await self._ports(stack, name, known.ports if known else {}) if make or known is None else known.ports
        row = Isolated(name, stack.directory, stack.name, ports)
        if make and not call.options.flag("dry_run"):
            if before is not None and before.name != name:
                call.warn(f"the isolated stack {before.name} of this checkout stays as it is; to remove it: composer -p {before.name} down")
                await self._rows.put(before.name, replace(before, current=False))
            if row != known:
                await self._rows.put(name, row)
            _tell(call, row)
        return row

    async def _ports(self, stack: Stack, name: str, before: Mapping[str, int]) -> dict[str, int]:
        """A free one for each port that the file fixes; those it has stay while the stack runs, or while nobody else has them."""
        runs = bool(await self._engine.containers.list(filters={"label": [f"{labels.PROJECT}={name}"]}))
        taken = {port for row in self._rows if row.name != name for port in row.ports.values()}
        found: dict[str, int] = {}
        for key, (host, protocol) in published(stack).items():
            port = before.get(key, 0)
            if not port or not (runs or _free(host, protocol, port)):
                port = _any_free(host, protocol, taken | set(found.values()))
            found[key] = port
        return found


def _fit(name: str) -> str:
    """feature/Login -> feature-login."""
    return normalise(re.sub(r"[^A-Za-z0-9_-]+", "-", name)).strip("-_")


def _tell(call: Call, row: Isolated) -> None:
    """Which ports the isolated stack has, once a call."""
    if call.told_isolated:
        return
    call.told_isolated = True
    for key, port in sorted(row.ports.items()):
        service, _, said = key.partition(" ")
        host, _, inner = said.rpartition(":")
        call.progress(Progress(f"Port {service} {inner}", f"{port} instead of {host.rpartition(':')[2]}", done=True))


def _bind(host: str, protocol: str, port: int) -> int:
    """The port that could be bound (0: any). OSError."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, _KINDS.get(protocol, socket.SOCK_STREAM)) as sock:
        sock.bind((host or "0.0.0.0", port))
        return int(sock.getsockname()[1])


def _free(host: str, protocol: str, port: int) -> bool:
    try:
        _bind(host, protocol, port)
    except OSError:
        return False
    return True


def _any_free(host: str, protocol: str, taken: set[int]) -> int:
    for _ in range(64):
        try:
            port = _bind(host, protocol, 0)
        except OSError as error:
            raise Unavailable(f"no free port on {host or '0.0.0.0'} for the isolated stack: {error.strerror}") from error
        if port not in taken:
            return port
    raise Unavailable(f"no free port on {host or '0.0.0.0'} for the isolated stack")
