"""Attributes that ask nothing of the engine for the container itself: what composer does with them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from composer.engine.errors import Unsupported
from composer.engine.model import Image, ImageMetadata
from composer.errors import SpecError
from composer.reconcile.build import build_config
from composer.reconcile.images import ImagePolicy, image_work
from composer.reconcile.render import Site, render
from composer.spec.model import Stack
from tests.docs.picture import loaded


def with_service(**service: object) -> Stack:
    return loaded(json.dumps({"name": "p", "services": {"web": {"image": "web", **service}}}))


def test_attach_says_whose_output_up_shows() -> None:
    assert with_service().services["web"].attach is None
    assert with_service(attach=False).services["web"].attach is False


def test_an_env_file_that_need_not_be_there() -> None:
    with_service(env_file=[{"path": "/gone.env", "required": False}])
    with pytest.raises(SpecError, match=r"/gone\.env not found"):
        with_service(env_file=[{"path": "/gone.env", "required": True}])


def test_pull_refresh_after() -> None:
    now = datetime(2026, 1, 10, tzinfo=UTC)
    spec = with_service(pull_policy="refresh", pull_refresh_after="36h")
    for hours, verbs in ((35, []), (37, ["pull"])):
        image = Image(id="i", metadata=ImageMetadata(last_tag_time=(now - timedelta(hours=hours)).isoformat()))
        assert [work.verb for work in image_work(spec, ["web"], {"web": image}, ImagePolicy(), now)] == verbs


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ({"userns_mode": "other"}, "userns_mode 'other' is not supported"),
    ],
)
def test_what_the_engine_cannot_do_is_refused_by_name(service: dict[str, object], words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        render(with_service(**service), Site())


@pytest.mark.parametrize("kind", ["secrets", "configs"])
@pytest.mark.parametrize("external", [True, {"name": "called"}])
def test_external_secrets_and_configs_are_refused(kind: str, external: object) -> None:
    text = json.dumps({"services": {"web": {"image": "web", kind: ["s"]}}, kind: {"s": {"external": external}}})
    with pytest.raises(Unsupported, match=f"unsupported external {kind[:-1]}"):
        render(loaded(text), Site())


def test_ssh_for_a_build_is_refused() -> None:
    stack = with_service(build={"context": "/src", "ssh": ["default"]})
    with pytest.raises(Unsupported, match=r"build\.ssh is not supported"):
        build_config(stack, stack.services["web"])
