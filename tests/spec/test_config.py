"""`config`: the normal form, the views, the hash that docker compose gives."""

from __future__ import annotations

import json

import pytest

from composer.errors import UsageError
from composer.spec.config import ConfigOptions, Output, config
from composer.spec.read import load_from_disk
from composer.spec.units import format_duration, parse_duration, parse_size
from tests.spec.stacks import MISSING, request


def shown(text: str, **flags: object) -> str:
    options = ConfigOptions(**flags)  # type: ignore[arg-type]
    done = load_from_disk(request({"stack.yml": text}, name="conf"), lambda one: config(one, options), lambda path: MISSING)
    assert isinstance(done, Output)
    return done.text


def test_json() -> None:
    assert json.loads(shown("services: {a: {image: 'x:1', ports: ['80:80'], command: echo $$X}}", format="json")) == {
        "name": "conf",
        "networks": {"default": {"ipam": {}, "name": "conf_default"}},
        "services": {
            "a": {
                "command": ["echo", "$$X"],
                "entrypoint": None,
                "image": "x:1",
                "networks": {"default": None},
                "ports": [{"mode": "ingress", "target": 80, "published": "80", "protocol": "tcp"}],
            }
        },
    }


def test_yaml() -> None:
    assert shown("services: {a: {image: x, environment: {A: 'yes', B: \"a\\nb\"}, x-note: 1}}") == (
        'name: conf\nservices:\n  a:\n    environment:\n      A: "yes"\n      B: |-\n        a\n        b\n    image: x\n'
        "    networks:\n      default: null\n    x-note: 1\nnetworks:\n  default:\n    name: conf_default\n"
    )


def test_views() -> None:
    text = "services: {b: {image: x, profiles: [p]}, a: {build: .}, c: {image: y, volumes: ['vol:/v']}}\nvolumes: {vol: }\n"
    assert shown(text, view="services") == "a\nc\n"
    assert shown(text, view="images") == "conf-a\ny\n"
    assert shown(text, view="profiles") == "p\n"
    assert shown(text, view="volumes") == "vol\n"
    assert shown(text, quiet=True) == ""
    assert "NEED                true\n" in shown("services: {a: {image: '${NEED:?x}'}}", view="variables")
    assert "${A}" in shown("services: {a: {image: '${A}'}}", no_interpolate=True)
    with pytest.raises(UsageError):
        shown(text, format="xml")


def test_the_hash_is_docker_composes() -> None:
    minimal = "b8948ddbd18fe45bb75af3506c843c5042ac4ab2dab526d00e97168a5e841abe"
    assert shown("services: {a: {image: 'x:1'}, b: {image: 'x:1', scale: 3}}", hashes="*") == f"a {minimal}\nb {minimal}\n"


@pytest.mark.parametrize(
    ("text", "ns", "again"),
    [
        ("1m30s", 90 * 10**9, "1m30s"),
        ("0.5s", 5 * 10**8, "500ms"),
        ("2d", 172800 * 10**9, "48h0m0s"),
        ("250us", 250_000, "250µs"),
        ("0s", 0, "0s"),
    ],
)
def test_durations(text: str, ns: int, again: str) -> None:
    assert parse_duration(text) == ns
    assert format_duration(ns) == again


@pytest.mark.parametrize(("text", "size"), [("64m", 2**26), ("1.5gb", 3 * 2**29), ("10kib", 10240), ("5", 5), ("2 G", 2**31)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "5", "5 s", "1y", "s", "-"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


def test_of_several_views_one_is_printed() -> None:
    text = "services: {a: {image: x, env_file: missing.env, volumes: ['vol:/v']}}\nvolumes: {vol: }\n"
    assert shown(text, view="services", hashes="*", format="xml") == "a\n"  # and no env file is needed for names
    assert shown(text, view="images", hashes="a").startswith("a ")
    assert shown(text, view="volumes", quiet=True) == "vol\n"


def test_paths_that_are_not_resolved_are_relative_to_the_stack() -> None:
    files = {
        "s.yaml": "include: [sub/i.yaml]\nservices: {a: {extends: {file: lib/b.yaml, service: b}, volumes: ['./q:/q']}}",
        "lib/b.yaml": "services: {b: {image: b, volumes: ['./z:/z'], build: ., env_file: e.env}}",
        "lib/e.env": "E=1",
        "sub/i.yaml": "services: {i: {image: i, volumes: ['../r:/r', '/abs:/abs', '~/h:/h']}}",
    }
    options = ConfigOptions(no_path_resolution=True, format="json")
    done = load_from_disk(request(files), lambda one: config(one, options), lambda path: MISSING)
    services = json.loads(done.text)["services"]
    assert services["a"]["build"]["context"] == "lib"
    assert services["a"]["environment"] == {"E": "1"}
    assert [mount["source"] for mount in services["a"]["volumes"]] == ["lib/z", "./q"]
    assert [mount["source"] for mount in services["i"]["volumes"]] == ["r", "/abs", "/home/me/h"]


def test_without_interpolation_it_is_half_long_as_docker_composes() -> None:
    files = {
        "s.yaml": "services: {a: {image: 'x:${T}', environment: {A: 1}, networks: [n], depends_on: {b: {condition: service_started}}, "
        "ports: [{target: 80}], build: {context: ., args: [GONE, K=1], ssh: [default]}},"
        " b: {image: b}}\nnetworks: {n: {external: {name: o}}}",
        "o.yaml": "services: {a: {environment: ['B=${X}'], env_file: [{path: e.env}]}}",
    }
    options = ConfigOptions(no_interpolate=True, format="json")
    done = load_from_disk(request(files, "s.yaml", "o.yaml"), lambda one: config(one, options), lambda path: MISSING)
    data = json.loads(done.text)
    service = data["services"]["a"]
    assert service["environment"] == ["A=1", "B=${X}"]
    assert service["networks"] == {"n": None}
    assert service["depends_on"]["b"] == {"condition": "service_started", "required": True}
    assert service["env_file"] == [{"path": "/w/shop/e.env", "required": True}]
    assert service["ports"] == [{"target": 80, "mode": "ingress", "protocol": "tcp"}]
    assert service["build"]["args"] == ["K=1"]
    assert service["build"]["ssh"] == {"default": None}
    plain = shown("services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: f}}", no_interpolate=True, no_normalize=True, format="json")
    assert json.loads(plain)["services"]["a"]["secrets"] == [{"source": "s", "target": "/run/secrets/s"}]
    assert data["networks"]["n"] == {"external": True, "name": "o"}
