"""What the machine has, names of containers, and what is waited for."""

from __future__ import annotations

import pytest

from composer.engine.model import HealthConfig, Image, ProcessConfig
from composer.engine.model.facts import Facts, ImageFact, Refusal
from composer.reconcile.model import Policy
from tests.reconcile.precheck.cases import OLD, OTHER, Case, container, judge, live

MACHINE = [
    Case(
        "processors",
        "services: {a: {image: bb, cpus: 3}}",
        ["2:33 error plan.cpus: range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"],
        Facts(cpus=2),
    ),
    Case(
        "processors, limited",
        "services: {a: {image: bb, deploy: {resources: {limits: {cpus: '3'}}}}}",
        ["2:63 error plan.cpus"],
        Facts(cpus=2),
    ),
    Case(
        "more memory than there is",
        "services: {a: {image: bb, mem_limit: 8g}}",
        ["warning plan.memory: the limit of 8.0 GiB is more than the 4.0 GiB"],
        Facts(memory=4 << 30),
    ),
    Case("too little memory", "services: {a: {image: bb, mem_limit: 1k}}", ["Minimum memory limit allowed is 6MB"]),
    Case(
        "a runtime",
        "services: {a: {image: bb, runtime: run}}",
        ["unknown or invalid runtime name: run | did you mean 'runc'?"],
        Facts(runtimes=frozenset({"crun", "runc"})),
    ),
    Case(
        "a log driver",
        "services: {a: {image: bb, logging: {driver: syslog}}}",
        ["no log driver named 'syslog' is registered"],
        Facts(log_drivers=frozenset({"", "local"})),
    ),
    Case("a cgroup parent", "services: {a: {image: bb, cgroup_parent: ../x}}", ["invalid cgroup parent: ../x"]),
    Case(
        "a volume driver",
        "services: {a: {image: bb, volumes: ['vol:/v']}}\nvolumes: {vol: {driver: nfs}}",
        ['plugin "nfs" not found | this engine has: local'],
        Facts(volume_drivers=frozenset({"local"})),
    ),
    Case(
        "gpus",
        "services: {a: {image: bb, gpus: all}}",
        ['could not select device driver "" with capabilities: [[gpu]]'],
        Facts(device_drivers=frozenset()),
    ),
]

REFUSED = [
    Case(
        "at its attribute",
        "services: {a: {image: bb, ulimits: {nosuch: 1}}}",
        ["2:27 error plan.refused: invalid ulimit type: nosuch | known are"],
        Facts(refused={"service a": (Refusal("invalid ulimit type: nosuch", "known are nofile"),)}),
    ),
    Case(
        "at the service when nobody wrote it",
        "services: {a: {image: bb}}",
        ["2:12 error plan.refused: no command specified"],
        Facts(refused={"service a": (Refusal("no command specified"),)}),
    ),
    Case(
        "of a network",
        "services: {a: {image: bb, networks: [n]}}\nnetworks: {n: {driver_opts: {com.docker.network.x: y}}}",
        ["3:16 error plan.refused: the network option com.docker.network.x is not supported"],
        Facts(refused={"network n": (Refusal("the network option com.docker.network.x is not supported"),)}),
    ),
    Case(
        "what a rule has found is said once",
        "services: {a: {image: bb, mem_limit: 1k}}",
        ["error plan.memory: Minimum memory limit allowed is 6MB"],
        Facts(refused={"service a": (Refusal("Minimum memory limit allowed is 6MB"),)}),
    ),
]

NAMES = [
    Case(
        "another stack's",
        "services: {a: {image: bb, container_name: xx}}",
        ['2:43 error plan.container-name: The container name "/xx" is already in use by container "b | composer container rm -f xx'],
        containers=(container(OTHER, "xx", "shop", "web"),),
    ),
    Case(
        "the usual name, taken",
        "services: {a: {image: bb}}",
        ["2:12 error plan.container-name: It is of no stack, and running"],
        containers=(container(OTHER, "p-a-1"),),
    ),
    Case(
        "its own",
        "services: {a: {image: bb, container_name: xx}}",
        [],
        containers=(container(OLD, "xx", "p", "a"),),
        have=(live("xx", "a"),),
    ),
    Case(
        "more than one",
        "services: {a: {image: bb, container_name: xx}}",
        ["Remove the custom name to scale the service"],
        policy=Policy(scale={"a": 2}),
    ),
    Case(
        "whose network is shared",
        "services: {a: {image: bb, network_mode: 'service:b'}, b: {image: bb}}",
        ["cannot share network namespace with service b: container missing | composer up -d b"],
        policy=Policy(services=frozenset({"a"}), no_deps=True),
    ),
    Case(
        "whose network is shared, brought up",
        "services: {a: {image: bb, network_mode: 'service:b'}, b: {image: bb}}",
        [],
        policy=Policy(services=frozenset({"a"})),
    ),
    Case(
        "a container's network",
        "services: {a: {image: bb, network_mode: 'container:gone'}}",
        ["No such container: gone"],
        containers=(container(OTHER, "x"),),
    ),
]

WAITS = "services: {a: {image: bb, depends_on: {b: {condition: service_healthy}}}, b: {image: bb%s}}"
CHECKED = {"bb": Image(id="sha256:1", config=ProcessConfig(healthcheck=HealthConfig(test=("CMD", "true"))))}

WAITING = [
    Case(
        "no check",
        WAITS % "",
        ["container p-b-1 has no healthcheck configured: 'a' waits for service 'b' to be healthy | give 'b' a healthcheck"],
    ),
    Case("a check of its own", WAITS % ", healthcheck: {test: [CMD, 'true']}", []),
    Case("the image's check", WAITS % "", [], images=CHECKED),  # type: ignore[arg-type]
    Case("a check that is off", WAITS % ", healthcheck: {disable: true}", ["no healthcheck configured"], images=CHECKED),  # type: ignore[arg-type]
    Case("an image that is not here yet", WAITS % "", [], Facts(images={"bb": ImageFact("found")}), images={"bb": None}),
]


@pytest.mark.parametrize("case", MACHINE, ids=lambda case: case.name)
def test_machine(case: Case) -> None:
    judge(case)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused(case: Case) -> None:
    judge(case)


@pytest.mark.parametrize("case", NAMES, ids=lambda case: case.name)
def test_names(case: Case) -> None:
    judge(case)


@pytest.mark.parametrize("case", WAITING, ids=lambda case: case.name)
def test_waits(case: Case) -> None:
    judge(case)
