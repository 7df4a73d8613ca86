"""Host ports that are taken, or cannot be had."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from composer.engine.model.facts import Facts, PortHolder
from tests.reconcile.precheck.cases import OLD, OTHER, Case, container, judge, live


def port(text: str, **fields: Any) -> Facts:
    address, _, number = text.rpartition(":")
    holder = PortHolder(fields.pop("protocol", "tcp"), address, int(number), **fields)
    return Facts(holders=(holder,), busy=frozenset({(holder.protocol, holder.port)}))


NGINX: dict[str, Any] = {"pid": 812, "process": "nginx", "user": "www"}
WEB = "services: {web: {image: bb, ports: ['%s']}}"

PORTS = [
    Case(
        "a process",
        WEB % "8080:80",
        ["2:37 error plan.port-taken: 0.0.0.0:8080/tcp is held by process nginx (pid 812, user www) | 8081 is free"],
        port("0.0.0.0:8080", **NGINX),
    ),
    Case("docker's words", WEB % "8080:80", ["Bind for 0.0.0.0:8080 failed: address already in use"], port("0.0.0.0:8080", **NGINX)),
    Case("who cannot be seen", WEB % "8080:80", ["held by a process that cannot be seen"], port("0.0.0.0:8080")),
    Case(
        "a container of another stack",
        WEB % "8080:80",
        [
            "Bind for 0.0.0.0:8080 failed: port is already allocated: 0.0.0.0:8080/tcp is held by container shop-web-1 of stack shop "
            "| container stop shop"
        ],
        port("0.0.0.0:8080", container=OTHER),
        (container(OTHER, "shop-web-1", "shop", "web"),),
    ),
    Case(
        "a container of no stack",
        WEB % "8080:80",
        ["held by container lonely | `composer container stop lonely`"],
        port("0.0.0.0:8080", container=OTHER),
        (container(OTHER, "lonely"),),
    ),
    Case(
        "an orphan of this stack",
        WEB % "8080:80",
        ["held by container p-old-1 of this stack (service old) | --remove-orphans"],
        port("0.0.0.0:8080", container=OTHER),
        (container(OTHER, "p-old-1", "p", "old"),),
    ),
    Case(
        "another service of this stack",
        "services: {web: {image: bb, ports: ['8080:80']}, old: {image: bb}}",
        ["held by container p-old-7 of this stack (service old) | only one of the services can have it"],
        port("0.0.0.0:8080", container=OTHER),
        (container(OTHER, "p-old-7", "p", "old"),),
    ),
    Case(
        "a process in a container with the host's network",
        WEB % "8080:80",
        ["process nginx (pid 812, user www) in container x of stack shop"],
        port("0.0.0.0:8080", container=OTHER, **NGINX),
        (container(OTHER, "x", "shop", "web"),),
    ),
    Case(
        "what the plan gives up before",
        WEB % "8080:80",
        [],
        port("0.0.0.0:8080", container=OLD),
        (container(OLD, "p-web-1", "p", "web"),),
        have=(live("p-web-1", "web"),),
    ),
    Case("udp is not tcp", WEB % "8080:80/udp", [], port("0.0.0.0:8080", **NGINX)),
    Case("udp", WEB % "8080:80/udp", ["0.0.0.0:8080/udp is held"], port("0.0.0.0:8080", protocol="udp", **NGINX)),
    Case("one address of the host", WEB % "127.0.0.1:8080:80", [], port("10.0.0.1:8080", **NGINX)),
    Case("the same address", WEB % "127.0.0.1:8080:80", ["127.0.0.1:8080/tcp is held"], port("127.0.0.1:8080", **NGINX)),
    Case("all, where one is taken", WEB % "8080:80", ["is held"], port("127.0.0.1:8080", **NGINX)),
    Case("one, where all are taken", WEB % "127.0.0.1:8080:80", ["is held"], port("0.0.0.0:8080", **NGINX)),
    Case("IPv4, where IPv6 is taken", WEB % "127.0.0.1:8080:80", [], port(":::8080", **NGINX)),
    Case("IPv4, where both are taken", WEB % "127.0.0.1:8080:80", ["is held"], port(":::8080", dual=True, **NGINX)),
    Case("IPv6", WEB % "[::1]:8080:80", ["[::1]:8080/tcp is held"], port("::1:8080", **NGINX)),
    Case("a range with room", WEB % "8080-8082:80", [], port("0.0.0.0:8080", **NGINX)),
    Case("any free one", WEB % "80", [], port("0.0.0.0:8080", **NGINX)),
    Case(
        "a range without room",
        WEB % "8080-8081:80",
        ["error plan.port-taken: Bind for 0.0.0.0:8080 failed: address already in use: each port of 8080-8081/tcp is held"],
        Facts(holders=(PortHolder("tcp", "0.0.0.0", 8080, **NGINX), PortHolder("tcp", "0.0.0.0", 8081, **NGINX))),
    ),
    Case(
        "the network of the host", "services: {web: {image: bb, network_mode: host, ports: ['8080:80']}}", [], port("0.0.0.0:8080", **NGINX)
    ),
    Case("a low port, not as root", WEB % "80:80", ["permission denied below 1024"], Facts(holders=(), lowest_port=1024)),
    Case("a low port as root", WEB % "80:80", [], Facts(holders=())),
    Case(
        "an address of another machine",
        WEB % "192.0.2.7:80:80",
        ["cannot assign requested address: this machine has no such address | it has 127.0.0.1, 10.0.0.5"],
        Facts(holders=(), addresses=frozenset({"127.0.0.1", "10.0.0.5"})),
    ),
    Case("any loopback address", WEB % "127.0.0.9:80:80", [], Facts(holders=(), addresses=frozenset({"127.0.0.1"}))),
    Case("sctp", WEB % "80:80/sctp", ["publishing SCTP ports is not supported"], Facts(holders=())),
    Case(
        "two services",
        "services: {a: {image: bb, ports: ['80:80']}, b: {image: bb, ports: ['127.0.0.1:80:81']}}",
        ["2:69 error plan.port-clash: port 80/tcp is published by the services 'a' and 'b' | only one"],
    ),
    Case(
        "two services, two addresses",
        "services: {a: {image: bb, ports: ['127.0.0.1:80:80']}, b: {image: bb, ports: ['127.0.0.2:80:81']}}",
        [],
    ),
    Case(
        "two containers",
        "services: {a: {image: bb, scale: 2, ports: ['80:80']}}",
        ["2 containers of 'a' cannot all have port 80/tcp: port is already allocated | a range, such as \"80-81:...\""],
    ),
    Case(
        "two containers that share",
        "services: {a: {image: bb, deploy: {replicas: 2, update_config: {}}, ports: ['80:80']}}",
        [],
        Facts(shared_ports=True),
    ),
    Case(
        "one container more that shares",
        "services: {a: {image: bb, deploy: {update_config: {}}, ports: ['80:80']}}",
        [],
        replace(port("0.0.0.0:80", container=OLD), shared_ports=True),
        (container(OLD, "p-a-2", "p", "a"),),
    ),
    Case(
        "two containers, all at once",
        "services: {a: {image: bb, scale: 2, ports: ['80:80']}}",
        ["cannot all have"],
        Facts(shared_ports=True),
    ),
    Case("two containers and a range", "services: {a: {image: bb, scale: 2, ports: ['80-81:80']}}", []),
    Case(
        "a range that is too small", "services: {a: {image: bb, scale: 3, ports: ['80-81:80']}}", ["3 containers cannot share the 2 ports"]
    ),
]


@pytest.mark.parametrize("case", PORTS, ids=lambda case: case.name)
def test_ports(case: Case) -> None:
    judge(case)
