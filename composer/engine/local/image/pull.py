"""Pulling an image: manifest, configuration, layers in parallel, unpack, record. Nothing is kept of a pull that fails but whole blobs.

One pull a reference at a time: a second one waits, and then finds all there. Source: OCI distribution specification, "Pull".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from composer.engine.errors import EngineError, InvalidArgument, Unauthorized
from composer.engine.local.image import digest as digests
from composer.engine.local.image import manifest as manifests
from composer.engine.local.image.blobs import JSON_LIMIT, Blobs, Lease
from composer.engine.local.image.download import download
from composer.engine.local.image.layers import Layers
from composer.engine.local.image.manifest import Descriptor, Index, Manifest, Platform
from composer.engine.local.image.record import parse_config
from composer.engine.local.image.reference import Reference
from composer.engine.local.image.registry import Registry, RegistryProblem, translated
from composer.engine.local.image.relay import Tell, relay
from composer.engine.local.image.store import ImageStore
from composer.engine.model import Progress, ProgressDetail, RegistryAuth

_AT_ONCE = 3  # layers, as Docker


class Puller:
    """Brings images in from registries."""

    def __init__(self, blobs: Blobs, layers: Layers, store: ImageStore) -> None:
        self._blobs = blobs
        self._layers = layers
        self._store = store
        self._running: dict[str, tuple[asyncio.Lock, int]] = {}

    def pull(self, name: Reference, platform: Platform, auth: RegistryAuth | None) -> AsyncIterator[Progress]:
        """``name`` has a tag or a digest. Progress in Docker's words; NotFound, Unauthorized, Unavailable, InvalidArgument."""
        return relay(lambda tell: self._alone(name, platform, auth, tell))

    async def _alone(self, name: Reference, platform: Platform, auth: RegistryAuth | None, tell: Tell) -> None:
        async with self._turn(f"{name} {platform}"), Registry(name.domain, auth) as registry:
            with self._blobs.lease() as lease:
                await _Pull(self._blobs, self._layers, self._store, registry, name, platform, lease, tell).run()

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[None]:
        lock, users = self._running.get(key, (asyncio.Lock(), 0))
        self._running[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            users = self._running[key][1] - 1
            if users:
                self._running[key] = (lock, users)
            else:
                del self._running[key]


class _Pull:
    """One pull."""

    def __init__(
        self,
        blobs: Blobs,
        layers: Layers,
        store: ImageStore,
        registry: Registry,
        name: Reference,
        platform: Platform,
        lease: Lease,
        tell: Tell,
    ) -> None:
        self._blobs, self._layers, self._store = blobs, layers, store
        self._registry, self._name, self._platform, self._lease, self._tell = registry, name, platform, lease, tell
        self._scope = f"repository:{name.path}:pull"
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        top, data, media_type = await self._top()
        self._tell(Progress(status=f"Pulling from {self._name.path}", id=self._name.tag or self._name.digest))
        manifest, described, data = await self._image_manifest(top, data, media_type)
        config = await self._small(manifest.config)
        document = parse_config(config)
        diff_ids = document["rootfs"].get("diff_ids") or []
        if len(diff_ids) != len(manifest.layers):
            raise InvalidArgument(f"the image's configuration names {len(diff_ids)} layers, its manifest {len(manifest.layers)}")
        before = self._store.get(digests.of(config))
        await self._fetch(manifest.layers, digests.chain(tuple(diff_ids)))
        await self._record(config, manifest, described, data, diff_ids, top)
        familiar = self._name.familiar
        what = "Image is up to date" if before is not None and not before.removed else "Downloaded newer image"
        self._tell(Progress(status=f"Digest: {top}"))
        self._tell(Progress(status=f"Status: {what} for {familiar}"))

    async def _top(self) -> tuple[str, bytes, str]:
        """What the reference names: digest, bytes, media type."""
        try:
            return await self._manifest(self._name.digest or self._name.tag)
        except (RegistryProblem, Unauthorized) as error:
            raise translated(error, self._name.familiar_name, self._name.familiar) from error

    async def _manifest(self, wanted: str) -> tuple[str, bytes, str]:
        url = self._registry.url(f"{self._name.path}/manifests/{wanted}")
        headers = {"Accept": ", ".join(manifests.ACCEPTED)}
        response, data = await self._registry.request("GET", url, scope=self._scope, headers=headers, limit=JSON_LIMIT)
        found = digests.of(data)
        promised = wanted if ":" in wanted else response.headers.get("docker-content-digest", found)
        if promised.startswith("sha256:") and promised != found:
            raise EngineError(f"manifest verification failed for digest {promised}: the content has {found}")
        return found, data, response.headers.get("content-type", "")

    async def _image_manifest(self, top: str, data: bytes, media_type: str) -> tuple[Manifest, Descriptor, bytes]:
        parsed = manifests.parse(data, media_type)
        digest = top
        if isinstance(parsed, Index):
            chosen = manifests.choose(parsed, self._platform, self._name.familiar)
            digest, data, media_type = await self._manifest(chosen.digest)
            parsed = manifests.parse(data, media_type)
        if not isinstance(parsed, Manifest):
            raise InvalidArgument("invalid manifest: an index in an index")
        return parsed, Descriptor(parsed.media_type, digest, len(data)), data

    async def _small(self, wanted: Descriptor) -> bytes:
        """The configuration, in memory."""
        if wanted.size > JSON_LIMIT:
            raise InvalidArgument(f"the image's configuration has {wanted.size} bytes, more than {JSON_LIMIT}")
        url = self._registry.url(f"{self._name.path}/blobs/{wanted.digest}")
        _, data = await self._registry.request("GET", url, scope=self._scope, limit=JSON_LIMIT)
        if digests.of(data) != wanted.digest:
            raise EngineError(f"image config verification failed for digest {wanted.digest}: the content has {digests.of(data)}")
        return data

    async def _fetch(self, layers: Sequence[Descriptor], chain: Sequence[str]) -> None:
        self._lease.update(chain)
        self._lease.update(layer.digest for layer in layers)
        for layer in layers:
            self._tell(Progress(status="Pulling fs layer", id=_short(layer)))
        try:
            async with asyncio.TaskGroup() as group:
                fetching: set[str] = set()
                for layer, chain_id in zip(layers, chain, strict=True):
                    if self._layers.has(chain_id):
                        self._tell(Progress(status="Already exists", id=_short(layer)))
                    elif layer.digest not in fetching:  # a manifest may name a blob twice
                        fetching.add(layer.digest)
                        group.create_task(self._layer(layer))
        except BaseExceptionGroup as error:
            raise error.exceptions[0] from None

    async def _layer(self, layer: Descriptor) -> None:
        if not self._blobs.has(layer.digest, layer.size):
            if self._slots.locked():
                self._tell(Progress(status="Waiting", id=_short(layer)))
            async with self._slots:
                told = 0.0

                def progress(current: int) -> None:
                    nonlocal told
                    if time.monotonic() - told >= 0.1:
                        told = time.monotonic()
                        detail = ProgressDetail(current=current, total=layer.size)
                        self._tell(Progress(status="Downloading", id=_short(layer), progress_detail=detail))

                url = self._registry.url(f"{self._name.path}/blobs/{layer.digest}")
                await download(self._registry, url, self._scope, layer, self._blobs, progress)
                self._tell(Progress(status="Verifying Checksum", id=_short(layer)))
        self._tell(Progress(status="Download complete", id=_short(layer)))

    async def _record(
        self, config: bytes, manifest: Manifest, described: Descriptor, data: bytes, diff_ids: Sequence[str], top: str
    ) -> None:
        chain = digests.chain(tuple(diff_ids))
        blobs = [
            layer if self._blobs.has(layer.digest, layer.size) else self._stored(c) for layer, c in zip(manifest.layers, chain, strict=True)
        ]
        new = [layer for layer, chain_id in zip(manifest.layers, chain, strict=True) if not self._layers.has(chain_id)]
        for layer in new:
            self._tell(Progress(status="Extracting", id=_short(layer)))
        layers = await self._layers.ensure(diff_ids, blobs, self._lease)
        for layer in new:
            self._tell(Progress(status="Pull complete", id=_short(layer)))
        whole = tuple(blobs) == manifest.layers  # a layer that was here under another compression has another digest
        if whole:
            self._lease.add(described.digest)
            await asyncio.to_thread(self._blobs.put, data)
        await self._store.put(
            config,
            layers,
            tags=[self._name] if self._name.tag and not self._name.digest else [],
            digests=[self._name.digested(top)],
            manifest=described if whole else None,
            blobs=blobs,
        )

    def _stored(self, chain_id: str) -> Descriptor:
        found = self._layers.get(chain_id)
        if found is None:
            raise EngineError(f"layer {chain_id} was removed while it was pulled", hint="pull again")
        return found.blob


def _short(layer: Descriptor) -> str:
    return layer.digest[7:19]
