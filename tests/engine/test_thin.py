"""The thin path: create, start, logs, stop, remove."""

from __future__ import annotations

import pytest

from composer.engine.model import ContainerConfig, HostConfig, LogOptions
from tests.conftest import Opened, eventually, run, written

pytestmark = pytest.mark.root


@pytest.mark.parametrize("mode", ["none", "bridge"])
def test_create_start_logs_stop_remove(engine: Opened, mode: str) -> None:
    async def main() -> None:
        async with engine() as e:
            script = "trap 'exit 0' TERM; echo hello; echo err >&2; while :; do sleep 1000 & wait $!; done"
            config = ContainerConfig(image="bb", cmd=("sh", "-c", script), host_config=HostConfig(network_mode=mode))
            made = await e.containers.create(config, "web")
            await e.containers.start("web")
            shown = await e.containers.inspect("web")
            assert shown.state.running
            assert shown.state.pid > 0
            await eventually(lambda: written(e, "web", b"err"))
            await e.containers.stop("web")
            shown = await e.containers.inspect(made.id)
            assert (shown.state.status, shown.state.exit_code) == ("exited", 0)
            assert shown.stopped_by_request
            lines = {(f.stream, f.data) async for f in e.containers.logs("web", LogOptions())}
            assert lines == {(1, b"hello\n"), (2, b"err\n")}
            await e.containers.remove("web")
            assert await e.containers.list(all=True) == []

    run(main())
