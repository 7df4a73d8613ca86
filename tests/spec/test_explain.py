"""`config --explain` and `--explain-variable`: where values came from."""

from __future__ import annotations

import json

import pytest

from composer.errors import ComposerError
from composer.spec.config import ConfigOptions, Output, config
from composer.spec.read import load_from_disk
from tests.spec.stacks import MISSING, ROOT, request

FILES = {
    "compose.yaml": """\
include: [sub/compose.yaml]
x-env: &env
  LEVEL: ${LEVEL:-info}
services:
  base:
    image: busybox:${TAG:-1.36}
    labels: {com.example.a: x, gone: y}
  web:
    extends: base
    image: web:${TAG}
    ports:
      - "${PORT:-8080}:80"
    env_file: app.env
    environment:
      <<: *env
      B: ${NOPE:-${DEEP:-deep}}
      HOME:
    volumes: [data:/data, ./src:/src]
volumes: {data: }
""",
    "over.yaml": """\
services:
  web:
    image: web:dev
    ports: ["9090:90"]
    labels: {gone: !reset null, com.example.a: z}
    volumes: !override ["./other:/data"]
""",
    ".env": "# all of it\nTAG=v1\n",
    "app.env": "FROM_FILE=1\nB=file\nC=${TAG}-x\n",
    "sub/compose.yaml": 'services: {inc: {image: "inc:${TAG}-${INC}"}}\n',
    "sub/.env": "INC=3\nTAG=sub\n",
}


def said(environment: dict[str, str] | None = None, files: dict[str, str] | None = None, **flags: str) -> str:
    asked = request(
        files or FILES, *([] if files else ["compose.yaml", "over.yaml"]), environment={"HOME": "/home/me", **(environment or {})}
    )
    done = load_from_disk(asked, lambda one: config(one, ConfigOptions(**flags)), lambda path: MISSING)  # type: ignore[arg-type]
    assert isinstance(done, Output)
    return done.text


def values(path: str, **parts: dict[str, str]) -> dict[str, dict[str, object]]:
    return {one["path"]: one for one in json.loads(said(explain=path, format="json", **parts))}  # type: ignore[arg-type]


def test_a_value_names_its_place_its_variable_and_what_it_overrode() -> None:
    text = said(explain="services.web.image")
    assert text == (
        "services.web.image: web:dev\n"
        "  from over.yaml:3:12 (override file, -f 2 of 2)\n"
        "      3 |     image: web:dev\n"
        "  overrode busybox:v1, compose.yaml:6:12 (service 'base', extended at compose.yaml:9:14)\n"
        "  overrode web:v1, compose.yaml:10:12 (first file, -f 1 of 2)\n"
    )


def test_the_short_form_and_its_variable() -> None:
    text = said(explain="services.web.ports", environment={"PORT": "7"})
    assert 'services.web.ports[0].published: "7"\n' in text
    assert '  from compose.yaml:12:9 (first file, -f 1 of 2)\n      12 |       - "${PORT:-8080}:80"\n' in text
    assert '  ${PORT:-8080} = "7": PORT from the shell environment\n' in text
    assert "services.web.ports was merged from\n  compose.yaml:12:7" in text
    assert "the default in the file; PORT is not set" in said(explain="services.web.ports[0].target")


def test_env_files_and_what_stands_before_them() -> None:
    found = values("services.web.environment")
    assert found["services.web.environment.C"]["file"] == "app.env"
    assert found["services.web.environment.C"]["variables"][0]["source"]["line"] == 2  # type: ignore[index]
    assert found["services.web.environment.B"]["overrode"][0]["file"] == "app.env"  # type: ignore[index]
    assert [use["defaulted"] for use in found["services.web.environment.B"]["variables"]] == [True, True]  # type: ignore[union-attr]
    assert found["services.web.environment.LEVEL"]["line"] == 3  # where the anchor is
    assert found["services.web.environment.HOME"]["note"] == "passed on by its name alone"


def test_what_was_taken_away() -> None:
    assert said(explain="services.web.labels.gone") == (
        "services.web.labels.gone: (removed)\n"
        "  it was \"y\", compose.yaml:7:38 (service 'base', extended at compose.yaml:9:14), taken away by !reset at over.yaml:5:20\n"
    )
    text = said(explain="services.web.volumes")
    assert '"./src"' in text
    assert "taken away by !override at over.yaml:6:14" in text


def test_defaults_are_told_as_such() -> None:
    assert "not in any file: Compose's default" in said(explain="services.web.networks.default")
    assert said(explain="services.web.restart") == 'services.web.restart: (not set)\n  not in any file: Compose\'s default ("no")\n'
    assert f"the name of the directory {ROOT}" in said(explain="name")


def test_the_name_of_the_stack() -> None:
    files = {"s.yaml": "name: filed\nservices: {a: {image: x}}\n"}
    assert "from s.yaml:1:7\n" in said(explain="name", files=files)
    text = said(explain="name", files=files, environment={"COMPOSE_PROJECT_NAME": "shelled"})
    assert text == "name: shelled\n  from the variable COMPOSE_PROJECT_NAME, shell environment\n  overrode filed, s.yaml:1:7\n"
    assert "from .env:1:1 (the variable" in said(explain="name", files={**files, ".env": "COMPOSE_PROJECT_NAME=env\n"})


def test_included_files() -> None:
    text = said(explain="services.inc.image")
    assert "from sub/compose.yaml:1:25 (included by compose.yaml:1:11)" in text
    assert '${INC} = "3": INC from sub/.env:1:1' in text
    assert "${TAG} = v1: TAG from .env:2:1" in text


def test_wildcards_and_names_with_dots() -> None:
    assert list(values("services.*.image")) == ["services.base.image", "services.inc.image", "services.web.image"]
    assert list(values("services.w*.image")) == ["services.web.image"]
    for path in ("services.web.labels.com.example.a", 'services.web.labels["com.example.a"]', "services.web.labels['com.example.a']"):
        assert list(values(path)) == ['services.web.labels["com.example.a"]']
    assert list(values("services.web.ports.1.target")) == ["services.web.ports[1].target"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("services.wbe.image", "did you mean 'services.web.image'?"),
        ("services.web.imgae", "did you mean 'services.web.image'?"),
        ("web.ports", "did you mean 'services.web.ports'?"),
        ("services.web.ports[9]", "it has 2 items, [0] to [1]"),
        ("services.web.image.x", "ask for services.web.image"),
        ("services.web[", "such as services.web.ports[0]"),
    ],
)
def test_a_wrong_path(path: str, hint: str) -> None:
    with pytest.raises(ComposerError) as error:
        said(explain=path)
    assert error.value.hint == hint


def test_a_service_that_no_profile_enables() -> None:
    text = said(explain="services.a.image", files={"s.yaml": "services: {a: {image: x, profiles: [p]}}"})
    assert text.startswith("# the service is not enabled: no profile of it is active (p)\nservices.a.image: x\n")


def test_every_source_of_a_variable() -> None:
    text = said(explain_variable="TAG")
    assert text.startswith("TAG = v1, from .env:2:1\n")
    assert "* .env:2:1: v1  (wins: the shell does not set it)" in text
    assert "sub/.env:2:1 (env file of the include at compose.yaml:1:11): sub  (for the files of that include alone; overridden)" in text
    assert "used at 4 places:" in text
    assert "  compose.yaml:6:20  services.base.image\n      ${TAG:-1.36} = v1\n" in text
    assert "  app.env:3:1  env_file of the service 'web', compose.yaml:13:15\n" in text
    shell = said(explain_variable="TAG", environment={"TAG": "shell"})
    assert "* the shell environment: shell  (wins" in shell
    assert "  .env:2:1: v1  (overridden)" in shell


def test_a_variable_as_json() -> None:
    data = json.loads(said(explain_variable="INC", format="json"))
    assert data["value"] is None
    assert data["included"][0]["value"] == "3"
    assert [(use["path"], use["result"]) for use in data["uses"]] == [("services.inc.image", "3")]
    assert [one["file"] for one in data["not_set_in"]] == [".env"]


def test_env_files_by_flag_the_last_one_wins() -> None:
    asked = request(
        {"s.yaml": "services: {a: {image: '$A'}}", "1.env": "A=one\n", "2.env": "A=${A}two\n"},
        env_files=(f"{ROOT}/1.env", f"{ROOT}/2.env"),
        environment={},
    )
    done = load_from_disk(asked, lambda one: config(one, ConfigOptions(explain_variable="A")), lambda path: MISSING)
    assert (
        "* 2.env:1:1 (--env-file): onetwo  (wins: of several env files the last one counts)\n    1.env:1:1 (--env-file): one" in done.text
    )


def test_a_variable_that_is_missing_is_explained_all_the_same() -> None:
    text = said(explain_variable="NEED", files={"s.yaml": "services: {a: {image: 'x:${NEED:?say which}'}}"})
    assert "required variable NEED is missing a value: say which" in text
    assert "NEED is not set\n" in text


def test_a_wrong_variable() -> None:
    with pytest.raises(ComposerError) as error:
        said(explain_variable="TAGG")
    assert error.value.hint == "did you mean 'TAG'?"
    with pytest.raises(ComposerError) as error:
        said(explain_variable="FROM_FILE")
    assert error.value.hint == "the containers of 'web' have it: --explain services.web.environment.FROM_FILE"
