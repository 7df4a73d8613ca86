"""Times, sizes, ports, mounts, flags, keys: the small languages of the command line."""

from __future__ import annotations

import click
import pytest

from composer.cli import units
from composer.cli.commands.container.mounts import mount
from composer.cli.commands.container.ports import publish
from composer.cli.commands.cp import split
from composer.cli.commands.network.create import pools
from composer.cli.containers import exit_code, health, ports, short_name
from composer.cli.flags import without_values
from composer.cli.registry import split as name_and_tag
from composer.cli.root import cli
from composer.cli.terminal import detach_keys


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.5, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (150, "2 minutes"),
        (3600, "About an hour"),
        (7200, "2 hours"),
        (86400 * 3, "3 days"),
        (86400 * 20, "2 weeks"),
        (86400 * 90, "3 months"),
        (86400 * 365 * 3, "3 years"),
    ],
)
def test_ago(seconds: float, words: str) -> None:
    assert units.ago(seconds) == words


def test_sizes() -> None:
    assert [units.decimal(n) for n in (0, 999, 12_500_000)] == ["0B", "999B", "12.5MB"]
    assert units.image(1_980_000) == "1.98MB"
    assert [units.binary(n) for n in (0, 1536, 3 * 2**30)] == ["0B", "1.5KiB", "3GiB"]
    assert [units.parse_size(text) for text in ("100", "512m", "1.5GiB", "64kb")] == [100, 2**29, 3 * 2**29, 2**16]
    assert units.parse_duration("1h30m0.5s") == 5400.5
    with pytest.raises(ValueError):
        units.parse_duration("5 minutes")
    assert units.unix("2026-11-24T14:30:00.123456789Z") == pytest.approx(1795530600.123456)
    assert units.unix("0001-01-01T00:00:00Z") == 0


def test_publish() -> None:
    exposed, bindings = publish(["8080:80", "127.0.0.1:53:53/udp", "[::1]:90:90", "7000-7001:80-81", "9"], ["100-101/udp"])
    assert bindings["80/tcp"] == [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "", "HostPort": "7000"}]
    assert bindings["53/udp"] == [{"HostIp": "127.0.0.1", "HostPort": "53"}]
    assert bindings["90/tcp"] == [{"HostIp": "::1", "HostPort": "90"}]
    assert bindings["9/tcp"] == [{"HostIp": "", "HostPort": ""}]
    assert {"100/udp", "101/udp", "81/tcp"} <= set(exposed)
    for wrong in ("x", "80:", "1-2:3-5", "80/sctpx", "0", "70000"):
        with pytest.raises(ValueError):
            publish([wrong], [])


def test_mount() -> None:
    made = mount("type=bind,source=/a,target=/b,readonly,bind-propagation=rshared")
    assert made == {"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True, "BindOptions": {"Propagation": "rshared"}}
    assert mount("type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700")["TmpfsOptions"] == {"SizeBytes": 2**20, "Mode": 0o700}
    for wrong in ("type=bind,source=/a", "target=/b,colour=red"):
        with pytest.raises(ValueError):
            mount(wrong)


def test_cp_sides() -> None:
    assert split("web:/etc/x") == ("web", "/etc/x")
    assert split("./a:b") == ("", "./a:b")
    assert split("plain") == ("", "plain")
    assert split("-") == ("", "-")


def test_image_names() -> None:
    assert name_and_tag("nginx") == ("nginx", "latest")
    assert name_and_tag("host:5000/a/b") == ("host:5000/a/b", "latest")
    assert name_and_tag("host:5000/a:1.2") == ("host:5000/a", "1.2")
    assert name_and_tag("a@sha256:00") == ("a", "sha256:00")


def test_detach_keys() -> None:
    assert detach_keys("ctrl-p,ctrl-q") == b"\x10\x11"
    assert detach_keys("a,ctrl-[") == b"a\x1b"
    with pytest.raises(ValueError):
        detach_keys("meta-x")


def test_network_pools() -> None:
    made = pools(("10.1.0.0/16", "fd00::/64"), ("fd00::1", "10.1.0.1"), ("10.1.2.0/24",), {"printer": "10.1.0.9"})
    assert made == [
        {"Subnet": "10.1.0.0/16", "Gateway": "10.1.0.1", "IPRange": "10.1.2.0/24", "AuxiliaryAddresses": {"printer": "10.1.0.9"}},
        {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
    ]
    with pytest.raises(click.UsageError):
        pools(("10.1.0.0/16",), ("10.2.0.1",), (), {})


def test_a_container_in_words() -> None:
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "com.docker.compose.container-number": "2"}
    row = {"Names": ["/shop-web-2"], "Labels": labels, "Status": "Exited (137) 2 seconds ago"}
    assert short_name(row) == "web-2"
    assert short_name({**row, "Names": ["/mine"]}) == "mine"
    assert exit_code(row) == 137
    assert exit_code({"Status": "Up 3 seconds (healthy)"}) == 0
    assert [health({"Status": f"Up 1 second ({word})"}) for word in ("healthy", "unhealthy", "health: starting")] == [
        "healthy",
        "unhealthy",
        "starting",
    ]
    published = [{"IP": ip, "PrivatePort": p, "PublicPort": p + 8000, "Type": "tcp"} for ip in ("0.0.0.0", "::") for p in (80, 81)]
    assert (
        ports({"Ports": [*published, {"PrivatePort": 9, "Type": "udp"}]})
        == "9/udp, 0.0.0.0:8080-8081->80-81/tcp, [::]:8080-8081->80-81/tcp"
    )


@pytest.mark.parametrize(
    ("given", "known"),
    [
        (["-a", "--orphans=true"], ["-a", "--orphans"]),
        (["--orphans=false", "web"], ["--no-orphans", "web"]),
        (["--quiet=false"], []),
        (["--format", "--quiet=true"], ["--format", "--quiet=true"]),  # a value, though it looks like a flag
        (["--filter=a=true"], ["--filter=a=true"]),
        (["--", "--quiet=true"], ["--", "--quiet=true"]),
    ],
)
def test_go_style_flags(given: list[str], known: list[str]) -> None:
    command = cli.get_command(click.Context(cli), "ps")
    assert command is not None
    assert without_values(command, given) == known


def test_go_style_flags_end_with_the_command_of_exec() -> None:
    command = cli.get_command(click.Context(cli), "exec")
    assert command is not None
    assert without_values(command, ["-T=x", "web", "--privileged=true"]) == ["-T=x", "web", "--privileged=true"]
    assert without_values(command, ["--privileged=true", "web", "sh"]) == ["--privileged", "web", "sh"]
