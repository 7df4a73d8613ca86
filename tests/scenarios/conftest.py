"""One engine for the tests of a module (starting it and loading the image takes longer than a scenario); leaks fail its last test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.engine.local.files import remove_tree
from composer.engine.local.layout import Layout
from tests.fixtures.busybox import busybox_archive
from tests.fixtures.leaks import Snapshot
from tests.scenarios.terminal import Terminal, until


@pytest.fixture(scope="module")
def machine() -> Iterator[Layout]:
    """Directories and addresses of one engine. What it leaves in the kernel when its daemon has ended is an error."""
    root, run = (Path(tempfile.mkdtemp(prefix="cs-", dir=parent)) for parent in ("/var/tmp", "/run"))
    number = os.urandom(1)[0]
    layout = Layout(root, run, pool=f"10.213.{number & 0xF0}.0/20", pool6=f"fd6d:7065:{number:x}::/48")
    before = Snapshot.take(layout)
    terminal = Terminal(layout, Path("/"))
    try:
        archive = root / "bb.tar"
        archive.write_bytes(busybox_archive())
        terminal.run("image", "load", "-i", str(archive))
        yield layout
        terminal.clear()
        terminal.run("image", "rm", "-f", "bb")
        left = [str(path) for name in ("containers", "layers", "volumes") for path in (root / name).iterdir()]
        assert not left, f"left in the state root: {left}"
    finally:
        terminal.stop_daemon()
    until(lambda: not before.grown(Snapshot.take(layout)), 10, pause=0.2)
    remove_tree(run)
    remove_tree(root)


@pytest.fixture
def terminal(machine: Layout, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in an empty directory; whatever the test leaves is removed."""
    found = Terminal(machine, tmp_path)
    yield found
    found.clear()
