"""Deleting a tree never empties what is mounted in it, nor follows what leads out of it (trap 2)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from composer.engine.local import files
from composer.engine.local.linux import mount as mounts

pytestmark = pytest.mark.root


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    path = tmp_path / "volume"
    path.mkdir()
    (path / "precious").write_text("data")
    return path


def test_what_is_mounted_inside_is_unmounted_and_kept(tmp_path: Path, volume: Path) -> None:
    inner = tmp_path / "rootfs/a/b"
    inner.mkdir(parents=True)
    mounts.bind(volume, inner)
    mounts.bind(volume, inner)
    files.remove_tree(tmp_path / "rootfs")
    assert not (tmp_path / "rootfs").exists()
    assert (volume / "precious").read_text() == "data"


def test_a_bind_mount_that_stays_is_not_entered(tmp_path: Path, volume: Path) -> None:
    """Of the same disk: the device number is the same, only the kernel knows that it is a mount."""
    inner = tmp_path / "rootfs/a/b"
    inner.mkdir(parents=True)
    mounts.bind(volume, inner)
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="cross-device"):
            files.remove_at(directory, "rootfs")
    finally:
        os.close(directory)
        mounts.unmount(inner)
    assert (volume / "precious").read_text() == "data"


def test_links_are_removed_not_followed(tmp_path: Path, volume: Path) -> None:
    (tmp_path / "tree/d").mkdir(parents=True)
    (tmp_path / "tree/d/link").symlink_to(volume)
    (tmp_path / "link").symlink_to(volume)
    files.remove_tree(tmp_path / "tree")
    files.remove_tree(tmp_path / "link")
    assert os.listdir(tmp_path) == ["volume"]
    assert (volume / "precious").exists()


def test_deeper_than_the_stack_and_the_limit_of_open_files(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    directory = os.open(tmp_path / "tree", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=directory)
        inner = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = inner
    os.close(directory)
    files.remove_tree(tmp_path / "tree")
    assert os.listdir(tmp_path) == []


def test_missing_is_fine(tmp_path: Path) -> None:
    files.remove_tree(tmp_path / "nothing")
    files.remove_tree(tmp_path / "nothing/at/all")
