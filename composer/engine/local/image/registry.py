"""A client of one registry: requests by the OCI distribution protocol, with authorization, time limits and patience.

Source: OCI distribution specification v1.1; error bodies ("errors": [{"code", "message"}]) as there. Loopback registries may speak plain
http, as Docker allows it; all others https, verified by the system's certificates. 5xx, 429 and lost connections are tried again.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from composer.engine.errors import EngineError, NotFound, Unauthorized, Unavailable
from composer.engine.local.image.auth import Authorizer
from composer.engine.local.image.endpoint import host_of, is_loopback
from composer.engine.model import RegistryAuth

if TYPE_CHECKING:
    import httpx

_ATTEMPTS = 4
_BACK_OFF = (0.2, 1.0, 3.0)  # seconds before the next attempt
_ERROR_LIMIT = 64 << 10  # bytes read of an error's body
Body = Callable[[], AsyncIterator[bytes]]  # makes the body anew for each attempt


class RegistryProblem(EngineError):
    """The registry refused. ``status``: HTTP's; ``reason``: its error code ("MANIFEST_UNKNOWN"), "" when it gave none."""

    code = "engine.registry"

    def __init__(self, message: str, answered: int, reason: str = "") -> None:
        super().__init__(message)
        self.answered = answered
        self.reason = reason


class Registry:
    """Use as ``async with Registry(domain, auth) as registry``. ``patience``: seconds for each step of one attempt, which is then the only
    one."""

    def __init__(self, domain: str, auth: RegistryAuth | None = None, *, patience: float | None = None) -> None:
        self.domain = domain
        self._patience = patience
        self.host = host_of(domain)
        self._authorizer = Authorizer(auth)
        self._client: httpx.AsyncClient | None = None
        self._base = ""

    async def __aenter__(self) -> Registry:
        self._client = await asyncio.to_thread(_client, is_loopback(self.host), self._patience)
        try:
            self._base = await self._find_base()
        except BaseException:
            await self._client.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._client is not None
        await self._client.aclose()

    async def _find_base(self) -> str:
        """https, and for loopback http when https is not spoken there."""
        import httpx

        assert self._client is not None
        if is_loopback(self.host):
            try:
                await self._client.get(f"https://{self.host}/v2/")
            except httpx.TransportError:
                return f"http://{self.host}"
        return f"https://{self.host}"

    def url(self, path: str) -> str:
        return f"{self._base}/v2/{path}"

    async def request(
        self,
        method: str,
        url: str,
        *,
        scope: str,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        limit: int = 8 << 20,
        accept: tuple[int, ...] = (200,),
    ) -> tuple[httpx.Response, bytes]:
        """A request and its whole answer of at most ``limit`` bytes. RegistryProblem for a status that is not in ``accept``."""
        async with self.stream(method, url, scope=scope, headers=headers, body=body, accept=accept) as response:
            data = b""
            async for chunk in response.aiter_bytes(64 << 10):
                data += chunk
                if len(data) > limit:
                    raise EngineError(f"the registry's answer to {url} is larger than {limit} bytes")
            return response, data

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        scope: str,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        accept: tuple[int, ...] = (200,),
    ) -> AsyncIterator[httpx.Response]:
        """A request whose answer is read by the caller; tried again until one comes. RegistryProblem, Unauthorized, Unavailable."""
        response = await self._send(method, url, scope, headers or {}, body)
        try:
            if response.status_code not in accept:
                raise await _problem(response)
            with connection_words(method, url):
                yield response
        finally:
            await response.aclose()

    async def _send(self, method: str, url: str, scope: str, headers: Mapping[str, str], body: Body | None) -> httpx.Response:
        import httpx

        asked = False
        attempt = 0 if self._patience is None else _ATTEMPTS - 1
        while True:
            try:
                response = await self._once(method, url, scope, headers, body)
            except httpx.TransportError as error:
                attempt += 1
                if attempt >= _ATTEMPTS or _is_final(error):
                    raise unavailable(method, url, error) from error
                await asyncio.sleep(_BACK_OFF[attempt - 1])
                continue
            if response.status_code == 401 and not asked:
                asked = True
                await response.aclose()
                assert self._client is not None
                with connection_words("Get", url):
                    again = await self._authorizer.answer(self._client, response, scope)
                if again:
                    continue
                raise Unauthorized("unauthorized: authentication required", hint="log in to the registry first, or check the credentials")
            if (response.status_code >= 500 or response.status_code == 429) and attempt + 1 < _ATTEMPTS:
                attempt += 1
                await response.aclose()
                await asyncio.sleep(_delay(response, attempt))
                continue
            return response

    async def _once(self, method: str, url: str, scope: str, headers: Mapping[str, str], body: Body | None) -> httpx.Response:
        assert self._client is not None
        known = self._authorizer.header(scope)
        sent = {**headers, **({"Authorization": known} if known else {})}
        request = self._client.build_request(method, urljoin(self._base + "/", url), headers=sent, content=body() if body else None)
        return await self._client.send(request, stream=True, follow_redirects=body is None)


def _client(loopback: bool, patience: float | None) -> httpx.AsyncClient:
    """In a thread: importing httpx and reading the certificates take 0.2 s."""
    import httpx

    context = ssl.create_default_context()
    if loopback:  # as Docker: what is on this machine needs no certificate
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    limits = httpx.Limits(max_connections=8, max_keepalive_connections=8)
    timeout = httpx.Timeout(60.0, connect=15.0) if patience is None else httpx.Timeout(patience)
    agent = {"User-Agent": "composer"}
    return httpx.AsyncClient(verify=context, limits=limits, timeout=timeout, headers=agent, trust_env=not loopback)


def _delay(response: httpx.Response, attempt: int) -> float:
    after = response.headers.get("retry-after", "")
    return min(float(after), 30.0) if after.isdigit() else _BACK_OFF[min(attempt, len(_BACK_OFF)) - 1]


def _is_final(error: httpx.TransportError) -> bool:
    """What another attempt cannot mend: nobody listens, no such name, a certificate that is not trusted."""
    import httpx

    return isinstance(error, httpx.ConnectError | httpx.UnsupportedProtocol)


@contextmanager
def connection_words(method: str, url: str) -> Iterator[None]:
    """Turns httpx's errors inside the block into ours."""
    import httpx

    try:
        yield
    except httpx.TransportError as error:
        raise unavailable(method, url, error) from error


def unavailable(method: str, url: str, error: Exception) -> Unavailable:
    """In the words of Docker, which are Go's."""
    cause: BaseException = error
    while cause.__cause__ is not None or cause.__context__ is not None:
        cause = cause.__cause__ or cause.__context__ or cause
    text = str(error) or type(error).__name__
    if isinstance(cause, ConnectionRefusedError) or "Connection refused" in str(cause) or "All connection attempts failed" in text:
        text = f"dial tcp {urlsplit(url).netloc}: connect: connection refused"
    elif isinstance(cause, ssl.SSLError):
        text = f"tls: failed to verify certificate: {cause.reason or cause}"
    elif "Name or service not known" in str(cause) or "nodename nor servname" in str(cause) or "name resolution" in str(cause):
        text = f"dial tcp: lookup {urlsplit(url).hostname}: no such host"
    elif "Timeout" in type(error).__name__:
        text = "net/http: request canceled (timed out while waiting for the registry)"
    return Unavailable(f'{method.title()} "{url}": {text}', hint="is the registry's address right, and does it run?")


async def _problem(response: httpx.Response) -> EngineError:
    data = b""
    async for chunk in response.aiter_bytes(16 << 10):
        data += chunk
        if len(data) > _ERROR_LIMIT:
            break
    code, message = _reason(data)
    if response.status_code in (401, 403) and not code:
        code, message = ("UNAUTHORIZED", "authentication required") if response.status_code == 401 else ("DENIED", "access denied")
    where = f'{response.request.method.title()} "{response.request.url}"'
    text = (
        f"{code.lower().replace('_', ' ')}: {message}" if code else f"{where}: unexpected status from the registry: {response.status_code}"
    )
    return RegistryProblem(text, response.status_code, code)


def _reason(data: bytes) -> tuple[str, str]:
    try:
        first: Any = json.loads(data)["errors"][0]
        return str(first["code"]), str(first.get("message") or first["code"])[:500]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return "", ""


def translated(error: RegistryProblem | Unauthorized, familiar_name: str, familiar: str) -> EngineError:
    """The refusal of a pull in Docker's words."""
    answered = error.answered if isinstance(error, RegistryProblem) else 401
    reason = error.reason if isinstance(error, RegistryProblem) else "UNAUTHORIZED"
    if reason == "MANIFEST_UNKNOWN" or (answered == 404 and not reason):
        return NotFound(f"manifest for {familiar} not found: {error.message if reason else 'manifest unknown: manifest unknown'}")
    if reason == "NAME_UNKNOWN":
        return NotFound(f"repository {familiar_name} not found: {error.message}")
    if answered in (401, 403) and "no basic auth" not in error.message:
        words = f"pull access denied for {familiar_name}, repository does not exist or may require 'docker login': "
        return NotFound(words + ("denied: requested access to the resource is denied" if reason != "DENIED" else error.message))
    return error
