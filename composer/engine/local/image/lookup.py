"""Looking an image up in its registry: the digest that its name stands for now, and its platforms. Nothing is fetched but manifests.

Source: OCI distribution specification v1.1, "Pulling manifests"; what it is for: `GET /distribution/NAME/json` of the Docker Engine API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from composer.engine.errors import EngineError, Unauthorized
from composer.engine.local.image import digest as digests
from composer.engine.local.image import manifest as manifests
from composer.engine.local.image.blobs import JSON_LIMIT
from composer.engine.local.image.manifest import Index
from composer.engine.local.image.reference import Reference
from composer.engine.local.image.registry import Registry, RegistryProblem, translated
from composer.engine.model import RegistryAuth, RegistryDescriptor, RegistryImage, RegistryPlatform


async def look_up(name: Reference, auth: RegistryAuth | None) -> RegistryImage:
    """``name`` has a tag or a digest. NotFound, Unauthorized, Unavailable, InvalidArgument."""
    async with Registry(name.domain, auth) as registry:
        try:
            return await _look_up(registry, name)
        except (RegistryProblem, Unauthorized) as error:
            raise translated(error, name.familiar_name, name.familiar) from error


async def _look_up(registry: Registry, name: Reference) -> RegistryImage:
    scope = f"repository:{name.path}:pull"
    url = registry.url(f"{name.path}/manifests/{name.digest or name.tag}")
    headers = {"Accept": ", ".join(manifests.ACCEPTED)}
    response, data = await registry.request("GET", url, scope=scope, headers=headers, limit=JSON_LIMIT)
    digest = digests.of(data)
    promised = name.digest or response.headers.get("docker-content-digest", digest)
    if promised.startswith("sha256:") and promised != digest:
        raise EngineError(f"manifest verification failed for digest {promised}: the content has {digest}")
    said = response.headers.get("content-type", "").partition(";")[0].strip()
    parsed = manifests.parse(data, said)
    kind = said or (manifests.OCI_INDEX if isinstance(parsed, Index) else parsed.media_type)
    described = RegistryDescriptor(media_type=kind, digest=digest, size=len(data))
    if isinstance(parsed, Index):
        return RegistryImage(descriptor=described, platforms=tuple(_platform(one.platform) for one in parsed.manifests if one.platform))
    if parsed.config.size > JSON_LIMIT:
        return RegistryImage(descriptor=described)
    url = registry.url(f"{name.path}/blobs/{parsed.config.digest}")
    _, config = await registry.request("GET", url, scope=scope, limit=JSON_LIMIT)
    return RegistryImage(descriptor=described, platforms=(_platform(manifests.load_json(config, "configuration")),))


def _platform(found: object) -> RegistryPlatform:
    said: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    return RegistryPlatform(**{key: str(said.get(key) or "") for key in ("architecture", "os", "variant")})
