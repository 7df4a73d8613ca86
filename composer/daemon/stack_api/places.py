"""Where in the stack's files something is said: paths of the model to "file:line:column"."""

from __future__ import annotations

from composer.spec.tree import MAPPING, Node


class Places:
    """``tree``: the stack's files in long form with marks; None: they are not at hand, and nothing has a place."""

    def __init__(self, tree: Node | None) -> None:
        self._tree = tree

    def of(self, *path: str) -> str:
        """The place of the key at a path, or of the deepest that is there, at least of the service; "" when there is none."""
        node, key = self._tree, self._tree
        for step in path:
            inside = node.get(step) if node is not None else None
            if node is None or inside is None:
                break
            key, node = node.key(step), inside
        return str(key.mark) if key is not None and key is not self._tree else ""

    def has(self, *path: str) -> bool:
        """Whether the files say something at this path."""
        node = self._tree
        for step in path:
            node = node.get(step) if node is not None and node.kind == MAPPING else None
        return node is not None

    def of_cause(self, service: str, cause: str) -> list[str]:
        """The places of the attributes that a plan's cause names: "environment, image changed"."""
        if cause.endswith(" changed"):
            names = [word.strip() for word in cause.removesuffix(" changed").split(",")]
        else:
            names = [attribute for words, attribute in _CAUSES if words in cause]
        paths = [("services", service, *_PATHS.get(name, (name,))) for name in names]
        return [f"{path[-1]} ({self.of(*path)})" for path in paths if self.has(*path)]


# what a cause that is no list of attributes is about
_CAUSES = (
    ("the image ", "image"),
    ("its network ", "networks"),
    ("unhealthy", "healthcheck"),
    ("mounted at", "volumes"),
    ("changed by hand", "limits"),
    ("the service has", "scale"),
    ("it shares with", "network_mode"),
    ("on which it depends", "depends_on"),
)
_PATHS = {"limits": ("mem_limit",)}
