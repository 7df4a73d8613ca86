"""Which package mirror a distribution's root is made from: the host's own for its family, else the distribution's. Pure.

Source: sources.list(5), both its forms (one line, deb822).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Source:
    """An apt source: where and which suite."""

    uri: str
    suite: str


@dataclass(frozen=True)
class Family:
    """A distribution. ``archive`` and ``security``: its own mirrors. ``keyrings``: files with its keys, the first that is there is used."""

    name: str
    archive: str
    security: str
    components: str
    keyrings: tuple[str, ...]
    keyring_package: str
    suites: tuple[str, ...]


DEBIAN = Family(
    "debian",
    "http://deb.debian.org/debian",
    "http://deb.debian.org/debian-security",
    "main",
    ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"),
    "debian-archive-keyring",
    ("bullseye", "bookworm", "trixie", "forky", "sid", "stable", "testing", "unstable"),
)
UBUNTU = Family(
    "ubuntu",
    "http://archive.ubuntu.com/ubuntu",
    "http://security.ubuntu.com/ubuntu",
    "main universe",
    ("/usr/share/keyrings/ubuntu-archive-keyring.gpg",),
    "ubuntu-keyring",
    ("focal", "jammy", "noble", "plucky", "questing"),
)
UBUNTU_PORTS = "http://ports.ubuntu.com/ubuntu-ports"


def parse(texts: Iterable[tuple[str, str]]) -> Iterator[Source]:
    """The binary sources in apt's files, given as (file name, text)."""
    for name, text in texts:
        yield from _stanzas(text) if name.endswith(".sources") else _lines(text)


def _lines(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        words = re.sub(r"\[[^\]]*\]", " ", line.partition("#")[0]).split()
        if len(words) >= 3 and words[0] == "deb":
            yield Source(words[1].rstrip("/"), words[2])


def _stanzas(text: str) -> Iterator[Source]:
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t") and key:
                fields[key] += " " + line.strip()
            elif ":" in line:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() not in ("no", "false", "0"):
            for uri in fields.get("uris", "").split():
                for suite in fields.get("suites", "").split():
                    yield Source(uri.rstrip("/"), suite)


def apt_lines(family: Family, suite: str, host: Sequence[Source], architecture: str) -> list[str]:
    """sources.list of the new root: the suite, its updates, its security fixes."""
    archive, security = family.archive, family.security
    if family is UBUNTU and architecture not in ("amd64", "i386"):
        archive = security = UBUNTU_PORTS
    for source in reversed(host):
        base, _, pocket = source.suite.partition("-")
        if base not in family.suites or not reachable(source.uri):
            continue
        if pocket == "security":
            security = source.uri
        elif not pocket:
            archive = source.uri
    return [
        f"deb {archive} {suite} {family.components}",
        f"deb {archive} {suite}-updates {family.components}",
        f"deb {security} {suite}-security {family.components}",
    ]


def reachable(uri: str) -> bool:
    """Whether a container could reach it as well: http or https, and not on this machine's loopback."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.hostname == "localhost":
        return False
    try:
        return not ip_address(parts.hostname).is_loopback
    except ValueError:
        return True
