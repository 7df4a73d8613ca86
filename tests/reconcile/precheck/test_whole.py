"""What is asked of the machine, and where findings stand."""

from __future__ import annotations

from datetime import UTC, datetime

from composer.engine.model.facts import Facts, PortHolder
from composer.reconcile.images import ImagePolicy, image_work
from composer.reconcile.model import Policy
from composer.reconcile.plan import plan
from composer.reconcile.precheck import check, diagnostics, inquiry, survey
from composer.reconcile.precheck.places import marked
from composer.reconcile.render import Site, render
from composer.spec.load import load
from composer.spec.model import Stack
from composer.spec.read import Content, Request
from tests.reconcile.precheck.cases import Case, found_by, request_of


def test_what_comes_late_is_a_warning_unless_it_is_only_planned() -> None:
    case = Case("", "services: {a: {image: bb, depends_on: {b: {condition: service_healthy}}}, b: {image: bb}}", [])
    assert [one.severity for one in found_by(case, planning=True)] == ["error"]
    assert [one.severity for one in found_by(case, planning=False)] == ["warning"]


def test_the_machine_is_asked_about_what_the_plan_touches() -> None:
    case = Case(
        "",
        "services: {a: {image: 'reg/x', ports: ['80-81:80'], volumes: ['./d:/d'], networks: [n, m]}, b: {image: bb, ports: ['9:9']}}\n"
        "networks: {n: {}, m: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}",
        [],
    )
    stack = load(request_of(case))
    assert isinstance(stack, Stack)
    policy = Policy(services=frozenset({"a"}))
    work = image_work(stack, ["a"], {"reg/x": None}, ImagePolicy(), datetime.now(UTC))
    asked = inquiry(survey(stack, ["a"], {}, policy, plan("p", render(stack, Site()), {}, policy), {"reg/x": None}, work))
    assert sorted(asked.ports) == [("tcp", 80), ("tcp", 81)]
    assert (asked.paths, asked.images) == (frozenset({"/d/d"}), (("reg/x", ""),))
    assert (asked.subnets, asked.pools) == (("10.1.0.0/24",), (4,))


def test_a_finding_in_an_override_stands_in_the_override() -> None:
    case = Case("", "services: {web: {image: bb, ports: ['8080:80']}}", [], Facts(holders=(PortHolder("tcp", "0.0.0.0", 9090),)))
    files = {"/d/over.yml": Content(b"services:\n  web:\n    ports: !override ['9090:80']\n")}
    request = request_of(case).with_contents(files)
    request = Request(files=(*request.files, "/d/over.yml"), cwd="/d", contents=request.contents)
    stack, tree = load(request), marked(request)
    assert isinstance(stack, Stack)
    assert tree is not None
    scene = survey(stack, ["web"], {}, Policy(), None, case.images).knowing(case.facts)
    assert [str(one.mark) for one in diagnostics(check(scene), tree, planning=True)] == ["over.yml:3:23"]
