"""What a load remembers when it is to be explained (`config --explain`): what was merged over what, and which variables an include sees.

Nodes carry the place of the value that won; a `Trace` has the ones that lost. A load that nobody asks about has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from composer.spec.tree import Node


@dataclass(frozen=True, slots=True)
class Extended:
    """`merged` is the service `own` over `base`, which `target` (the value of `extends`, or of its `service`) asked for."""

    merged: Node
    base: Node
    own: Node
    target: Node


@dataclass(frozen=True, slots=True)
class Included:
    """The variables of an included file: `lookup` is those of the files `paths` beneath `outer`. `entry`: what asked for the include."""

    lookup: Mapping[str, str]
    outer: Mapping[str, str]
    paths: tuple[str, ...]
    entry: Node


class Trace:
    """`documents`: in the order of merging, services as `extends` made them. `extended`: by the id of what came out."""

    def __init__(self) -> None:
        self.documents: list[Node] = []
        self.extended: dict[int, Extended] = {}
        self.included: list[Included] = []
