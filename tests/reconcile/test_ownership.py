"""Trap 8: what an image says is never taken for ownership."""

from __future__ import annotations

from composer.engine.local.containers.resolve import merge
from composer.engine.model import ContainerConfig, ProcessConfig
from composer.reconcile import labels


def test_the_labels_of_an_image_do_not_make_its_containers_a_stacks() -> None:
    image = ProcessConfig(cmd=("sh",), labels={labels.PROJECT: "p", labels.HASH: "1-a", labels.CONFIG_HASH: "a", "mine": "yes"})
    plain = merge(ContainerConfig(image="evil"), image)
    assert plain.labels == {"mine": "yes"}
    owned = merge(ContainerConfig(image="evil", labels={labels.PROJECT: "q"}), image)
    assert owned.labels == {"mine": "yes", labels.PROJECT: "q"}
