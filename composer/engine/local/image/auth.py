"""How a registry wants to be asked, Basic or Bearer, as its 401 answer's WWW-Authenticate tells. `Authorizer` fetches the tokens.

Sources: distribution's "Token Authentication Specification" and "OAuth2 token authentication"; RFC 7235 for the header.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from composer.engine.errors import Unauthorized, Unavailable
from composer.engine.local.image.endpoint import is_loopback
from composer.engine.model import RegistryAuth

if TYPE_CHECKING:
    import httpx

_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_CHALLENGE = re.compile(r"(?:^|,)\s*(Basic|Bearer)(?=[\s,]|$)", re.IGNORECASE)
_LIFE = 60.0  # seconds that a token lives when the server does not say


@dataclass(frozen=True)
class Challenge:
    """``scheme``: basic or bearer. ``realm``: where a token is fetched."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def challenges(header: str) -> list[Challenge]:
    """All Basic and Bearer challenges of a WWW-Authenticate header; others are left out."""
    starts = list(_CHALLENGE.finditer(header))
    ends = [*(start.start() for start in starts[1:]), len(header)]
    found = []
    for start, end in zip(starts, ends, strict=False):
        values = {key.lower(): quoted or bare for key, quoted, bare in _PARAMETER.findall(header[start.end() : end])}
        found.append(Challenge(start[1].lower(), values.get("realm", ""), values.get("service", ""), values.get("scope", "")))
    return found


def credentials(auth: RegistryAuth | None) -> tuple[str, str] | None:
    """(user, password) of the X-Registry-Auth header, from either of its forms."""
    if auth is None:
        return None
    if auth.username:
        return auth.username, auth.password
    if auth.auth:
        try:
            user, _, password = base64.b64decode(auth.auth, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Unauthorized("the registry credentials are not base64 of USER:PASSWORD") from error
        return user, password.rstrip("\0")
    return None


class Authorizer:
    """The Authorization header for one registry, by scope."""

    def __init__(self, auth: RegistryAuth | None) -> None:
        self._auth = auth
        self._basic = credentials(auth)
        self._scheme = ""
        self._tokens: dict[str, tuple[str, float]] = {}

    def header(self, scope: str) -> str:
        """What to send with a request; "" when nothing is known yet."""
        if self._auth is not None and self._auth.registry_token:
            return f"Bearer {self._auth.registry_token}"
        if self._scheme == "basic":
            return self._basic_header()
        token, until = self._tokens.get(scope, ("", 0.0))
        return f"Bearer {token}" if token and time.monotonic() < until else ""

    def _basic_header(self) -> str:
        if self._basic is None:
            return ""
        return "Basic " + base64.b64encode(":".join(self._basic).encode()).decode()

    async def answer(self, client: httpx.AsyncClient, response: httpx.Response, scope: str) -> bool:
        """After a 401: make `header` say what was asked for. False when it was already said, so that asking again is of no use."""
        sent = response.request.headers.get("authorization", "")
        for challenge in challenges(", ".join(response.headers.get_list("www-authenticate"))):
            if challenge.scheme == "basic":
                if self._basic is None:
                    raise Unauthorized(
                        f'{response.request.method.title()} "{response.request.url}": no basic auth credentials',
                        hint="log in to the registry first",
                    )
                self._scheme = "basic"
                return bool(sent != self._basic_header())
            if sent.startswith("Bearer ") and scope in self._tokens:
                del self._tokens[scope]
                return False
            self._tokens[scope] = await self._fetch(client, challenge, scope)
            return True
        return False

    async def _fetch(self, client: httpx.AsyncClient, challenge: Challenge, scope: str) -> tuple[str, float]:
        realm = urlsplit(challenge.realm)
        if realm.scheme != "https" and not (realm.scheme == "http" and is_loopback(realm.hostname or "")):
            raise Unauthorized(f"the registry sends its clients for a token to {challenge.realm!r}, which is not https")
        scopes = scope or challenge.scope
        if self._auth is not None and self._auth.identity_token:
            form = {"grant_type": "refresh_token", "refresh_token": self._auth.identity_token, "client_id": "composer"}
            response = await client.post(challenge.realm, data={**form, "service": challenge.service, "scope": scopes})
        else:
            query = {key: value for key, value in (("service", challenge.service), ("scope", scopes)) if value}
            headers = {"Authorization": self._basic_header()} if self._basic else {}
            response = await client.get(challenge.realm, params=query, headers=headers)
        if response.status_code in (401, 403):
            raise Unauthorized("unauthorized: incorrect username or password" if self._basic else "unauthorized: authentication required")
        if response.status_code != 200:
            raise Unavailable(f"the token server {realm.hostname} answered {response.status_code}")
        try:
            answer = response.json()
            token = str(answer.get("token") or answer["access_token"])
            life = float(answer.get("expires_in") or _LIFE)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise Unavailable(f"the token server {realm.hostname} did not answer with a token") from error
        return token, time.monotonic() + max(life - 10, 10)
