"""Texts about a stack's files without what was decrypted of them: contents that were sealed (`composer.gitops`) are secret, whatever
their names say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from composer.daemon.stack_api.project import Unseal
from composer.gitops.mask import Mask


def without_secrets(lines: Iterable[str], projects: Iterable[Mapping[str, Any]], unseal: Unseal) -> list[str]:
    """The lines, with every value of the projects' sealed contents hidden. Unavailable: they were sealed by another engine."""
    sealed = {item["sealed"] for project in projects for item in (project.get("contents") or {}).values() if item.get("sealed")}
    if not sealed:
        return list(lines)
    from composer.gitops.secrets import values_of

    mask = Mask()
    for text in sealed:
        mask.learn(values_of(unseal(text)))
    return [mask.hide(line) for line in lines]
