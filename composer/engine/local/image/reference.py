"""References: "nginx", "nginx:1.25", "host:5000/a/b@sha256:...", as Docker reads and shows them. Pure.

Canonical: with the registry and the library ("docker.io/library/nginx"); familiar: without what Docker would add ("nginx").
Source: the grammar of github.com/distribution/reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from composer.engine.errors import InvalidArgument

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_LIBRARY = "library/"
_ALNUM = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf"(?:{_ALNUM}(?:\.{_ALNUM})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?\Z")
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*\Z")
_TAG = re.compile(r"\w[\w.-]{0,127}\Z", re.ASCII)
_DIGEST = re.compile(r"[a-zA-Z][a-zA-Z0-9]*(?:[-_+.][a-zA-Z][a-zA-Z0-9]*)*:[0-9a-fA-F]{32,}\Z")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}\Z")


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference; ``str`` is canonical, `familiar` as the user would write it."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        rest = self.path.removeprefix(_LIBRARY)
        return self.path if "/" in rest else rest

    @property
    def familiar(self) -> str:
        return self.familiar_name + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.name + self._suffix

    def with_default_tag(self) -> Reference:
        """ ":latest" when neither tag nor digest is given."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def tagged(self, tag: str) -> Reference:
        return replace(self, tag=tag, digest="")

    def digested(self, digest: str) -> Reference:
        return replace(self, tag="", digest=digest)


def parse(text: str) -> Reference:
    """Parse and normalise. Raises InvalidArgument with Docker's words."""
    if _IDENTIFIER.match(text):
        raise InvalidArgument(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.match(digest):
        raise _invalid(text)
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and not _TAG.match(tag):
        raise _invalid(text)
    domain, path = _split(head + slash + last)
    if path != path.lower():
        raise InvalidArgument(f"invalid reference format: repository name ({path}) must be lowercase")
    if not _PATH.match(path) or not _DOMAIN.match(domain):
        raise _invalid(text)
    if len(domain) + 1 + len(path) > 255:
        raise InvalidArgument("invalid reference format: repository name must not be more than 255 characters")
    return Reference(domain, path, tag, digest)


def _split(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash or not (any(c in first for c in ".:") or first == "localhost" or first != first.lower()):
        domain, path = DEFAULT_DOMAIN, name
    else:
        domain, path = ("docker.io" if first == "index.docker.io" else first), rest
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = _LIBRARY + path
    return domain, path


def _invalid(text: str) -> InvalidArgument:
    return InvalidArgument("invalid reference format", hint=f"{text[:200]!r} is not [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST] in lower case")
