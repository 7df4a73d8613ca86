"""What may be followed: the address of a repository, and a ref, checked so that neither can be an option or another transport.

Transports: https, http, ssh (also written USER@HOST:PATH), git, file. Source: git-clone(1) "GIT URLS", git-check-ref-format(1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from composer.engine.errors import InvalidArgument

SCHEMES = ("https", "http", "ssh", "git", "file")
_SCP = re.compile(r"(?:(?P<user>[A-Za-z0-9._-]+)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*):(?P<path>(?!:)[^\s]+)")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")
_REF = re.compile(r"(?!-)(?!/)(?!.*(\.\.|@\{|//|/\.|\.lock(/|$)))[^\x00-\x20\x7f~^:?*\[\\]+(?<![/.])")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_HINT = "https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH, git://HOST/PATH, or file:///PATH"


@dataclass(frozen=True, slots=True)
class Address:
    """``url`` is what git is given; it holds no password."""

    url: str
    scheme: str
    host: str = ""
    path: str = ""

    @property
    def loopback(self) -> bool:
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


def address(text: str) -> Address:
    """The address that ``text`` says. InvalidArgument: it is none that may be followed."""
    if not text or any(ord(char) < 33 or ord(char) == 127 for char in text):
        raise InvalidArgument(f"not an address of a repository: {text!r}", hint=_HINT)
    if text.startswith("/"):
        return Address(f"file://{text}", "file", "", text)
    if "://" not in text:
        return _scp(text)
    scheme = text.partition("://")[0]
    if scheme not in SCHEMES:
        raise InvalidArgument(f"git's transport '{scheme}' is not allowed", hint=_HINT)
    return _url(text, scheme)


def _scp(text: str) -> Address:
    found = _SCP.fullmatch(text)
    if found is None or "::" in text:
        raise InvalidArgument(f"not an address of a repository: {text}", hint=_HINT)
    user = f"{found['user']}@" if found["user"] else ""
    path = found["path"]
    if path.startswith("-"):
        raise InvalidArgument(f"the path of the repository's address begins with '-': {text}", hint=_HINT)
    if path[0] not in "/~":  # relative to the account's home, which only the short form can say
        return Address(text, "ssh", found["host"], path)
    return Address(f"ssh://{user}{found['host']}{path if path.startswith('/') else '/' + path}", "ssh", found["host"], path)


def _url(text: str, scheme: str) -> Address:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidArgument(f"not an address of a repository: {error}", hint=_HINT) from error
    if parts.password is not None:
        raise InvalidArgument("the repository's address holds a password", hint="give it in a file: --user NAME --token-file FILE")
    if parts.query or parts.fragment:
        raise InvalidArgument("the repository's address has a query or a fragment", hint=_HINT)
    if (parts.username or "").startswith("-"):
        raise InvalidArgument("the user of the repository's address begins with '-'")
    if scheme == "file":
        if host or not parts.path.startswith("/"):
            raise InvalidArgument(f"a file address has three slashes and an absolute path: {text}", hint="file:///srv/git/app.git")
        return Address(text, scheme, "", unquote(parts.path))
    if not _HOST.fullmatch(host):
        raise InvalidArgument(f"the repository's address has no usable host: {text}", hint=_HINT)
    if parts.path in ("", "/"):
        raise InvalidArgument(f"the repository's address has no path: {text}", hint=_HINT)
    return Address(text, scheme, host, parts.path)


def check_ref(text: str) -> str:
    """The ref, when it can be one: a branch, a tag, a full ref, HEAD or a whole commit id. InvalidArgument."""
    if not _REF.fullmatch(text) or len(text) > 250 or text == "@":
        raise InvalidArgument(f"not a branch, tag or commit: {text!r}", hint="such as main, v1.2, refs/heads/main or a whole commit id")
    return text


def is_commit(text: str) -> bool:
    """A whole object id, SHA-1 or SHA-256."""
    return bool(_COMMIT.fullmatch(text))
