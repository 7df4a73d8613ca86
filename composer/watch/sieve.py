"""Which paths a rule means: its own patterns, the build's ignore file, and what editors leave lying about. Pure.

Patterns are those of .dockerignore (Dockerfile reference), seen from the rule's path; the ignore file's are seen from the build context.
Left out always, as docker compose does: .git, and the temporary files of JetBrains' editors, Vim, Emacs, Kate and Eclipse.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

from composer.engine.ignore import Ignore

EPHEMERAL = Ignore(
    (
        *("**/.git", "**/.idea", "**/*___jb_old___", "**/*___jb_tmp___", "**/*___jb_bak___"),
        *("**/4913", "**/*~", "**/.*.sw[ponx]", "**/.*.un~", "**/.#*", "**/#*#", "**/.*.kate-swp", "**/.~lock.*#", "**/.goutputstream-*"),
    )
)


@dataclass(frozen=True)
class Sieve:
    """``path``: the rule's; ``context``: where ``dockerignore`` stands on, "" for none."""

    path: str
    ignore: Ignore
    include: Ignore
    context: str = ""
    dockerignore: Ignore = Ignore()  # noqa: RUF009 (a value: it is never changed)

    def passes(self, inner: str) -> bool:
        """Does the rule mean the path ``inner`` beneath its own ("" is its own)?"""
        if inner and (EPHEMERAL.excludes(inner) or self.ignore.excludes(inner)):
            return False
        if inner and self.include and not self.include.excludes(inner):
            return False
        return not self._of_context(inner)

    def prunes(self, inner: str) -> bool:
        """Can nothing beneath the directory ``inner`` be meant?"""
        if not inner:
            return False
        if EPHEMERAL.excludes(inner) or (not self.ignore.takes_back and self.ignore.excludes(inner)):
            return True
        return not self.dockerignore.takes_back and self._of_context(inner)

    def _of_context(self, inner: str) -> bool:
        if not self.context or not self.dockerignore:
            return False
        outer = posixpath.relpath(posixpath.join(self.path, inner) if inner else self.path, self.context)
        return outer != "." and not outer.startswith("../") and outer != ".." and self.dockerignore.excludes(outer)


def sieve(path: str, ignore: Iterable[str], include: Iterable[str], context: str = "", dockerignore: Iterable[str] = ()) -> Sieve:
    return Sieve(path, Ignore(ignore), Ignore(include), context, Ignore(dockerignore))
