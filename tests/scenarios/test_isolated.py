"""Two checkouts of the same stack side by side."""

from __future__ import annotations

import pytest

from tests.scenarios.terminal import Terminal, free_ports, page, until

pytestmark = [pytest.mark.root, pytest.mark.slow]

STACK = """
name: iso
services:
  web:
    image: bb
    command: httpd -f -p 80 -h /data
    container_name: iso-fixed
    stop_signal: SIGKILL
    ports: ["127.0.0.1:%d:80"]
    volumes: ["data:/data"]
volumes: {data: {name: iso-fixed-data}}
"""


def test_two_checkouts_side_by_side(terminal: Terminal) -> None:
    with free_ports(1) as (port,):
        text = STACK % port
    terminals = []
    for name in ("main", "feature"):
        directory = terminal.directory / name
        (directory / ".git").mkdir(parents=True)
        (directory / ".git/HEAD").write_text(f"ref: refs/heads/{name}/One\n")
        terminals.append(Terminal(terminal.layout, directory))
        terminals[-1].stack(text)
    first, second = terminals
    first.run("up", "-d")
    said = second.run("up", "-d", "--isolated").stderr
    own = int(second.out("port", "web", "80").rpartition(":")[2])
    assert own != port
    assert f"{own} instead of {port}" in said
    assert f"127.0.0.1:{own}->80/tcp" in second.out("ps")
    assert terminal.states() == {"iso-fixed": "running", "iso-feature-one-web-1": "running"}
    second.run("exec", "-T", "web", "sh", "-c", "echo feature > /data/index.html")
    first.run("exec", "-T", "web", "sh", "-c", "echo main > /data/index.html")
    until(lambda: (page(port), page(own)) == ("main\n", "feature\n"))
    second.run("plan", "--detailed-exitcode", exit=0)
    second.run("up", "-d", "--isolated")
    assert second.out("port", "web", "80").strip().endswith(f":{own}")
    second.run("down", "--isolated", "-v")
    assert terminal.states() == {"iso-fixed": "running"}
    assert second.run("ps", "--isolated", exit=1).stderr.startswith("Error: there is no isolated stack iso-feature-one")
    first.run("down", "-v")
