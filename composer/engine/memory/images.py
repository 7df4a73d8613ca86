"""Images in memory: a configuration and names; the layers are empty."""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import tarfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from composer.engine.errors import Conflict, InvalidArgument, NotFound
from composer.engine.filters import images as filtering
from composer.engine.filters.words import Filters, check, flag
from composer.engine.memory.archive import gather
from composer.engine.memory.world import ImageRecord, World, epoch
from composer.engine.model import (
    BuildConfig,
    HistoryItem,
    Image,
    ImageDeleted,
    ImageSummary,
    ProcessConfig,
    Progress,
    PruneReport,
    RegistryAuth,
    RegistryDescriptor,
    RegistryImage,
    RegistryPlatform,
    RootFS,
)


def normal(ref: str) -> str:
    """ "nginx" -> "nginx:latest", without Docker Hub's prefixes."""
    for prefix in ("docker.io/library/", "docker.io/", "library/"):
        ref = ref.removeprefix(prefix)
    if "@" in ref or ref.startswith("sha256:"):
        return ref
    return ref if ":" in posixpath.basename(ref) else f"{ref}:latest"


class MemoryImages:
    """interface.Images. What can be pulled is what `World.registry` holds."""

    def __init__(self, world: World) -> None:
        self._world = world

    def find(self, ref: str) -> ImageRecord:
        """By tag, id or id prefix. NotFound."""
        name = normal(ref)
        for record in self._world.images.values():
            if name in record.tags or ref == record.image.id or name in record.image.repo_digests:
                return record
        digits = ref.removeprefix("sha256:")
        found = [one for one in self._world.images.values() if len(digits) >= 4 and one.image.id[7:].startswith(digits)]
        if len(found) != 1:
            raise NotFound(f"No such image: {name}")
        return found[0]

    def add(self, config: ProcessConfig, *tags: str, parent: str = "", comment: str = "", author: str = "") -> str:
        """Make an image (or find the same one), give it these tags, return its id."""
        digest = hashlib.sha256((config.model_dump_json() + parent + comment + "".join(tags[:1])).encode()).hexdigest()
        image_id = f"sha256:{digest}"
        if image_id not in self._world.images:
            image = Image(
                id=image_id,
                created=self._world.now(),
                parent=parent,
                comment=comment,
                author=author,
                config=config,
                architecture="amd64",
                root_fs=RootFS(layers=(f"sha256:{hashlib.sha256(digest.encode()).hexdigest()}",)),
            )
            self._world.images[image_id] = ImageRecord(image, [])
        for tag in tags:
            self._tag(image_id, normal(tag))
        return image_id

    def _tag(self, image_id: str, name: str) -> None:
        for record in self._world.images.values():
            if name in record.tags:
                record.tags.remove(name)
        self._world.images[image_id].tags.append(name)
        self._world.publish("image", "tag", image_id, {"name": name})

    async def inspect(self, ref: str) -> Image:
        return shown(self.find(ref))

    async def list(self, *, all: bool = False, filters: Filters | None = None) -> Sequence[ImageSummary]:
        rows = [
            ImageSummary(
                id=record.image.id,
                parent_id=record.image.parent,
                repo_tags=tuple(record.tags),
                repo_digests=record.image.repo_digests,
                created=int(epoch(record.image.created)),
                labels=record.image.config.labels,
            )
            for record in reversed(self._world.images.values())
        ]
        return filtering.select(rows, filters, created=lambda ref: int(epoch(self.find(ref).image.created)))

    async def history(self, ref: str) -> Sequence[HistoryItem]:
        record = self.find(ref)
        created = int(epoch(record.image.created))
        return (
            HistoryItem(id=record.image.id, created=created, created_by="memory", tags=tuple(record.tags), comment=record.image.comment),
        )

    async def tag(self, ref: str, target: str) -> None:
        record = self.find(ref)
        if not target or target != target.lower():
            raise InvalidArgument(f"invalid reference format: repository name ({target}) must be lowercase")
        self._tag(record.image.id, normal(target))

    async def remove(self, ref: str, *, force: bool = False, prune: bool = True) -> Sequence[ImageDeleted]:
        record = self.find(ref)
        users = [one for one in self._world.containers.values() if one.container.image == record.image.id]
        by_tag = normal(ref) in record.tags
        if by_tag and len(record.tags) > 1:
            record.tags.remove(normal(ref))
            self._world.publish("image", "untag", record.image.id, {"name": record.image.id})
            return (ImageDeleted(untagged=normal(ref)),)
        if users and (users[0].running or not force):
            state = "running" if users[0].running else "stopped"
            verb = "cannot be forced" if users[0].running else "must be forced"
            raise Conflict(
                f"conflict: unable to remove repository reference {ref!r} ({verb}) - "
                f"container {users[0].id[:12]} is using its referenced image {record.image.id[7:19]} ({state})".replace("'", '"')
            )
        if not by_tag and len(record.tags) > 1 and not force:
            raise Conflict(
                f"conflict: unable to delete {record.image.id[7:19]} (must be forced) - image is referenced in multiple repositories"
            )
        untagged = [ImageDeleted(untagged=tag) for tag in record.tags]
        del self._world.images[record.image.id]
        self._world.publish("image", "delete", record.image.id, {"name": record.image.id})
        return (*untagged, ImageDeleted(deleted=record.image.id))

    async def prune(self, filters: Filters | None = None) -> PruneReport:
        dangling = flag(check(filters, filtering.PRUNE_KEYS), "dangling")
        used = {one.container.image for one in self._world.containers.values()}
        gone: list[str] = []
        for image_id, record in list(self._world.images.items()):
            if image_id not in used and (not record.tags or dangling is False):
                gone += [step.untagged or step.deleted for step in await self.remove(image_id, force=True)]
        return PruneReport(deleted=tuple(gone))

    async def prune_builds(self) -> PruneReport:
        return PruneReport()  # its builds remember nothing

    async def distribution(self, ref: str, *, auth: RegistryAuth | None = None) -> RegistryImage:
        name = normal(ref)
        config = self._world.registry.get(name)
        if config is None:
            raise NotFound(f"manifest for {ref} not found: manifest unknown: manifest unknown")
        digest = "sha256:" + hashlib.sha256(config.model_dump_json().encode()).hexdigest()
        return RegistryImage(descriptor=RegistryDescriptor(digest=digest), platforms=(RegistryPlatform(architecture="amd64", os="linux"),))

    async def pull(self, ref: str, *, platform: str = "", auth: RegistryAuth | None = None) -> AsyncIterator[Progress]:
        name = normal(ref)
        repository, _, tag = name.rpartition(":")
        config = self._world.registry.get(name)
        if config is None:
            raise NotFound(
                f"pull access denied for {repository}, repository does not exist or may require 'docker login': "
                "denied: requested access to the resource is denied"
            )
        yield Progress(status=f"Pulling from {repository}", id=tag)
        before = set(self._world.images)
        image_id = self.add(config, name)
        what = "Image is up to date" if image_id in before else "Downloaded newer image"
        yield Progress(status=f"Digest: {image_id}")
        yield Progress(status=f"Status: {what} for {name}")
        self._world.publish("image", "pull", name, {"name": repository})

    async def push(self, ref: str, *, auth: RegistryAuth | None = None) -> AsyncIterator[Progress]:
        name = normal(ref)
        record = self.find(ref)
        if name not in record.tags:
            raise NotFound(f"An image does not exist locally with the tag: {ref}")
        self._world.registry[name] = record.image.config
        yield Progress(status=f"The push refers to repository [{name.rpartition(':')[0]}]")
        digest = record.image.id
        yield Progress(aux={"Tag": name.rpartition(":")[2], "Digest": digest, "Size": 0})

    async def load(self, tar: AsyncIterator[bytes]) -> AsyncIterator[Progress]:
        data = await gather(tar)
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                members = {m.name: f.read() for m in archive if m.isreg() and (f := archive.extractfile(m)) is not None}
            manifest = json.loads(members["manifest.json"])
            found = [(json.loads(members[item["Config"]]), item.get("RepoTags") or []) for item in manifest]
        except (tarfile.TarError, KeyError, ValueError, TypeError) as error:
            raise InvalidArgument(f"the archive holds no image: {error}") from error
        for config, tags in found:
            image_id = self.add(ProcessConfig.from_wire(config.get("config") or {}), *tags)
            for name in tags or [image_id]:
                yield Progress(stream=f"Loaded image{'' if tags else ' ID'}: {name}\n")

    async def save(self, refs: Sequence[str]) -> AsyncIterator[bytes]:
        sink = io.BytesIO()
        records = [self.find(ref) for ref in refs]
        with tarfile.open(fileobj=sink, mode="w") as archive:
            manifest = []
            for record in records:
                name = f"{record.image.id[7:]}.json"
                manifest.append({"Config": name, "RepoTags": record.tags, "Layers": []})
                _add(archive, name, json.dumps({"config": record.image.config.to_wire(), "os": "linux"}).encode())
            _add(archive, "manifest.json", json.dumps(manifest).encode())
        yield sink.getvalue()

    async def import_(
        self, tar: AsyncIterator[bytes], ref: str, *, changes: Sequence[str] = (), message: str = ""
    ) -> AsyncIterator[Progress]:
        await gather(tar)
        image_id = self.add(ProcessConfig(), *([ref] if ref else []), comment=message)
        yield Progress(status=image_id)

    async def build(self, config: BuildConfig) -> AsyncIterator[Progress]:
        """Reads FROM, CMD, ENTRYPOINT (JSON form) and LABEL k=v of the Dockerfile; the rest has no effect here."""
        text = config.dockerfile_inline or _dockerfile(config)
        yield Progress(stream="Step 1/1 : build\n")
        words = [line.split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
        base = next((rest for word, rest in words if word.upper() == "FROM"), "scratch")
        process = ProcessConfig() if base == "scratch" else self.find(base.split()[0]).image.config
        for word, rest in words:
            if word.upper() in ("CMD", "ENTRYPOINT"):
                value = tuple(json.loads(rest)) if rest.startswith("[") else ("/bin/sh", "-c", rest)
                process = process.replace(**{word.lower(): value})
        process = process.replace(labels={**process.labels, **config.labels})
        comment = hashlib.sha256(text.encode()).hexdigest()
        image_id = self.add(process, *config.tags, parent="", comment=comment)
        yield Progress(stream=f"Successfully built {image_id[7:19]}\n")
        for tag in config.tags:
            yield Progress(stream=f"Successfully tagged {normal(tag)}\n")
        yield Progress(aux={"ID": image_id})


def shown(record: ImageRecord) -> Image:
    return record.image.replace(repo_tags=tuple(record.tags))


def _dockerfile(config: BuildConfig) -> str:
    try:
        return Path(config.context, config.dockerfile).read_text()
    except OSError as error:
        raise InvalidArgument(f"failed to read dockerfile: open {config.dockerfile}: no such file or directory") from error


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    archive.addfile(header, io.BytesIO(content))
