"""The pure parts: queries, routes, summaries, frames, detach keys, progress lines, units."""

from __future__ import annotations

import base64
import json

import pytest

from composer.daemon.docker_api import routes
from composer.daemon.docker_api.build import config_of
from composer.daemon.docker_api.flow import DetachKeys, parse_keys
from composer.daemon.docker_api.framing import multiplexed
from composer.daemon.docker_api.images import joined
from composer.daemon.docker_api.progress import auth_of, line
from composer.daemon.docker_api.summary import human, ports, status, summary
from composer.daemon.install import rendered
from composer.daemon.options import options
from composer.daemon.query import Query, moment
from composer.daemon.request import Body, Request
from composer.daemon.router import Router, split_version
from composer.engine.docker.images import split
from composer.engine.docker.streams import Demultiplexer
from composer.engine.errors import InvalidArgument, NotFound, Unsupported
from composer.engine.memory import MemoryEngine
from composer.engine.memory.world import rfc3339
from composer.engine.model import (
    Container,
    ContainerState,
    Health,
    LogFrame,
    PortBinding,
    ProcessConfig,
    Progress,
    ProgressDetail,
    RegistryAuth,
)

NOW = 1767225600.0  # 2026-01-01T00:00:00Z


def at(seconds: int) -> str:
    return rfc3339(NOW - seconds)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"label":["a=b","c"]}', {"label": ["a=b", "c"]}),
        ('{"label":{"a=b":true,"c":false}}', {"label": ["a=b"]}),
        ("", {}),
        ("{}", {}),
    ],
)
def test_filters_in_both_forms(text: str, wanted: dict[str, list[str]]) -> None:
    from urllib.parse import quote

    assert Query(f"filters={quote(text)}").filters() == wanted


@pytest.mark.parametrize("text", ["[1]", "{", '{"a":3}', '"x"'])
def test_wrong_filters_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        Query(f"filters={text}").filters()


def test_bools_and_numbers() -> None:
    query = Query("a=1&b=0&c=False&d=&e=no&f=true&n=12&m=x")
    assert [query.flag(name) for name in "abcdefz"] == [True, False, False, False, False, True, False]
    assert query.flag("z", True)
    assert query.integer("n") == 12
    assert query.integer("z", 5) == 5
    with pytest.raises(InvalidArgument, match="'x' is not a number"):
        query.integer("m")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", 0.0),
        ("0", 0.0),
        ("1136073600.000000001", 1136073600.0),
        ("10m", NOW - 600),
        ("1h30m", NOW - 5400),
        ("2025-12-31T23:00:00Z", NOW - 3600),
        ("2025-12-31T23:00:00.123456789Z", NOW - 3600 + 0.123456),
        ("2026-01-01T01:00:00+01:00", NOW),
        ("2026-01-01", NOW),
    ],
)
def test_moments(text: str, wanted: float) -> None:
    assert moment(text, NOW) == pytest.approx(wanted)


def test_wrong_moment() -> None:
    with pytest.raises(InvalidArgument, match="yesterday"):
        moment("yesterday", NOW)


def test_versions() -> None:
    assert split_version("/v1.44/info") == ((1, 44), "/info")
    assert split_version("/info") == (None, "/info")
    assert split_version("/v1.44") == ((1, 44), "/")
    assert split_version("/volumes") == (None, "/volumes")


def request(method: str, path: str) -> Request:
    return Request(method, path, Query(""), {}, Body(lambda _: None, lambda: None))


@pytest.mark.parametrize(
    ("method", "path", "function", "params"),
    [
        ("GET", "/containers/json", "list", {}),
        ("GET", "/containers/abc/json", "inspect", {"id": "abc"}),
        ("GET", "/images/host:5000/a/b:1/json", "inspect", {"name": "host:5000/a/b:1"}),
        ("DELETE", "/images/a/b@sha256:12", "remove", {"name": "a/b@sha256:12"}),
        ("POST", "/images/create", "create", {}),
        ("GET", "/images/json", "list", {}),
        ("GET", "/volumes/data", "inspect", {"name": "data"}),
        ("HEAD", "/_ping", "ping", {}),
        ("HEAD", "/containers/x/archive", "stat_path", {"id": "x"}),
    ],
)
def test_routes(method: str, path: str, function: str, params: dict[str, str], tmp_path: object) -> None:
    router = Router(routes(MemoryEngine(), spool=tmp_path, version="1"))  # type: ignore[arg-type]
    asked = request(method, path)
    assert router.find(asked).function.__name__ == function
    assert asked.params == params


def test_what_is_missing_is_refused_by_name(tmp_path: object) -> None:
    router = Router(routes(MemoryEngine(), spool=tmp_path, version="1"))  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="page not found"):
        router.find(request("GET", "/nosuch"))
    for path in ("/session", "/swarm/init", "/plugins", "/services/x/logs"):
        coroutine = router.find(request("POST", path)).function(request("POST", path))
        with pytest.raises(Unsupported, match="not supported"):
            coroutine.send(None)


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (3599, "59 minutes"),
        (3600, "About an hour"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (14 * 86400, "2 weeks"),
        (61 * 86400, "2 months"),
        (3 * 365 * 86400, "3 years"),
    ],
)
def test_durations_in_words(seconds: float, wanted: str) -> None:
    assert human(seconds) == wanted


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (ContainerState(), "Created"),
        (ContainerState(status="running", running=True, started_at=at(5)), "Up 5 seconds"),
        (
            ContainerState(status="running", running=True, started_at=at(300), health=Health(status="healthy")),
            "Up 5 minutes (healthy)",
        ),
        (
            ContainerState(status="running", running=True, started_at=at(5), health=Health(status="starting")),
            "Up 5 seconds (health: starting)",
        ),
        (ContainerState(status="paused", running=True, paused=True, started_at=at(5)), "Up 5 seconds (Paused)"),
        (
            ContainerState(status="restarting", running=True, restarting=True, exit_code=3, started_at=at(9), finished_at=at(2)),
            "Restarting (3) 2 seconds ago",
        ),
        (ContainerState(status="exited", exit_code=137, started_at=at(9), finished_at=at(2)), "Exited (137) 2 seconds ago"),
        (ContainerState(status="dead", dead=True), "Dead"),
        (ContainerState(status="removing"), "Removal In Progress"),
    ],
)
def test_status_in_words(state: ContainerState, wanted: str) -> None:
    assert status(Container(state=state), NOW) == wanted


def test_summary() -> None:
    one = Container(id="i", name="/n", created=at(60), path="sh", args=("-c", "echo a b"), config=ProcessConfig(image="bb"))
    row = summary(one, NOW)
    assert (row["Names"], row["Command"], row["Created"], row["State"]) == (["/n"], "sh -c 'echo a b'", int(NOW) - 60, "created")
    assert "SizeRw" not in row


def test_ports_of_a_summary() -> None:
    bindings = {"80/tcp": (PortBinding(host_ip="0.0.0.0", host_port="8080"),), "53/udp": None}
    assert ports(bindings) == [
        {"IP": "0.0.0.0", "PrivatePort": 80, "Type": "tcp", "PublicPort": 8080},
        {"PrivatePort": 53, "Type": "udp"},
    ]


def test_frames_there_and_back() -> None:
    frames = [LogFrame(1, b"out"), LogFrame(2, b""), LogFrame(2, bytes(70000))]
    data = b"".join(multiplexed(frame) for frame in frames)
    reader = Demultiplexer()
    found = [frame for at in range(0, len(data), 1000) for frame in reader.feed(data[at : at + 1000])]
    assert found == frames


def test_detach_keys() -> None:
    keys = DetachKeys(parse_keys(""))
    assert keys.pass_on(b"ab\x10") == (b"ab", False)  # held back: it may become the sequence
    assert keys.pass_on(b"c") == (b"\x10c", False)
    assert keys.pass_on(b"d\x10\x11e") == (b"d", True)
    assert parse_keys("ctrl-a,x,ctrl-]") == b"\x01x\x1d"
    for wrong in ("ctrl-", "ab", "ctrl-ab", ","):
        with pytest.raises(InvalidArgument, match="Invalid detach keys"):
            parse_keys(wrong)


def test_progress_lines_leave_out_what_is_empty() -> None:
    assert line(Progress(status="Downloading", id="ab", progress_detail=ProgressDetail(current=1, total=2))) == {
        "status": "Downloading",
        "id": "ab",
        "progressDetail": {"current": 1, "total": 2},
    }
    assert line(Progress(stream="x\n")) == {"stream": "x\n"}


def test_registry_auth_header() -> None:
    asked = request("POST", "/")
    assert auth_of(asked) is None
    asked.headers = {"x-registry-auth": base64.urlsafe_b64encode(json.dumps({"username": "u", "password": "p"}).encode()).decode()}
    assert auth_of(asked) == RegistryAuth(username="u", password="p")
    asked.headers = {"x-registry-auth": "!!"}
    with pytest.raises(InvalidArgument):
        auth_of(asked)


@pytest.mark.parametrize(
    ("name", "tag", "wanted"),
    [("a", "1", "a:1"), ("h:5000/a", "", "h:5000/a"), ("a", "sha256:ab", "a@sha256:ab"), ("a@sha256:ab", "x", "a@sha256:ab")],
)
def test_names_and_tags(name: str, tag: str, wanted: str) -> None:
    assert joined(name, tag) == wanted
    if tag and "@" not in name:
        assert split(wanted) == (name, tag)


def test_build_query() -> None:
    query = Query(
        't=a:1&t=b:2&buildargs={"X":"1","Y":null}&labels={"l":"v"}&nocache=1&networkmode=default&extrahosts=a:1.1.1.1,b:2.2.2.2'
        '&ulimits=[{"Name":"nofile","Soft":1,"Hard":2}]&target=t'
    )
    found = config_of(query, "/c")
    assert (found.tags, found.args, found.labels) == (("a:1", "b:2"), {"X": "1", "Y": None}, {"l": "v"})
    assert (found.no_cache, found.network, found.extra_hosts) == (True, "", ("a:1.1.1.1", "b:2.2.2.2"))
    assert (found.ulimits, found.target, found.dockerfile) == ({"nofile": (1, 2)}, "t", "Dockerfile")


def test_options_by_flags_environment_defaults() -> None:
    assert options({}).host == "unix:///run/composer/composer.sock"
    found = options({"COMPOSER_ROOT": "/r", "COMPOSER_RUN": "/q"}, run="/p")
    assert (str(found.root), str(found.socket)) == ("/r", "/p/composer.sock")
    with pytest.raises(InvalidArgument, match="absolute"):
        options({"COMPOSER_ROOT": "r"})
    with pytest.raises(Unsupported, match="unix sockets only"):
        _ = options({}, host="tcp://1.2.3.4:5").socket


def test_units_name_this_interpreter() -> None:
    units = rendered("/venv/bin/python", "docker")
    service = units["composer.service"]
    assert "ExecStart=/venv/bin/python -P -m composer.daemon" in service
    for line_ in ("KillMode=process", "Delegate=yes", "Type=notify", "Restart=always", "LimitNOFILE=1048576"):
        assert line_ in service
    assert "SocketGroup=docker" in units["composer.socket"]
    assert "Delegate=yes" in units["composer-containers.service"]
