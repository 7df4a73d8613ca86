"""Networks, addresses in them, and what is to be there already."""

from __future__ import annotations

from typing import Any

import pytest

from composer.engine.model import Network
from composer.engine.model.facts import Facts, HostRoute
from composer.reconcile import labels
from composer.reconcile.model import Live, Ref
from tests.reconcile.precheck.cases import OLD, OTHER, Case, container, judge, live


def net(name: str, subnet: str, ident: str = "n1", **fields: Any) -> Network:
    return Network.from_wire(
        {"Name": name, "Id": ident, "IPAM": {"Config": [{"Subnet": subnet, "Gateway": subnet.replace("0/", "1/")[:-3]}]}, **fields}
    )


NET = "services: {a: {image: bb, networks: [n]}}\nnetworks: {n: {ipam: {config: [{%s}]}}}"
OVERLAP = "invalid pool request: Pool overlaps with other one on this address space: "
FIXED = "services: {a: {image: bb, networks: {n: {ipv4_address: %s}}}}\nnetworks: {n: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}"
THERE = (Live(Ref("network", "p_n"), "n1", project="p"), Live(Ref("network", "out"), "n2"))

NETWORKS = [
    Case("fine", NET % "subnet: 10.1.0.0/24", [], Facts(routes=(HostRoute("10.0.0.0/24", "eth0"),)), networks=(net("x", "10.2.0.0/24"),)),
    Case(
        "a network of another stack",
        NET % "subnet: 10.1.0.0/24",
        [f"3:41 error plan.subnet-overlap: {OVERLAP}10.1.0.0/24 overlaps network x of stack shop (10.1.0.0/16) | such as 10.2.0.0/24"],
        networks=(net("x", "10.1.0.0/16", Labels={labels.PROJECT: "shop"}),),
    ),
    Case(
        "an interface",
        NET % "subnet: 10.1.0.0/24",
        ["the host's interface eth0 (10.1.0.0/20)"],
        Facts(routes=(HostRoute("10.1.0.0/20", "eth0"),)),
    ),
    Case("a wider route", NET % "subnet: 10.1.0.0/24", [], Facts(routes=(HostRoute("10.0.0.0/8", "tun0", direct=False),))),
    Case(
        "a route that it would hide",
        NET % "subnet: 10.1.0.0/24",
        ["a route of the host by tun0 (10.1.0.128/25)"],
        Facts(routes=(HostRoute("10.1.0.128/25", "tun0", direct=False),)),
    ),
    Case(
        "another network of this stack",
        "services: {a: {image: bb, networks: [n, m]}}\n"
        "networks:\n  m: {ipam: {config: [{subnet: 10.1.0.0/24}]}}\n  n: {ipam: {config: [{subnet: 10.1.0.128/25}]}}",
        ["5:32 error plan.subnet-overlap: 10.1.0.128/25 overlaps network m of this stack (10.1.0.0/24)"],
    ),
    Case("no subnet", NET % "subnet: 10.99.0.0/99", ["invalid subnet 10.99.0.0/99: invalid CIDR block notation | such as 10."]),
    Case("host bits", NET % "subnet: 10.1.0.7/24", ["it should be 10.1.0.0/24 | write 10.1.0.0/24"]),
    Case("no prefix", NET % "subnet: 10.1.0.0", ["invalid CIDR block notation | write 10.1.0.0/24"]),
    Case("too small", NET % "subnet: 10.1.0.0/31", ["is too small"]),
    Case(
        "gateway",
        NET % "subnet: 10.1.0.0/24, gateway: 10.2.0.1",
        ["3:63 error plan.gateway: invalid gateway 10.2.0.1: parent subnet 10.1.0.0/24"],
    ),
    Case("auxiliary", NET % "subnet: 10.1.0.0/24, aux_addresses: {r: 10.2.0.1}", ["invalid auxiliary address 10.2.0.1"]),
    Case("range", NET % "subnet: 10.1.0.0/24, ip_range: 10.2.0.0/28", ["parent subnet 10.1.0.0/24 doesn't contain ip-range | a part of"]),
    Case(
        "the pool is used up",
        "services: {a: {image: bb, networks: [n]}}\nnetworks: {n: {}}",
        ["3:12 error plan.pool-exhausted: all predefined address pools have been fully subnetted | network prune"],
        Facts(rooms={4: 0, 6: 9}, default_pools={4: "10.0.0.0/24"}),
    ),
    Case(
        "the pool has room for one of two",
        "services: {a: {image: bb, networks: [n, m]}}\nnetworks: {m: {}, n: {}}",
        ["3:19 error plan.pool-exhausted"],
        Facts(rooms={4: 1, 6: 9}),
    ),
    Case(
        "a driver",
        "services: {a: {image: bb, networks: [n]}}\nnetworks: {n: {driver: bridg}}",
        ["network driver bridg | did you mean 'bridge'?"],
        Facts(network_drivers=frozenset({"bridge"})),
    ),
    Case(
        "the host's",
        "services: {a: {image: bb, networks: [n]}}\nnetworks: {n: {driver: host}}",
        ['only one instance of "host" network is allowed | network_mode: host'],
        Facts(network_drivers=frozenset({"bridge"})),
    ),
    Case(
        "an address outside",
        FIXED % "10.98.0.5",
        ["2:56 error plan.address: no configured subnet or ip-range contain the IP address 10.98.0.5 | network 'n' has 10.1.0.0/24"],
    ),
    Case("an address inside", FIXED % "10.1.0.9", []),
    Case("no address", FIXED % "10.1.0.999", ["invalid IP address: 10.1.0.999"]),
    Case(
        "an address, and no subnet",
        "services: {a: {image: bb, networks: {n: {ipv4_address: 10.1.0.5}}}}\nnetworks: {n: {}}",
        ["supported only when connecting to networks with user configured subnets | give network 'n' a subnet"],
    ),
    Case(
        "an address that somebody has",
        FIXED % "10.1.0.9",
        ["Address already in use: 10.1.0.9 is held by container x of stack shop"],
        have=THERE,
        networks=(net("p_n", "10.1.0.0/24", Containers={OTHER: {"IPv4Address": "10.1.0.9/24"}}),),
        containers=(container(OTHER, "x", "shop", "x"),),
    ),
    Case(
        "an address that the plan gives up",
        FIXED % "10.1.0.9",
        [],
        have=(*THERE, live("p-a-1", "a", networks={"p_n": "n1"})),
        networks=(net("p_n", "10.1.0.0/24", Containers={OLD: {"IPv4Address": "10.1.0.9/24"}}),),
        containers=(container(OLD, "p-a-1", "p", "a"),),
    ),
    Case("the gateway's address", FIXED % "10.1.0.1", ["is the gateway of network 'n'"], have=THERE, networks=(net("p_n", "10.1.0.0/24"),)),
    Case(
        "one address for two services",
        "services: {a: {image: bb, networks: {n: {ipv4_address: 10.1.0.5}}}, b: {image: bb, networks: {n: {ipv4_address: 10.1.0.5}}}}\n"
        "networks: {n: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}",
        ["asked for by the services 'a' and 'b'"],
    ),
]

EXTERNAL = [
    Case(
        "a network",
        "services: {a: {image: bb, networks: [n]}}\nnetworks: {n: {external: true, name: uot}}",
        [
            "3:26 error plan.external: network uot declared as external, but could not be found "
            "| did you mean 'out'? or make it: composer network create uot"
        ],
        have=THERE,
    ),
    Case(
        "a network that is there", "services: {a: {image: bb, networks: [n]}}\nnetworks: {n: {external: true, name: out}}", [], have=THERE
    ),
    Case(
        "a volume",
        "services: {a: {image: bb, volumes: ['vol:/v']}}\nvolumes: {vol: {external: true}}",
        ['external volume "vol" not found | make it: composer volume create vol'],
    ),
    Case("nobody uses it", "services: {a: {image: bb}}\nvolumes: {vol: {external: true}}", []),
]


@pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case.name)
def test_networks(case: Case) -> None:
    judge(case)


@pytest.mark.parametrize("case", EXTERNAL, ids=lambda case: case.name)
def test_external(case: Case) -> None:
    judge(case)
