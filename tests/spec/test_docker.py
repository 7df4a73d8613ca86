"""Corners in which docker compose 2.40.3 was asked, and what it printed: scalars as YAML, models as JSON, refusals."""

from __future__ import annotations

import json

import pytest

from composer.spec.config import ConfigOptions, Output, config
from composer.spec.emit import to_yaml
from composer.spec.order import natural
from composer.spec.read import load_from_disk
from tests.spec.stacks import MISSING, mistakes, request, stack

SCALARS = {
    "a b": "a b", "": '""', "yes": '"yes"', "yEs": "yEs", "~": '"~"', "~a": "~a", "1e3": '"1e3"', "1,000": "1,000", "22:22": '"22:22"',
    "1:60": "1:60", "a: b": "'a: b'", "a:": "'a:'", "a #b": "'a #b'", "#a": "'#a'", "- a": "'- a'", "-a": "-a", "---": "'---'", "?a": "?a",
    "[a": "'[a'", "*": "'*'", "a'b": "a'b", "'a": "'''a'", '"a': "'\"a'", "%a": "'%a'", " a": "' a'", "a\tb": '"a\\tb"', "é": "é",
    "😀": '"\\U0001F600"', "\x85": '"\\N"', "\ufeff": '"\\uFEFF"', "\x1b[0m": '"\\e[0m"', "a\r\nb": '"a\\r\\nb"',
    "2001-01-01": '"2001-01-01"',
    "a\nb": "|-\n  a\n  b", "a\nb\n": "|\n  a\n  b", "\na": "|2-\n\n  a", "a\n\n": "|+\n  a\n", "a \nb": '"a \\nb"', "http://a/b": "http://a/b",
}  # fmt: skip


@pytest.mark.parametrize("text", SCALARS)
def test_a_scalar_in_yaml(text: str) -> None:
    assert to_yaml({"k": text}) == f"k: {SCALARS[text]}\n"


def test_the_order_of_keys() -> None:
    assert natural(["k10", "k2", "ka", "K1", "k_1", "k1a", "k1", "a-b", "ab"]) == ["K1", "a-b", "ab", "k_1", "k1", "k1a", "k2", "k10", "ka"]


def model(text: str, *flags: str) -> dict[str, object]:
    options = ConfigOptions(format="json")
    done = load_from_disk(request({"stack.yml": text}, name="conf"), lambda one: config(one, options), lambda path: MISSING)
    assert isinstance(done, Output)
    service = json.loads(done.text)["services"]["a"]
    return {key: value for key, value in service.items() if value is not None and key not in ("image", "networks")}


A = "services: {a: {image: x, "
MODELS = {
    A + "volumes: ['./x:/d:nocopy']}}": {
        "volumes": [{"type": "bind", "source": "/w/shop/x", "target": "/d", "bind": {"create_host_path": True}, "volume": {"nocopy": True}}]
    },
    A + "annotations: [a, a], tmpfs: [/t=1, /t=2], cap_add: [A, A]}}": {"annotations": {"a": ""}, "tmpfs": ["/t=2"], "cap_add": ["A"]},
    A + "build: {dockerfile: ''}}}": {"build": {"context": "/w/shop"}},
    A + "labels: {k: !!binary aGVsbG8=}}}": {"labels": {"k": "hello"}},
    A + "ports: [{target: 80, published: abc}]}}": {"ports": [{"mode": "ingress", "target": 80, "published": "abc", "protocol": "tcp"}]},
    "services: {a: {extends: {service: b, file: null, x-n: 1}}, b: {image: x, hostname: h}}": {"hostname": "h"},
}


@pytest.mark.parametrize("text", MODELS)
def test_a_model(text: str) -> None:
    assert model(text) == MODELS[text]


REFUSED = {
    A + "user: '${HOME:-${U:?deep}}'}}": "1:41 spec.required-variable",  # though HOME is set
    A + "ports: ['[fe80::1%eth0]:80:80']}}": "1:34 spec.port",
    A + "ports: [{target: 80, host_ip: ''}]}}": "1:34 spec.port",
    A + "build: {ssh: [x]}}}": "1:40 spec.ssh",
    A + "labels: {k: !!binary '*'}}}": "1:38 spec.binary",
    A + "ports: [{target: 80, published: abc}]}}": "1:58 spec.port",  # `config` lets it pass
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_refusal(text: str) -> None:
    assert mistakes(text) == [REFUSED[text]]


def test_env_files_of_one_name_beside_two_stack_files_are_two() -> None:
    files = {
        "stack.yml": "services: {a: {extends: {file: sub/s.yml, service: s}}}\n",
        "sub/s.yml": "services: {s: {image: s, env_file: e.env, extends: {file: ../o.yml, service: o}}}\n",
        "o.yml": "services: {o: {image: o, env_file: e.env}}\n",
        "e.env": "OUTER=1\n",
        "sub/e.env": "INNER=1\n",
    }
    assert stack(files).services["a"].environment == {"OUTER": "1", "INNER": "1"}


def test_pools_of_a_network_are_merged_by_subnet() -> None:
    files = {
        "a.yml": "services: {a: {image: x, networks: [n]}}\nnetworks: {n: {ipam: {config: [{subnet: 10.0.0.0/8, gateway: 10.0.0.1}]}}}\n",
        "b.yml": "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/8, ip_range: 10.5.0.0/16}]}}}\n",
    }
    pools = stack(files, "a.yml", "b.yml").networks["n"].ipam.config
    assert [(pool.subnet, pool.gateway, pool.ip_range) for pool in pools] == [("10.0.0.0/8", "10.0.0.1", "10.5.0.0/16")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (A + "tty: 'yes'}}", "spec.old-boolean"),
        ("services: {a: {image: x, networks: [n]}}\nnetworks: {n: {external: {name: q}}}\n", "spec.deprecated"),
        (A + "user: '${HOME:-${U}}'}}", "spec.unset-variable"),
    ],
)
def test_a_warning(text: str, code: str) -> None:
    assert [warning.code for warning in stack(text).warnings] == [code]
