"""Files into running containers (`sync`) and what is there (`signatures`), the same on every engine."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator, Mapping

import pytest

from composer.engine import signature
from composer.engine.errors import InvalidArgument, NotFound, NotRunning
from composer.engine.interface import Engine
from tests.contract.backends import Backend
from tests.contract.behaviour import config


def archive(members: Mapping[str, bytes | str | None]) -> AsyncIterator[bytes]:
    """A tar of files (bytes), links (str) and directories (None)."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o644
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            elif content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)

    async def pieces() -> AsyncIterator[bytes]:
        yield sink.getvalue()

    return pieces()


def of(content: bytes) -> str:
    return signature.of_file(0o644, signature.digest_bytes(content))


async def two_containers(engine: Engine) -> None:
    """Written into both at once, replaced, removed; what is not named stays."""
    for name in ("one", "two"):
        await engine.containers.create(config(), name)
        await engine.containers.start(name)
    first = {"app/a": b"1", "app/sub/b": b"2", "app/link": "a", "app/empty": None}
    done = await engine.containers.sync(["one", "two"], {"/app": []}, archive(first))
    assert [(one.written, one.problem) for one in done] == [(4, "")] * 2
    done = await engine.containers.sync(["one", "two"], {"/app": ["sub/b", "link", "not-there"]}, archive({"app/a": b"3"}))
    assert [(one.written, one.removed, one.problem) for one in done] == [(1, 2, "")] * 2
    for name in ("one", "two"):
        found = await engine.containers.signatures(name, {"/app": ["a", "sub", "sub/b", "link", "empty"], "/nowhere": ["x"]})
        assert found == {"/app": {"a": of(b"3"), "sub": "d:755", "empty": "d:755"}, "/nowhere": {}}


async def refusals(engine: Engine) -> None:
    """A container that is gone or stopped is told, and the others are written to all the same."""
    await engine.containers.create(config(), "runs")
    await engine.containers.start("runs")
    await engine.containers.create(config(), "rests")
    done = await engine.containers.sync(["gone", "rests", "runs"], {"/app": []}, archive({"app/a": b"1"}))
    assert [bool(one.problem) for one in done] == [True, True, False]
    assert "is not running" in done[1].problem
    with pytest.raises(InvalidArgument, match="beneath no target"):
        await engine.containers.sync(["runs"], {"/app": []}, archive({"etc/passwd": b"1"}))
    with pytest.raises(NotRunning):
        await engine.containers.signatures("rests", {"/app": ["a"]})
    with pytest.raises(NotFound):
        await engine.containers.signatures("gone", {"/app": ["a"]})


@pytest.mark.parametrize("behaviour", [two_containers, refusals], ids=lambda found: str(found.__name__))
def test_sync(backend: Backend, behaviour: object) -> None:
    if backend.name == "memory-api" and behaviour is two_containers:
        pytest.skip("over Docker's API files are removed by rm, and nothing in memory is a program that removes files")
    backend.run(behaviour)  # type: ignore[arg-type]
