"""What `update_config` says, its defaults, and where two containers cannot run at once."""

from __future__ import annotations

from typing import Any

import pytest

from composer.reconcile.rollout.model import PAUSE, Pace
from composer.reconcile.rollout.rules import rollout_of, shares_ports, why_alone
from composer.spec.model import Port, Service, ServiceNetwork, ServiceVolume
from composer.spec.model.deploy import Deploy
from composer.spec.model.deploy import Rollout as Wish

DATA = ServiceVolume(type="volume", source="data", target="/data")


def made(wish: Wish | None = None, back: Wish | None = None, **fields: Any) -> Service:
    return Service(name="web", image="nginx", deploy=Deploy(update_config=wish, rollback_config=back), **fields)


def test_without_update_config_there_is_no_rollout() -> None:
    assert rollout_of(Service(name="web", image="nginx")) is None
    assert rollout_of(made()) is None


def test_the_defaults() -> None:
    found = rollout_of(made(Wish()))
    assert found is not None
    assert found.forward == found.back == Pace(1, 0.0, 5.0, 0.0, PAUSE, start_first=False)
    assert found.drain == 10.0


def test_all_that_can_be_said() -> None:
    wish = Wish(parallelism=0, delay=2 * 10**9, monitor=10**9, max_failure_ratio=0.3, failure_action="rollback", order="start-first")
    found = rollout_of(made(wish, stop_grace_period=3 * 10**9))
    assert found is not None
    assert found.forward == Pace(0, 2.0, 1.0, 0.3, "rollback", start_first=True)
    assert found.back == Pace(0, 0.0, 1.0, 0.0, PAUSE, start_first=True)
    assert found.drain == 3.0
    found = rollout_of(made(wish, Wish(failure_action="continue", order="stop-first")))
    assert found is not None
    assert found.back == Pace(1, 0.0, 5.0, 0.0, "continue", start_first=False)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, ""),
        ({"container_name": "one"}, "container_name is fixed"),
        ({"network_mode": "host"}, "it is in the host's network"),
        ({"mac_address": "02:42:ac:11:00:02"}, "its address is fixed"),
        ({"networks": {"back": ServiceNetwork(ipv4_address="10.0.0.9")}}, "its address is fixed"),
        ({"networks": {"back": ServiceNetwork()}}, ""),
        ({"ports": [Port(target=80, published="8080", mode="host")]}, "port 8080 is published in mode host"),
        ({"ports": [Port(target=80, published="8080", mode="ingress")]}, ""),
        ({"ports": [Port(target=80, published="8080-8081")], "scale": 2}, "the ports 8080-8081 are all in use"),
        ({"ports": [Port(target=80, published="8080-8082")], "scale": 2}, ""),
        ({"volumes": [DATA]}, "volume data is written at /data"),
        ({"volumes": [DATA], "scale": 2}, ""),
        ({"volumes": [ServiceVolume(type="volume", source="data", target="/data", read_only=True)]}, ""),
        ({"volumes": [ServiceVolume(type="bind", source="/srv", target="/srv")]}, ""),
    ],
)
def test_where_two_cannot_run_at_once(fields: dict[str, Any], reason: str) -> None:
    service = made(Wish(order="start-first"), **fields)
    assert why_alone(service) == reason
    found = rollout_of(service)
    assert found is not None
    assert found.forward.start_first is not bool(reason)
    assert found.asked


def test_ports_in_mode_host_are_not_shared() -> None:
    assert shares_ports(made(ports=[Port(target=80, published="8080", mode="ingress")]))
    assert not shares_ports(made(ports=[Port(target=80, published="8080", mode="host")]))
