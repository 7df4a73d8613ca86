"""Faults that no command makes, planted one after the other on one stack: each is healed or reported, and the history says so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.scenarios.terminal import Terminal, free_ports, until

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.faults import FAULTS, STACK, Bench

pytestmark = [pytest.mark.root, pytest.mark.slow]
ELSEWHERE = {"process_killed", "container_removed", "network_detached", "nft_table_flushed", "bridge_deleted"}  # test_drift


@pytest.mark.timeout(240)
def test_each_is_healed_or_reported(terminal: Terminal) -> None:
    terminal.variables["COMPOSER_RESYNC"] = "1"
    terminal.stop_daemon()
    with free_ports(1) as (port,):
        terminal.stack(STACK.replace("PORT", str(port)))
    terminal.run("up", "-d")
    bench = Bench(terminal, port)
    until(bench.answers, 20)
    for name, service, expected in FAULTS:
        if name not in ELSEWHERE:
            row = bench.plant(name, service, expected)
            assert row.result == expected, f"{row}\n{terminal.daemon_log()}"
            assert row.why.startswith(f"f/{service}: ")
            assert "nothing" not in row.drift or "mounted" in row.drift
    assert terminal.run("drift", "--open", "--exit-code", exit=2).stdout
    terminal.run("image", "load", "-i", str(image(terminal)))
    terminal.stop_daemon()


def image(terminal: Terminal) -> Path:
    """The tests that come behind need it again."""
    from tests.fixtures.busybox import busybox_archive

    path = terminal.directory / "bb.tar"
    path.write_bytes(busybox_archive())
    return path
