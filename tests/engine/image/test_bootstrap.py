"""Recipes of base images, the mirror's choice, and (slow) the making of one."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from composer.engine.errors import InvalidArgument
from composer.engine.local.image import bootstrap, mirrors
from composer.engine.local.image.mirrors import DEBIAN, UBUNTU, Source
from tests.fixtures.images import image_room, said

DEB822 = """# a comment
Types: deb
URIs: http://mirror.example/debian
# another
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security/
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
"""


def test_known_names() -> None:
    made = bootstrap.recipe("debian:bookworm-slim")
    assert (made.name, made.suite, made.slim) == ("debian:bookworm-slim", "bookworm", True)
    assert bootstrap.recipe("docker.io/library/debian:13").suite == "trixie"
    assert bootstrap.recipe("ubuntu:24.04").suite == "noble"


@pytest.mark.parametrize("name", ["alpine", "debian", "debian:woody", "ubuntu:noble-slim", "x/debian:bookworm"])
def test_unknown_names_are_told_the_known_ones(name: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        bootstrap.recipe(name)
    assert "debian:bookworm-slim" in (caught.value.hint or "")


def test_sources_of_both_forms() -> None:
    assert list(mirrors.parse([("debian.sources", DEB822)])) == [
        Source("http://mirror.example/debian", "bookworm"),
        Source("http://mirror.example/debian", "bookworm-updates"),
        Source("http://mirror.example/debian-security", "bookworm-security"),
    ]
    text = "deb [arch=amd64 signed-by=/x] http://a/debian bookworm main\ndeb-src http://b/debian bookworm main\n# deb http://c x y\n"
    assert list(mirrors.parse([("x.list", text)])) == [Source("http://a/debian", "bookworm")]


def test_the_host_s_mirror_goes_before_the_distribution_s() -> None:
    host = list(mirrors.parse([("debian.sources", DEB822)]))
    assert mirrors.apt_lines(DEBIAN, "trixie", host, "amd64") == [
        "deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian trixie-updates main",
        "deb http://mirror.example/debian-security trixie-security main",
    ]
    assert mirrors.apt_lines(UBUNTU, "noble", host, "amd64")[0] == "deb http://archive.ubuntu.com/ubuntu noble main universe"
    assert "ports" in mirrors.apt_lines(UBUNTU, "noble", host, "arm64")[2]


@pytest.mark.parametrize("uri", ["file:/mirror", "http://127.0.0.1:3142/debian", "http://localhost/debian", "cdrom:x", "mirror+file:/x"])
def test_a_mirror_that_containers_cannot_reach_is_passed_over(uri: str) -> None:
    assert mirrors.apt_lines(DEBIAN, "bookworm", [Source(uri, "bookworm")], "amd64")[0].startswith("deb http://deb.debian.org/debian ")


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(shutil.which("mmdebstrap") is None, reason="mmdebstrap is not installed")
def test_a_debian_base(tmp_path: Path) -> None:
    async def run() -> None:
        async with image_room(tmp_path) as room:
            told = await said(room.images.bootstrap("debian:bookworm-slim"))
            assert any("running apt-get update" in line for line in told)
            record = room.images.store.resolve("debian:bookworm-slim")
            assert record.process.cmd == ("bash",)
            assert 80_000_000 < record.size < 150_000_000
            (root,) = room.images.layers.paths(record)
            assert (root / "etc/resolv.conf").read_bytes() == (root / "etc/hostname").read_bytes() == b""
            assert "bookworm-security" in (root / "etc/apt/sources.list").read_text()
            assert (root / "usr/bin/passwd").stat().st_mode == 0o104755
            assert not list((root / "usr/share/man").rglob("*.gz"))
            assert room.actions() == [("import", "debian:bookworm-slim")]
            assert os.listdir(room.layout.temporary) == []

    asyncio.run(run())
