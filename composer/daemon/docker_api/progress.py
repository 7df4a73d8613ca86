"""The progress of pull, push, load, import and build as Docker's JSON lines: what is empty is left out, a late failure is a line, too.

Source: moby pkg/jsonmessage.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator
from typing import Any

from composer.daemon.request import Request
from composer.daemon.response import JSON, Response, close, describe, encode, primed
from composer.engine.errors import InvalidArgument
from composer.engine.model import Progress, RegistryAuth
from composer.errors import ComposerError

_STANDARD = str.maketrans("-_", "+/")  # base64url to base64


def line(one: Progress) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if one.stream:
        found["stream"] = one.stream
    if one.status:
        found["status"] = one.status
    if one.progress_detail is not None:
        detail = one.progress_detail
        found["progressDetail"] = {key: value for key, value in (("current", detail.current), ("total", detail.total)) if value}
    if one.id:
        found["id"] = one.id
    if one.aux is not None:
        found["aux"] = one.aux
    return found


async def told(source: AsyncIterator[Progress], *, quiet: bool = False) -> Response:
    """The answer. What fails before the first line has its own status. ``quiet``: only the id at the end of a build."""
    found = await primed(source)

    async def lines() -> AsyncIterator[bytes]:
        image_id = ""
        try:
            async for one in found:
                image_id = str((one.aux or {}).get("ID", image_id))
                if not quiet:
                    yield encode(line(one))
            if quiet:
                yield encode({"stream": f"{image_id}\n"})
        except ComposerError as error:
            yield encode({"errorDetail": {"message": error.message}, "error": error.message, "composer": describe(error)})
        finally:
            await close(found)

    return Response(200, lines(), JSON)


def auth_of(request: Request) -> RegistryAuth | None:
    """The header X-Registry-Auth: base64url of JSON; None when it is absent or empty. InvalidArgument."""
    text = request.headers.get("x-registry-auth", "")
    if not text:
        return None
    try:
        text = text.translate(_STANDARD) + "=" * (-len(text) % 4)
        decoded = json.loads(base64.b64decode(text, validate=True) or b"{}")
    except (binascii.Error, ValueError) as error:
        raise InvalidArgument("invalid X-Registry-Auth header: it is not base64url of JSON") from error
    auth = RegistryAuth.from_wire(decoded or {})
    return auth if auth != RegistryAuth() else None
