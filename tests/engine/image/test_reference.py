"""References as Docker reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from composer.engine.errors import InvalidArgument
from composer.engine.local.image.reference import parse

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("nginx", "docker.io/library/nginx", "nginx"),
        ("nginx:1.25", "docker.io/library/nginx:1.25", "nginx:1.25"),
        ("library/nginx", "docker.io/library/nginx", "nginx"),
        ("docker.io/nginx", "docker.io/library/nginx", "nginx"),
        ("index.docker.io/a/b", "docker.io/a/b", "a/b"),
        ("a/b:t", "docker.io/a/b:t", "a/b:t"),
        ("localhost/a", "localhost/a", "localhost/a"),
        ("localhost:5000/a:b", "localhost:5000/a:b", "localhost:5000/a:b"),
        ("host:5000/a/b", "host:5000/a/b", "host:5000/a/b"),
        ("ghcr.io/x/y:v1", "ghcr.io/x/y:v1", "ghcr.io/x/y:v1"),
        ("[::1]:5000/a", "[::1]:5000/a", "[::1]:5000/a"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}", f"nginx@{DIGEST}"),
        (f"a/b:t@{DIGEST}", f"docker.io/a/b:t@{DIGEST}", f"a/b:t@{DIGEST}"),
        ("Host/a", "Host/a", "Host/a"),
        ("a__b/c-d.e", "docker.io/a__b/c-d.e", "a__b/c-d.e"),
    ],
)
def test_names(text: str, canonical: str, familiar: str) -> None:
    name = parse(text)
    assert (str(name), name.familiar) == (canonical, familiar)
    assert parse(str(name)) == name
    assert parse(name.familiar) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":tag",
        "a b",
        "a:",
        "a:b:c",
        "-a",
        "a/",
        "/a",
        "a//b",
        "a@sha256:12",
        "http://x/y",
        "a:.t",
        "a..b",
        "..",
        "a/../b",
        "a\n",
        "a:t\n",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^invalid reference format$"):
        parse(text)


def test_docker_s_words() -> None:
    with pytest.raises(InvalidArgument, match=r"repository name \(library/Nginx\) must be lowercase"):
        parse("Nginx")
    with pytest.raises(InvalidArgument, match="cannot specify 64-byte hexadecimal strings"):
        parse("a" * 64)
    with pytest.raises(InvalidArgument, match="must not be more than 255 characters"):
        parse("a" * 260)


def test_default_tag() -> None:
    assert str(parse("a").with_default_tag()) == "docker.io/library/a:latest"
    assert str(parse(f"a@{DIGEST}").with_default_tag()) == f"docker.io/library/a@{DIGEST}"


@given(some.text(max_size=60))
def test_any_text(text: str) -> None:
    try:
        name = parse(text)
    except InvalidArgument:
        return
    assert parse(str(name)) == name
