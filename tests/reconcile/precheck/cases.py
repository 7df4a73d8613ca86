"""What is said before anything is touched, as tables: a stack file and the facts of a machine -> the findings as text."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from composer.engine.model import Container, ContainerState, Image, Network, ProcessConfig
from composer.engine.model.facts import Facts
from composer.errors import Diagnostic
from composer.reconcile import labels
from composer.reconcile.images import ImagePolicy, image_work
from composer.reconcile.model import Live, Policy, Ref
from composer.reconcile.order import selected, services_of
from composer.reconcile.plan import plan
from composer.reconcile.precheck import Engaged, check, diagnostics, survey
from composer.reconcile.precheck.places import marked
from composer.reconcile.render import Site, render
from composer.spec.load import load
from composer.spec.model import Stack
from composer.spec.read import MISSING, Content, Request

OLD, OTHER = "a" * 64, "b" * 64


@dataclass
class Case:
    """``says``: the findings, "LINE:COLUMN severity code: a part of the message | a part of the hint"."""

    name: str
    text: str
    says: list[str]
    facts: Facts = field(default_factory=Facts)
    containers: tuple[Container, ...] = ()
    networks: tuple[Network, ...] = ()
    have: tuple[Live, ...] = ()
    images: dict[str, Image | None] = field(default_factory=lambda: {"bb": Image(id="sha256:1")})
    policy: Policy = field(default_factory=Policy)
    files: dict[str, Content] = field(default_factory=dict)
    pull: str = ""
    tags: tuple[str, ...] = ()


def request_of(case: Case) -> Request:
    contents = {"/d/stack.yml": Content(("name: p\n" + case.text).encode()), "/d/.env": MISSING, **case.files}
    return Request(files=("/d/stack.yml",), cwd="/d", contents=contents)


def found_by(case: Case, *, planning: bool = True) -> list[Diagnostic]:
    request = request_of(case)
    stack = load(request)
    assert isinstance(stack, Stack), stack
    have = {live.ref: live for live in case.have}
    want = render(stack, Site())
    names = [service.ref.name for service in selected(services_of(want), case.policy)]
    work = image_work(stack, names, case.images, ImagePolicy(case.pull), datetime.now(UTC))
    scene = survey(stack, names, have, case.policy, plan("p", want, have, case.policy), case.images, work)
    tree = marked(request)
    assert tree is not None
    return diagnostics(check(scene.knowing(case.facts, Engaged(case.containers, case.networks, case.tags))), tree, planning=planning)


def container(ident: str, name: str, project: str = "", service: str = "", **state: Any) -> Container:
    tags = {labels.PROJECT: project, labels.SERVICE: service} if project else {}
    return Container(
        id=ident, name=f"/{name}", config=ProcessConfig(labels=tags), state=ContainerState(status="running", running=True, **state)
    )


def live(name: str, service: str, **fields: Any) -> Live:
    return Live(Ref("container", name), OLD, hash="x", project="p", service=service, number=1, state="running", **fields)


def judge(case: Case) -> None:
    """Compare what is found with what the case says."""
    told = [
        f"{d.mark.line if d.mark else 0}:{d.mark.column if d.mark else 0} {d.severity} {d.code}: {d.message} | {d.hint or ''}"
        for d in found_by(case)
    ]
    assert len(told) == len(case.says), told
    for line, wanted in zip(told, case.says, strict=True):
        head, _, hint = wanted.partition(" | ")
        place, _, message = head.partition(": ") if " plan." in head else ("", "", head)
        assert place in line
        assert message in line, line
        assert hint in line.rpartition(" | ")[2], line
