"""Whole builds on a real engine: the files, the configuration, the cache, failures at their line."""

from __future__ import annotations

import asyncio
import os
import tarfile
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from composer.engine.errors import EngineError, NotFound
from composer.engine.local.engine import LocalEngine
from composer.engine.model import BuildConfig, ContainerConfig, HostConfig, Image, LogOptions
from tests.conftest import Opened, run
from tests.fixtures.loopback import Quiet, serving

pytestmark = pytest.mark.root


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    return folder


async def build(engine: LocalEngine, context: Path, text: str, **more: object) -> tuple[str, list[str]]:
    """The image's id and the lines that were told."""
    lines: list[str] = []
    found = ""
    async for progress in engine.images.build(BuildConfig(context=str(context), dockerfile_inline=text, **more)):  # type: ignore[arg-type]
        lines += progress.stream.splitlines()
        found = str((progress.aux or {}).get("ID", found))
    return found, lines


async def output(engine: LocalEngine, image: str, command: Sequence[str] = ()) -> str:
    """What a container of the image prints."""
    config = ContainerConfig(image=image, cmd=tuple(command) or None, host_config=HostConfig(network_mode="none"))
    container = (await engine.containers.create(config)).id
    await engine.containers.start(container)
    await engine.containers.wait(container)
    text = b"".join([frame.data async for frame in engine.containers.logs(container, LogOptions())]).decode()
    await engine.containers.remove(container)
    return text


def test_stages_copies_and_configuration(engine: Opened, context: Path) -> None:
    (context / "file").write_text("from the context\n")
    text = (
        "ARG BASE=bb\nFROM ${BASE} AS one\nRUN echo made >/made\nFROM bb AS unused\nRUN exit 9\n"
        "FROM bb\nARG WHAT=default\nWORKDIR /srv/app\nCOPY --chown=1234:5 --chmod=640 file .\nCOPY --from=one /made /made\n"
        'ENV WHAT2=$WHAT\nUSER app\nCMD ["sh", "-c", "cat file /made; pwd; stat -c %a:%u:%g file; echo $WHAT2"]\n'
    )

    async def work() -> tuple[str, Image, list[str]]:
        async with engine() as e:
            image, lines = await build(e, context, text, args={"WHAT": "given"}, tags=("made:1",), labels={"l": "v"})
            return await output(e, image), await e.images.inspect("made:1"), lines

    said, image, lines = run(work())
    assert said == "from the context\nmade\n/srv/app\n640:1234:5\ngiven\n"
    assert (image.config.working_dir, image.config.user, image.config.labels) == ("/srv/app", "app", {"l": "v"})
    assert not any("exit 9" in line for line in lines), "a stage that nothing needs is not built"


def test_cache_gives_the_same_image_and_notices_changes(engine: Opened, context: Path) -> None:
    text = "FROM bb\nRUN head -c 8 /dev/urandom >/before\nCOPY file /file\nRUN head -c 8 /dev/urandom >/after\n"

    async def work() -> None:
        async with engine() as e:
            (context / "file").write_text("1")
            first, _ = await build(e, context, text)
            second, lines = await build(e, context, text)
            assert first == second
            assert lines.count("CACHED") == 3
            (context / "file").write_text("2")
            third, lines = await build(e, context, text)
            assert third != first
            assert lines.count("CACHED") == 1
            fourth, lines = await build(e, context, text, no_cache=True)
            assert "CACHED" not in lines
            assert fourth != third

    run(work())


def test_two_identical_builds_at_once_do_not_mix_their_layers(engine: Opened, context: Path) -> None:
    """Each step's random content makes another layer; a later step from the cache must stand on the layers it was made over."""
    text = "FROM bb\nRUN head -c 8 /dev/urandom >/a\nRUN head -c 8 /dev/urandom >/b\nRUN cat /a /b >/c\n"

    async def work() -> None:
        async with engine() as e:
            built = await asyncio.gather(*(build(e, context, text) for _ in range(4)))
            again, lines = await build(e, context, text)
            assert lines.count("CACHED") == 3
            for image in {again, *(image for image, _ in built)}:
                assert await output(e, image, ["sh", "-c", "cat /a /b | cmp - /c && echo same"]) == "same\n"

    run(work())


def test_ignored_files_are_not_there(engine: Opened, context: Path) -> None:
    (context / ".dockerignore").write_text("*.log\nsecret\n!keep.log\n")
    for name in ("a.log", "keep.log", "secret", "b"):
        (context / name).write_text(name)

    async def work() -> str:
        async with engine() as e:
            image, _ = await build(e, context, "FROM bb\nCOPY . /c/\n")
            return await output(e, image, ["ls", "-A", "/c"])

    assert run(work()).split() == [".dockerignore", "b", "keep.log"]


def test_links_of_a_context_lead_nowhere_outside(engine: Opened, context: Path) -> None:
    (context / "escape").symlink_to("/etc")
    (context / "tree").mkdir()
    (context / "tree" / "link").symlink_to("../../../../etc/hostname")

    async def work() -> str:
        async with engine() as e:
            with pytest.raises(EngineError, match=r"escape/hostname.*not found"):
                await build(e, context, "FROM bb\nCOPY escape/hostname /x\n")
            image, _ = await build(e, context, "FROM bb\nCOPY tree /tree\n")
            return await output(e, image, ["readlink", "/tree/link"])

    assert run(work()).strip() == "../../../../etc/hostname", "a link travels as a link"


def test_a_link_in_the_image_cannot_lead_a_copy_out(engine: Opened, context: Path, tmp_path: Path) -> None:
    target = tmp_path / "outside"
    target.mkdir()
    (context / "file").write_text("x")

    async def work() -> None:
        async with engine() as e:
            await build(e, context, f"FROM bb\nRUN ln -s {target} /out\nCOPY file /out/file\n")

    run(work())
    assert not (target / "file").exists()


def test_add_unpacks_archives_and_copy_does_not(engine: Opened, context: Path) -> None:
    (context / "one").write_text("1")
    with tarfile.open(context / "a.tar.gz", "w:gz") as tar:
        tar.add(context / "one", "one")

    async def work() -> str:
        async with engine() as e:
            image, _ = await build(e, context, "FROM bb\nADD a.tar.gz /unpacked/\nCOPY a.tar.gz /copied/\n")
            return await output(e, image, ["ls", "/unpacked", "/copied"])

    assert run(work()).split() == ["/copied:", "a.tar.gz", "/unpacked:", "one"]


def test_add_fetches_a_url_and_checks_it(engine: Opened, context: Path, tmp_path: Path) -> None:
    (tmp_path / "served").write_text("by http")

    async def work(url: str) -> str:
        async with engine() as e:
            with pytest.raises(EngineError, match="digest mismatch"):
                await build(e, context, f"FROM bb\nADD --checksum=sha256:{'0' * 64} {url} /x\n")
            image, _ = await build(e, context, f"FROM bb\nADD {url} /x/\n")
            return await output(e, image, ["cat", "/x/served"])

    with serving(partial(Files, directory=str(tmp_path))) as address:
        assert run(work(f"http://{address}/served")) == "by http"


class Files(Quiet, SimpleHTTPRequestHandler):
    """Serves a directory."""


def test_run_mounts(engine: Opened, context: Path) -> None:
    (context / "file").write_text("bound\n")
    text = (
        "FROM bb\nRUN --mount=type=bind,source=file,target=/f cat /f >/copied\nRUN --mount=type=tmpfs,target=/t echo x >/t/x\n"
        "RUN --mount=type=secret,id=s cat /run/secrets/s | wc -c >/length\n"
        "RUN --mount=type=cache,target=/c echo once >>/c/n; cat /c/n >/n\n"
        "RUN ls /f /t /run/secrets 2>/dev/null | wc -l >/left\n"
    )

    async def work() -> str:
        async with engine() as e:
            image, _ = await build(e, context, text, secrets={"s": b"12345"})
            return await output(e, image, ["cat", "/copied", "/length", "/n", "/left"])

    assert run(work()).split() == ["bound", "5", "once", "0"]


def test_what_builds_remember_is_forgotten_when_asked(engine: Opened, context: Path) -> None:
    text = "FROM bb\nRUN --mount=type=cache,target=/c dd if=/dev/zero of=/c/n bs=1k count=64; cp /c/n /n"

    async def work() -> None:
        async with engine() as e:
            image, _ = await build(e, context, text, tags=("kept",))
            await build(e, context, "FROM bb\nRUN dd if=/dev/zero of=/m bs=1k count=32", tags=("gone",))
            await e.images.remove("gone")
            _, lines = await build(e, context, text)
            assert any("CACHED" in line for line in lines)
            report = await e.images.prune_builds()
            assert report.space_reclaimed >= (64 + 32) << 10
            assert len(report.deleted) == 1  # the layer of `gone`; that of `kept` stays
            assert (await e.images.inspect("kept")).id == image
            _, lines = await build(e, context, text)
            assert not any("CACHED" in line for line in lines)
            assert (await e.images.prune_builds()).space_reclaimed >= 64 << 10

    run(work())


def test_mount_points_are_no_part_of_the_layer(engine: Opened, context: Path) -> None:
    """Neither the target of a mount nor the engine's own (/etc/hosts, /proc ...) makes a layer of a RUN that changes nothing."""

    async def work() -> tuple[Image, Image]:
        async with engine() as e:
            image, _ = await build(e, context, "FROM bb\nRUN --mount=type=tmpfs,target=/deep/er/t true\n")
            return await e.images.inspect("bb"), await e.images.inspect(image)

    base, built = run(work())
    assert built.root_fs.layers == base.root_fs.layers


def test_a_failing_run_names_its_line_and_leaves_nothing(engine: Opened, context: Path) -> None:
    async def work() -> None:
        async with engine() as e:
            before = len(await e.images.list(all=True))
            with pytest.raises(EngineError, match="exit code: 3") as caught:
                await build(e, context, "FROM bb\n\nRUN exit 3\n", tags=("never",))
            assert "dockerfile_inline:3" in caught.value.message
            assert len(await e.images.list(all=True)) == before
            with pytest.raises(NotFound):
                await e.images.inspect("never")

    run(work())


def test_onbuild_and_scratch(engine: Opened, context: Path) -> None:
    (context / "file").write_text("content\n")

    async def work() -> str:
        async with engine() as e:
            await build(e, context, "FROM bb\nONBUILD COPY file /file\nONBUILD RUN echo triggered >>/file\n", tags=("base:1",))
            image, _ = await build(e, context, "FROM base:1\nCMD cat /file\n")
            empty, _ = await build(e, context, "FROM scratch\nCOPY file /\n")
            assert (await e.images.inspect(empty)).size == 8
            assert not (await e.images.inspect(image)).config.on_build
            return await output(e, image)

    assert run(work()).split() == ["content", "triggered"]


def test_a_cancelled_build_leaves_nothing(engine: Opened, context: Path) -> None:
    async def work() -> None:
        async with engine() as e:
            told = e.images.build(BuildConfig(context=str(context), dockerfile_inline="FROM bb\nRUN echo begun; sleep 60\n"))
            async for progress in told:
                if progress.stream.strip() == "begun":
                    break
            await told.aclose()  # type: ignore[attr-defined]
            assert not [name for name in os.listdir(e.layout.run / "containers") if name.startswith("build-")]

    run(work())


def test_run_reaches_the_network_of_the_engine(engine: Opened, context: Path) -> None:
    async def work() -> str:
        async with engine() as e:
            image, _ = await build(
                e,
                context,
                "FROM bb\nRUN ip -4 -o addr show eth0 | wc -l >/n; ip route | grep -c default >>/n\n"
                "RUN --network=none ip link | grep -c eth0 >>/n || true\n",
            )
            return await output(e, image, ["cat", "/n"])

    assert run(work()).split() == ["1", "1", "0"]


def test_a_layer_that_is_gone_is_built_again(engine: Opened, context: Path) -> None:
    async def work() -> str:
        async with engine() as e:
            text = "FROM bb\nRUN echo x >/x\n"
            image, _ = await build(e, context, text)
            top = e.images.store.resolve(image).chain_ids[-1]
            await e.images.remove(image, force=True)
            await e.images.layers.delete(top, lambda: set())
            again, lines = await build(e, context, text)
            assert "CACHED" not in lines
            return await output(e, again, ["cat", "/x"])

    assert run(work()) == "x\n"
