"""Pushing an image: layers the registry lacks, in parallel, then the configuration, then the manifest under its tag.

An image that was pulled or loaded with its manifest goes up as it came; one that was made here gets an OCI manifest over gzip layers.
What a layer's gzip is called is remembered, so that it is made again only when a registry lacks it.
Source: OCI distribution specification, "Push" (mount, monolithic and chunked upload).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from composer.engine.errors import EngineError, NotFound, Unauthorized
from composer.engine.local.image import digest as digests
from composer.engine.local.image import manifest as manifests
from composer.engine.local.image import reference as references
from composer.engine.local.image.blobs import Blobs
from composer.engine.local.image.manifest import Descriptor, Manifest
from composer.engine.local.image.record import ImageRecord
from composer.engine.local.image.reference import Reference
from composer.engine.local.image.registry import Registry, RegistryProblem
from composer.engine.local.image.relay import Tell, relay
from composer.engine.local.image.squeeze import Squeezer
from composer.engine.local.image.store import ImageStore
from composer.engine.local.image.upload import Upload
from composer.engine.local.state import State
from composer.engine.model import Progress, ProgressDetail, RegistryAuth

_AT_ONCE = 3


class Pusher:
    """Brings images up to registries."""

    def __init__(self, state: State, blobs: Blobs, store: ImageStore) -> None:
        self._blobs = blobs
        self._store = store
        self._squeezer = Squeezer(state, blobs)

    def push(self, name: Reference, auth: RegistryAuth | None) -> AsyncIterator[Progress]:
        """Push what ``name`` (with a tag) names. NotFound, Unauthorized, Unavailable; progress in Docker's words."""
        return relay(lambda tell: self._push(name, auth, tell))

    async def _push(self, name: Reference, auth: RegistryAuth | None, tell: Tell) -> None:
        record = self._store.named(name)
        if record is None:
            raise NotFound(f"An image does not exist locally with the tag: {name.familiar_name}", hint="build, pull or tag it first")
        tell(Progress(status=f"The push refers to repository [{name.name}]"))
        async with AsyncExitStack() as stack:
            lease = stack.enter_context(self._blobs.lease())
            lease.update(record.blobs)
            registry = await stack.enter_async_context(Registry(name.domain, auth))
            push = _Push(self._blobs, self._squeezer, registry, name, record, self._siblings(record, name), tell)
            try:
                manifest, data = await push.run()
            except (RegistryProblem, Unauthorized) as error:
                raise _translated(error, name) from error
            whole = all(self._blobs.has(layer.digest) for layer in manifest.layers)
            digest = digests.of(data)
            if whole:
                lease.add(digest)
                await asyncio.to_thread(self._blobs.put, data)
            described = Descriptor(manifest.media_type, digest, len(data)) if whole else None
            await self._store.pushed(record.id, name.digested(digest), described)
        tell(Progress(status=f"{name.tag}: digest: {digest} size: {len(data)}"))
        tell(Progress(aux={"Tag": name.tag, "Digest": digest, "Size": len(data)}))

    def _siblings(self, record: ImageRecord, name: Reference) -> dict[str, str]:
        """Diff id -> a repository of the same registry that should have the layer, to mount it from."""
        found: dict[str, str] = {}
        for other in self._store.all():
            for text in other.digests:
                known = references.parse(text)
                if known.domain == name.domain and known.path != name.path:
                    found.update(dict.fromkeys(set(other.diff_ids) & set(record.diff_ids), known.path))
        return found


class _Push:
    """One push."""

    def __init__(
        self,
        blobs: Blobs,
        squeezer: Squeezer,
        registry: Registry,
        name: Reference,
        record: ImageRecord,
        siblings: dict[str, str],
        tell: Tell,
    ) -> None:
        self._blobs, self._squeezer, self._registry, self._name = blobs, squeezer, registry, name
        self._record, self._siblings, self._tell = record, siblings, tell
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> tuple[Manifest, bytes]:
        manifest = self._own()
        for diff_id in self._record.diff_ids:
            self._tell(Progress(status="Preparing", id=diff_id[7:19]))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._layer(place, manifest.layers[place] if manifest else None))
                    for place in range(len(self._record.layers))
                ]
        except BaseExceptionGroup as error:
            raise error.exceptions[0] from None
        if manifest is None:
            config = Descriptor(manifests.OCI_CONFIG, self._record.id, self._blobs.path(self._record.id).stat().st_size)
            manifest = Manifest(config, tuple(task.result() for task in tasks))
            data = manifest.to_bytes()
        else:
            assert self._record.manifest is not None
            data = self._blobs.read(self._record.manifest.digest)
        await self._upload().send_file(self._record.id, self._blobs.path(self._record.id))
        await self._put_manifest(manifest, data)
        return manifest, data

    def _own(self) -> Manifest | None:
        """The manifest that the image came with, when all that it names is here."""
        record = self._record
        if record.manifest is None or not self._blobs.has(record.manifest.digest):
            return None
        parsed = manifests.parse(self._blobs.read(record.manifest.digest), record.manifest.media_type)
        if not isinstance(parsed, Manifest) or not all(self._blobs.has(layer.digest) for layer in parsed.layers):
            return None
        return parsed

    def _upload(self) -> Upload:
        return Upload(self._registry, self._name.path)

    async def _layer(self, place: int, known: Descriptor | None) -> Descriptor:
        diff_id, stored = self._record.diff_ids[place], self._record.layers[place]
        short = diff_id[7:19]
        async with self._slots:
            described = known or await self._squeezer.known(stored)
            upload = self._upload()
            if described is not None:
                if await upload.has(described.digest):
                    self._tell(Progress(status="Layer already exists", id=short))
                    return described
                source = self._siblings.get(diff_id)
                if source and await upload.mount(described.digest, source):
                    self._tell(Progress(status=f"Mounted from {source}", id=short))
                    return described

            def progress(current: int, total: int) -> None:
                self._tell(Progress(status="Pushing", id=short, progress_detail=ProgressDetail(current=current, total=total)))

            if known is not None:
                await upload.send_file(known.digest, self._blobs.path(known.digest), progress)
                described = known
            else:
                async with self._squeezer.squeezed(stored) as (described, path):
                    await upload.send_file(described.digest, path, progress)
            self._tell(Progress(status="Pushed", id=short))
            return described

    async def _put_manifest(self, manifest: Manifest, data: bytes) -> None:
        url = self._registry.url(f"{self._name.path}/manifests/{self._name.tag}")
        scope = f"repository:{self._name.path}:pull,push"

        async def body() -> AsyncIterator[bytes]:
            yield data

        headers = {"Content-Type": manifest.media_type, "Content-Length": str(len(data))}
        await self._registry.request("PUT", url, scope=scope, headers=headers, body=body, accept=(200, 201, 202))


def _translated(error: EngineError, name: Reference) -> EngineError:
    if isinstance(error, RegistryProblem) and error.answered in (401, 403):
        return Unauthorized(
            f"denied: requested access to the resource is denied ({name.familiar_name})", hint="log in to the registry first"
        )
    return error
