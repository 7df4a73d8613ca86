"""Logs are rotated by the engine, not by conmon, which keeps one file and loses what went before (trap 5)."""

from __future__ import annotations

import pytest

from composer.engine.model import ContainerConfig, HostConfig, LogConfig, LogOptions
from tests.conftest import Opened, run

pytestmark = pytest.mark.root

BURSTS, LINES = 6, 100  # of about 100 bytes each in the file
SCRIPT = f"for b in $(seq {BURSTS}); do for n in $(seq {LINES}); do printf '%060d\\n' $((b * 1000 + n)); done; sleep 0.6; done"


def test_a_log_is_rotated_while_it_is_written_and_nothing_is_lost(engine: Opened) -> None:
    async def main() -> None:
        async with engine() as e:
            limits = LogConfig(type="json-file", config={"max-size": "15k", "max-file": "6"})
            config = ContainerConfig(image="bb", cmd=("sh", "-c", SCRIPT), host_config=HostConfig(network_mode="none", log_config=limits))
            ident = (await e.containers.create(config, "cc")).id
            await e.containers.start(ident)
            followed = [int(frame.data) async for frame in e.containers.logs(ident, LogOptions(follow=True))]
            wanted = [burst * 1000 + line for burst in range(1, BURSTS + 1) for line in range(1, LINES + 1)]
            assert followed == wanted
            assert [int(frame.data) async for frame in e.containers.logs(ident, LogOptions())] == wanted
            files = sorted(path.name for path in e.layout.container(ident).glob("container.log*"))
            assert files[:2] == ["container.log", "container.log.1"]

    run(main())
