"""What may be followed: addresses and refs that can be no option, no other transport, and hold no password."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.engine.errors import InvalidArgument
from composer.gitops.git.address import address, check_ref
from composer.gitops.read import source_of


@pytest.mark.parametrize(
    ("text", "scheme", "url"),
    [
        ("https://host/a.git", "https", "https://host/a.git"),
        ("http://127.0.0.1:3000/a", "http", "http://127.0.0.1:3000/a"),
        ("ssh://git@host:2222/a/b.git", "ssh", "ssh://git@host:2222/a/b.git"),
        ("git@host:a/b.git", "ssh", "git@host:a/b.git"),
        ("git@host:/a/b.git", "ssh", "ssh://git@host/a/b.git"),
        ("git@host:~x/b.git", "ssh", "ssh://git@host/~x/b.git"),
        ("git://host/a", "git", "git://host/a"),
        ("file:///srv/a.git", "file", "file:///srv/a.git"),
        ("/srv/a.git", "file", "file:///srv/a.git"),
        ("https://[::1]:8443/a", "https", "https://[::1]:8443/a"),
    ],
)
def test_addresses(text: str, scheme: str, url: str) -> None:
    found = address(text)
    assert (found.scheme, found.url) == (scheme, url)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ext::sh -c true",
        "ext::sh%20-c%20true",
        "fd::3",
        "--upload-pack=true",
        "-oProxyCommand=true:x",
        "ssh://-oProxyCommand=true/x",
        "ssh://-u@host/x",
        "https://user:password@host/a",
        "https://host/a?x=1",
        "https://host",
        "https:///a",
        "ftp://host/a",
        "file://host/a",
        "git@host:-x",
        "https://host/a b",
        "https://host/a\nb",
        "https://host:99999/a",
        "http://exa mple/a",
    ],
)
def test_no_addresses(text: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        address(text)
    assert "user:password" not in error.value.message


@pytest.mark.parametrize("text", ["main", "v1.2", "feature/x", "refs/heads/main", "HEAD", "a" * 40, "release-1", "ü"])
def test_refs(text: str) -> None:
    assert check_ref(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-x",
        "--all",
        "a..b",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "a?b",
        "a*",
        "[a",
        "a\\b",
        "@",
        "a@{1}",
        "/a",
        "a/",
        "a.lock",
        "a//b",
        "a.",
        "x" * 300,
    ],
)
def test_no_refs(text: str) -> None:
    with pytest.raises(InvalidArgument):
        check_ref(text)


@given(st.text(max_size=60))
def test_nothing_else_is_raised(text: str) -> None:
    for check in (address, check_ref):
        try:
            check(text)
        except InvalidArgument:
            continue
        assert not text.startswith("-")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"path": "../x"}, "within the repository"),
        ({"path": "/etc"}, "within the repository"),
        ({"interval": -1}, "0 or more"),
        ({"interval": 0.5}, "at least a second"),
        ({"interval": True}, "wrong type"),
        ({"prune": "yes"}, "wrong type"),
        ({"colour": "red"}, "no 'colour'"),
        ({"after": "db"}, "list of strings"),
        ({"token_file": "token"}, "absolute path"),
        ({"repo": "ssh://git@host/x"}, "host key"),
        ({"repo": "http://example.org/x", "token_file": "/t"}, "over http"),
        ({"repo": "git://host/x", "token_file": "/t"}, "for https, not for git"),
        ({"signers": ["nonsense"]}, "not a signing key"),
        ({"signers": [""]}, "empty"),
        ({"windows": ["x"]}, "sync window"),
        ({"report": {"kind": "bitbucket"}}, "github, gitlab or gitea"),
        ({"report": {"kind": "github"}}, "needs the API's address"),
        ({"notify": ["ftp://x"]}, "https or http"),
        ({"largest": 0}, "largest size"),
        ({"env": {"A": 1}}, "names and values"),
    ],
)
def test_a_source_that_cannot_be(wanted: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        source_of({"name": "s", "repo": "https://host/x", **wanted}, 0.0)
