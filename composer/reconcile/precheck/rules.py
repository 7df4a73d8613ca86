"""All rules over one scene. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from composer.reconcile.precheck.engine import check_engine
from composer.reconcile.precheck.externals import check_externals
from composer.reconcile.precheck.finding import Finding
from composer.reconcile.precheck.images import check_images
from composer.reconcile.precheck.machine import check_machine
from composer.reconcile.precheck.names import check_ground, check_names
from composer.reconcile.precheck.networks import check_addresses, check_networks
from composer.reconcile.precheck.paths import check_paths
from composer.reconcile.precheck.ports import check_ports
from composer.reconcile.precheck.scene import Scene

RULES: tuple[Callable[[Scene], Iterator[Finding]], ...] = (
    check_externals,
    check_ports,
    check_networks,
    check_addresses,
    check_paths,
    check_images,
    check_machine,
    check_names,
    check_ground,
)
MOST = 100  # nobody reads more


def check(scene: Scene) -> list[Finding]:
    """Each finding once."""
    found: dict[Finding, None] = {}
    for rule in RULES:
        found.update(dict.fromkeys(rule(scene)))
    found.update(dict.fromkeys(check_engine(scene, [finding.message for finding in found])))
    return list(found)[:MOST]
