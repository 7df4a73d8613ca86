"""What a stack file means: merging, long form, files beside it, names, profiles."""

from __future__ import annotations

import pytest

from composer.errors import ComposerError, SpecError
from composer.spec.load import load
from composer.spec.read import MISSING, Content, Need
from tests.spec.stacks import ROOT, request, stack

WEB = "services:\n  web:\n    image: x\n"


def test_short_syntax_becomes_long() -> None:
    web = stack(
        WEB + "    ports: ['127.0.0.1:8080-8081:80-81/udp', 9000]\n    volumes: ['./a:/b:ro', 'data:/d']\n    command: a 'b c'\n"
        "    environment: [A=1, B]\n    healthcheck: {test: x, interval: 1m30s}\n"
        "    ulimits: {nofile: 5}\n    mem_limit: 1.5g\nvolumes: {data: }\n"
    ).services["web"]
    assert [(p.host_ip, p.published, p.target, p.protocol) for p in web.ports] == [
        ("127.0.0.1", "8080", 80, "udp"),
        ("127.0.0.1", "8081", 81, "udp"),
        ("", "", 9000, "tcp"),
    ]
    assert [(v.type, v.source, v.target, v.read_only) for v in web.volumes] == [
        ("bind", f"{ROOT}/a", "/b", True),
        ("volume", "data", "/d", False),
    ]
    assert web.command == ["a", "b c"]
    assert web.environment == {"A": "1", "B": None}
    assert web.healthcheck is not None
    assert web.healthcheck.interval == 90 * 10**9
    assert (web.ulimits["nofile"].soft, web.ulimits["nofile"].hard) == (5, 5)
    assert web.mem_limit == 3 * 2**29


def test_override_files_merge_attribute_by_attribute() -> None:
    files = {
        "a.yml": WEB + "    ports: ['1:1']\n    environment: {A: 1, B: 1}\n    command: run\n    hostname: h\n    dns: 1.1.1.1\n",
        "b.yml": "services:\n  web:\n    ports: ['2:2']\n    environment: [B=2]\n    command: []\n"
        "    hostname: !reset null\n    dns: !override [9.9.9.9]\n",
    }
    web = stack(files, "a.yml", "b.yml").services["web"]
    assert [p.target for p in web.ports] == [1, 2]
    assert web.environment == {"A": "1", "B": "2"}
    assert (web.command, web.hostname, web.dns) == ([], "", ["9.9.9.9"])


def test_extends_and_include_keep_their_own_directory() -> None:
    files = {
        "stack.yml": "include: [db/stack.yml]\nservices:\n  web:\n"
        "    extends: {file: lib/base.yml, service: base}\n    volumes: ['./mine:/m']\n",
        "lib/base.yml": "services: {base: {image: 'b:${V:-none}', volumes: ['./d:/d']}}\n",
        "db/stack.yml": "services: {db: {image: 'p:${V:-none}', build: .}}\n",
        "db/.env": "V=7\n",
    }
    found = stack(files)
    assert [v.source for v in found.services["web"].volumes] == [f"{ROOT}/lib/d", f"{ROOT}/mine"]
    assert found.services["web"].image == "b:none"
    assert found.services["db"].image == "p:7"
    assert found.services["db"].build is not None
    assert found.services["db"].build.context == f"{ROOT}/db"


def test_a_load_asks_for_what_it_lacks_and_opens_nothing() -> None:
    text = WEB + "    env_file: [a.env, b.env]\n    secrets: [s]\nsecrets: {s: {file: ./s.txt}}\n"
    asked = request({"stack.yml": text})
    first = load(asked)
    assert first == Need((f"{ROOT}/.env",))
    second = load(asked.with_contents({f"{ROOT}/.env": MISSING}))
    assert second == Need((f"{ROOT}/a.env", f"{ROOT}/b.env", f"{ROOT}/s.txt"))


def test_content_of_secrets_and_configs() -> None:
    text = (
        WEB
        + "    secrets: [f, e, gone]\n    configs: [c]\nsecrets:\n"
        + "  f: {file: s.bin}\n  e: {environment: TOKEN}\n  gone: {file: no.txt}\nconfigs: {c: {content: 'v=${V}'}}\n"
    )
    found = stack({"stack.yml": text, "s.bin": b"\x00\xff"}, environment={"TOKEN": "t", "V": "1"})
    assert found.secrets["f"].data == b"\x00\xff"
    assert found.secrets["e"].data == b"t"
    assert found.configs["c"].data == b"v=1"
    assert found.secrets["gone"].data is None
    assert "no.txt" in found.secrets["gone"].problem


@pytest.mark.parametrize(
    ("form", "unset", "empty", "full"),
    [
        ("${V}", "", "", "v"),
        ("$V", "", "", "v"),
        ("${V-d}", "d", "", "v"),
        ("${V:-d}", "d", "d", "v"),
        ("${V+s}", "", "s", "s"),
        ("${V:+s}", "", "", "s"),
        ("${V:-${W:-in}}", "in", "in", "v"),
        ("$$V", "$V", "$V", "$V"),
        ("${V:-{}}", "{}", "{}", "v"),
        ("5$", "5$", "5$", "5$"),
    ],
)
def test_variables(form: str, unset: str, empty: str, full: str) -> None:
    text = WEB + f"    environment: {{E: '{form}'}}\n"
    for environment, wanted in (({}, unset), ({"V": ""}, empty), ({"V": "v"}, full)):
        assert stack(text, environment=environment).services["web"].environment["E"] == wanted


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("yes", "yes"),
        ("22:22", "22:22"),
        ("017", "15"),
        ("0o17", "15"),
        ("0x1f", "31"),
        ("1_000", "1000"),
        ("1.50", "1.5"),
        ("1e3", "1000"),
        ("true", "true"),
        ("08", "8"),
        ("~", None),
        ("'~'", "~"),
    ],
)
def test_scalars(written: str, wanted: str | None) -> None:
    assert stack(WEB + f"    environment: {{E: {written}}}\n").services["web"].environment["E"] == wanted


def test_precedence_of_variables_and_names() -> None:
    files = {
        "stack.yml": "name: from-file\nservices: {web: {image: 'x:${T}', environment: {N: '${COMPOSE_PROJECT_NAME}'}}}\n",
        ".env": "T=dot\n",
    }
    found = stack(files)
    assert (found.name, found.services["web"].image, found.services["web"].environment["N"]) == ("from-file", "x:dot", "from-file")
    found = stack(files, environment={"T": "shell", "COMPOSE_PROJECT_NAME": "from-env"})
    assert (found.name, found.services["web"].image) == ("from-env", "x:shell")
    assert stack(files, name="flag").name == "flag"
    assert stack(WEB).name == "shop"


def test_default_files_are_found_above() -> None:
    contents = {"/w/shop/stack.yaml": Content(WEB.encode()), "/w/shop/stack.override.yml": Content(b"services: {web: {tty: true}}\n")}
    found = stack({}, files=(), cwd="/w/shop/deep/er", contents=contents)
    assert found.files == ("/w/shop/stack.yaml", "/w/shop/stack.override.yml")
    assert found.services["web"].tty
    assert found.directory == "/w/shop"


def test_profiles_and_selection() -> None:
    text = "services:\n  web: {image: w, depends_on: [db]}\n  db: {image: d}\n"
    text += "  tool: {image: t, profiles: [tools], env_file: no.env}\n  dbg: {image: g, profiles: [debug]}\n"
    found = stack(text)
    assert list(found.services) == ["db", "web"]
    assert list(found.disabled_services) == ["dbg", "tool"]
    assert list(stack(text, profiles=("debug",)).services) == ["db", "dbg", "web"]
    assert list(found.select(["web"]).services) == ["db", "web"]
    assert list(found.select(["web"], dependencies=False).services) == ["web"]
    assert list(found.enable(["dbg"]).services) == ["db", "dbg", "web"]
    with pytest.raises(SpecError, match=r"no\.env"):
        found.enable(["tool"])
    with pytest.raises(ComposerError, match="no such service: nobody"):
        found.select(["nobody"])


def test_only_used_resources_are_there() -> None:
    found = stack(WEB + "    networks: [a]\nnetworks: {a: , b: }\nvolumes: {v: }\n")
    assert list(found.networks) == ["a"]
    assert found.networks["a"].name == "shop_a"
    assert not found.volumes
    assert set(found.declared.networks) == {"a", "b", "default"}


def test_warnings() -> None:
    found = stack(
        "version: '3'\n" + WEB + "    user: ${NOBODY}\n    hostname: ${NOBODY}\n    storage_opt: {size: 1G}\n    command: a && b\n"
    )
    assert [(w.code, w.mark.line if w.mark else 0) for w in found.warnings] == [
        ("spec.unset-variable", 5),
        ("spec.version", 1),
        ("spec.command-cut", 8),
        ("spec.no-effect", 7),
    ]


def test_a_port_published_twice_is_a_warning() -> None:
    found = stack("services:\n  a: {image: x, ports: ['80:80', '80:80/udp']}\n  b: {image: x, ports: ['80:81']}\n")
    assert [(w.code, w.mark.line if w.mark else 0) for w in found.warnings] == [("spec.port-clash", 3)]
