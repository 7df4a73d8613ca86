"""Image names, and the credentials for registries out of docker's ``config.json`` (``auths`` and ``identitytoken``)."""

from __future__ import annotations

import json
import os

DEFAULT = "https://index.docker.io/v1/"
HEADER = "X-Registry-Auth"


def split(name: str) -> tuple[str, str]:
    """Repository and tag (or digest); ``latest`` when neither is given."""
    if "@" in name:
        repository, _, digest = name.partition("@")
        return repository, digest
    head, colon, tag = name.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (name, "latest")


def host(repository: str) -> str:
    """The registry's host: the first part, when it looks like a host."""
    first, slash, _ = repository.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else DEFAULT


def auth_header(repository: str) -> list[tuple[str, str]]:
    """The header with the user's credentials for the image's registry; none when there are none."""
    from base64 import b64decode, urlsafe_b64encode

    registry = host(repository)
    path = os.path.join(os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker"), "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            entry = (json.load(file).get("auths") or {}).get(registry) or {}
        user, _, password = b64decode(entry.get("auth") or "").decode().partition(":")
    except (OSError, ValueError, AttributeError):
        return []  # no credentials of use: the registry says what it wants
    if not user and not entry.get("identitytoken"):
        return []
    auth = {"username": user, "password": password, "serveraddress": registry, "identitytoken": entry.get("identitytoken", "")}
    return [(HEADER, urlsafe_b64encode(json.dumps(auth).encode()).decode())]
