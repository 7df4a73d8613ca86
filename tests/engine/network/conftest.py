from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from composer.engine.local.layout import PREFIX, Layout
from tests.engine.network.rig import links


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests marked root leave no link, mount or table of their engine behind."""
    if request.node.get_closest_marker("root") is None:
        yield
        return
    if os.geteuid() != 0:
        pytest.skip("needs root")
    tmp_path = request.getfixturevalue("tmp_path")
    layout = Layout(tmp_path / "root", tmp_path / "run")
    yield
    deadline = time.monotonic() + 3
    prefixes = (f"{PREFIX}{layout.instance}", f"{PREFIX}v{layout.instance}")
    while any(name.startswith(prefixes) for name in links()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [name for name in links() if name.startswith(prefixes)]
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    assert layout.table not in tables
