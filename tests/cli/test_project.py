"""What the client sends along with a verb: files, and the bytes that will be asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from composer.cli.app import App
from composer.cli.project import MAX_FILE, NAMES, content, project
from composer.spec.read import NAMES as SPEC_NAMES
from composer.spec.read import OVERRIDES as SPEC_OVERRIDES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "PWD"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_names_are_those_of_the_spec() -> None:
    from composer.cli.project import OVERRIDES

    assert (NAMES, set(OVERRIDES)) == (SPEC_NAMES, set(SPEC_OVERRIDES))


def test_the_found_file_its_overrides_and_env_are_sent_at_once(folder: Path) -> None:
    (folder / "stack.yml").write_text("services: {}\n")
    (folder / ".env").write_text("A=1\n")
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    app = App()
    import os

    os.chdir(inner)
    part = project(app)
    assert part["files"] == []
    assert part["contents"][str(folder / "stack.yml")] == {"text": "services: {}\n"}
    assert part["contents"][str(inner / "stack.yml")] == {"missing": True}
    assert part["contents"][str(folder / "stack.override.yml")] == {"missing": True}
    assert part["contents"][str(folder / ".env")] == {"text": "A=1\n"}


def test_given_files_are_absolute_and_env_is_beside_the_first(folder: Path) -> None:
    (folder / "x").mkdir()
    (folder / "x" / "one.yml").write_text("services: {}\n")
    app = App()
    app.files = ["x/one.yml", "two.yml"]
    part = project(app)
    assert part["files"] == [str(folder / "x/one.yml"), str(folder / "two.yml")]
    assert set(part["contents"]) == {*part["files"], str(folder / "x/.env")}


def test_a_name_alone_means_no_file_that_lies_here(folder: Path) -> None:
    (folder / "compose.yaml").write_text("services: {}\n")
    app = App()
    app.name = "other"
    assert project(app, search=False)["contents"][str(folder / "compose.yaml")] == {"missing": True}
    assert project(app)["contents"][str(folder / "compose.yaml")] == {"text": "services: {}\n"}


def test_contents(folder: Path) -> None:
    (folder / "binary").write_bytes(b"\xff\x00")
    (folder / "big").write_bytes(b"")
    with (folder / "big").open("r+b") as file:
        file.truncate(MAX_FILE + 1)
    assert content(str(folder)) == {"directory": True}
    assert content(str(folder / "none" / "x")) == {"missing": True}
    assert content(str(folder / "binary")) == {"base64": "/wA="}
    assert content(str(folder / "big")) == {"problem": "is larger than 64 MiB"}
    assert "problem" in content("/proc/self/mem")
    assert "problem" in content("a\0b")
