"""Whatever the bytes, a load ends in a Stack, a Need or a SpecError."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from composer.errors import SpecError
from composer.spec.emit import to_yaml
from composer.spec.load import load
from composer.spec.model import Stack
from composer.spec.normal import to_normal
from composer.spec.parse import parse
from composer.spec.problems import Problems
from composer.spec.read import MISSING, Content, Need
from composer.spec.tree import Source, plain
from tests.spec.stacks import ROOT, request

SAMPLE = """\
name: shop
x-base: &base {restart: always, logging: {driver: json-file, options: {max-size: 1m}}}
services:
  web:
    <<: *base
    image: "nginx:${TAG:-1}"
    build: {context: ./web, args: [A=1], secrets: [key]}
    command: run "two words"
    ports: ["80:80", {target: 443, published: "8443"}, "127.0.0.1:5000-5002:5000-5002/udp"]
    environment: {A: 1, B: , C: "${X:?no}"}
    env_file: [a.env, {path: b.env, required: false}]
    volumes: ["data:/data", ./src:/src:ro, {type: tmpfs, target: /t, tmpfs: {size: 1m}}]
    networks: {front: {aliases: [w]}}
    depends_on: {db: {condition: service_healthy}}
    healthcheck: {test: [CMD, x], interval: 1m30s}
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 1g}}}
    ulimits: {nofile: 5, nproc: {soft: 1, hard: 2}}
    secrets: [key]
    extends: {service: db}
  db: {image: postgres, profiles: [p], extra_hosts: ["a:1.1.1.1"], ports: !override ["1:1"]}
networks: {front: {ipam: {config: [{subnet: 10.0.0.0/8}]}}}
volumes: {data: {driver: local}}
secrets: {key: {file: ./key}}
"""
PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "\n",
    "  ",
    "null",
    "5",
    "1.5",
    "'",
    '"',
    "&a ",
    "*base",
    "<<: ",
    "${",
    "$",
    "!reset ",
    "!!str ",
    "x-",
    "~",
    "\t",
    "é",
    "\x00",
    "2024-01-01",
]


def outcome(data: bytes) -> Stack | Need | SpecError:
    contents = {f"{ROOT}/{name}": MISSING for name in (".env", "b.env", "key")}
    contents |= {f"{ROOT}/stack.yml": Content(data), f"{ROOT}/a.env": Content(b"A=1\n")}
    asked = request({"stack.yml": data}, environment={"X": "1"}, contents=contents)
    try:
        return load(asked)
    except SpecError as error:
        return error


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    text = SAMPLE
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 12)))
        text = text[:at] + draw(st.sampled_from(PIECES)) + text[end:]
    return text.encode()


def test_the_sample_loads() -> None:
    assert isinstance(outcome(SAMPLE.encode()), Stack)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_a_mutated_file_gives_a_stack_or_mistakes(data: bytes) -> None:
    found = outcome(data)
    if isinstance(found, Stack):
        to_yaml(to_normal(found, "yaml"))
        to_normal(found)
    elif isinstance(found, SpecError):
        assert found.diagnostics


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_stack_or_mistakes(data: bytes) -> None:
    outcome(data)


TEXT = st.characters(exclude_categories=["Cs"])
scalars = (
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(TEXT, max_size=20) | st.floats(allow_nan=False, allow_infinity=False)
)
data = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(TEXT, max_size=8), inner, max_size=3), max_leaves=8
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(TEXT, min_size=1, max_size=8).filter(lambda key: key != "<<"), data, min_size=1, max_size=4))
def test_what_is_written_is_read_again(value: dict[str, object]) -> None:
    problems = Problems()
    documents = parse(Source("x", "/x", to_yaml(value).encode()), problems)
    assert not problems.errors, (to_yaml(value), problems.errors)
    assert plain(documents[0]) == value
