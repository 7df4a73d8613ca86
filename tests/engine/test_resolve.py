"""Merging a wish with its image, mounts, names, filters, events: the pure parts."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.engine.errors import InvalidArgument, Unavailable
from composer.engine.local import events
from composer.engine.local.containers import mounts, names, resolve
from composer.engine.local.containers.record import MountRow, Record, Run
from composer.engine.local.events import Events, event
from composer.engine.local.gc import Found, mark
from composer.engine.local.volume import options
from composer.engine.model import ContainerConfig, HealthConfig, HostConfig, Mount, ProcessConfig

IMAGE = ProcessConfig(cmd=("run",), entrypoint=("/entry",), env=("A=1", "B=2"), user="app", labels={"x": "image", "y": "image"})


def test_an_own_entrypoint_drops_the_images_command() -> None:
    def args(**changes: object) -> tuple[str, ...]:
        merged = resolve.merge(ContainerConfig().replace(**changes), IMAGE)
        return (*(merged.entrypoint or ()), *(merged.cmd or ()))

    assert args() == ("/entry", "run")
    assert args(cmd=("own",)) == ("/entry", "own")
    assert args(entrypoint=("/mine",)) == ("/mine",)
    assert args(entrypoint=("/mine",), cmd=("own",)) == ("/mine", "own")
    assert args(entrypoint=(), cmd=("own",)) == ("own",)
    assert args(entrypoint=("",), cmd=("own",)) == ("own",)
    with pytest.raises(InvalidArgument, match="no command specified"):
        args(entrypoint=("",))
    with pytest.raises(InvalidArgument, match="no command specified"):
        resolve.merge(ContainerConfig(), ProcessConfig())


def test_environment_labels_and_health_are_joined() -> None:
    check = HealthConfig(test=("CMD", "x"), interval=5, retries=7)
    image = IMAGE.replace(healthcheck=check, exposed_ports={"80": {}})
    asked = ContainerConfig(env=("B=own", "C"), labels={"x": "own"}, healthcheck=HealthConfig(retries=2))
    merged = resolve.merge(asked.replace(host_config=HostConfig(port_bindings={"443/tcp": ()})), image)
    assert merged.env == ("B=own", "C", "A=1")
    assert merged.labels == {"x": "own", "y": "image"}
    assert merged.healthcheck == HealthConfig(test=("CMD", "x"), interval=5, retries=2)
    assert set(merged.exposed_ports) == {"80/tcp", "443/tcp"}
    assert merged.user == "app"


@pytest.mark.parametrize(
    ("changes", "host", "words"),
    [
        ({"working_dir": "rel"}, {}, "needs to be an absolute path"),
        ({"env": ("=x",)}, {}, "invalid environment variable"),
        ({"stop_signal": "NOPE"}, {}, "Invalid signal: NOPE"),
        ({"healthcheck": HealthConfig(test=("CMD", "x"), interval=5)}, {}, "Interval in Healthcheck cannot be less than 1ms"),
        ({}, {"memory": 1024}, "Minimum memory limit allowed is 6MB"),
        ({}, {"runtime": "youki"}, "unknown or invalid runtime name: youki"),
        ({}, {"pid_mode": "weird"}, "invalid PID mode"),
        ({"hostname": "h"}, {"network_mode": "container:x"}, "conflicting options: hostname and the network mode"),
    ],
)
def test_what_cannot_be_is_refused_in_dockers_words(changes: dict[str, object], host: dict[str, object], words: str) -> None:
    config = ContainerConfig(cmd=("x",), host_config=HostConfig().replace(**host)).replace(**changes)
    with pytest.raises(InvalidArgument, match=words):
        resolve.check(config, cpus=2, runtimes=("crun",))


def test_signals() -> None:
    assert [resolve.signal_number(s) for s in ("TERM", "SIGTERM", "sigterm", "15", "RTMIN+3")] == [15, 15, 15, 15, 37]
    for bad in ("0", "-1", "RTMIN+99", "SIGNOPE", "999"):
        with pytest.raises(InvalidArgument):
            resolve.signal_number(bad)


def planned(volumes: tuple[str, ...] = (), others: dict[str, tuple[MountRow, ...]] | None = None, **host: object) -> tuple[MountRow, ...]:
    config = ContainerConfig(volumes={v: {} for v in volumes}, host_config=HostConfig().replace(**host))
    return mounts.plan(config, others or {})


def test_the_order_is_from_outside_inwards() -> None:
    rows = planned(("/a/b/c",), binds=("v:/a/b", "/host:/a"), tmpfs={"/a/b/c/d": ""})
    assert [row.destination for row in rows] == ["/a", "/a/b", "/a/b/c", "/a/b/c/d"]
    assert [row.kind for row in rows] == ["bind", "volume", "volume", "tmpfs"]


def test_binds_are_read_as_docker_reads_them() -> None:
    bind, volume, anonymous = planned(binds=("/src:/b:ro,z,rslave", "name:/v:nocopy", "/x"))
    assert (bind.kind, bind.source, bind.writable, bind.propagation, bind.create) == ("bind", "/src", False, "rslave", True)
    assert (volume.source, volume.copy) == ("name", False)
    assert (anonymous.kind, anonymous.source, anonymous.destination) == ("volume", "", "/x")
    for bad in ("/a:/b:wrong", "/a:b", "/a:/", ":/a", "a:/b:ro:x", "/a:/b:nocopy"):
        with pytest.raises(InvalidArgument):
            planned(binds=(bad,))
    with pytest.raises(InvalidArgument, match="Duplicate mount point: /x"):
        planned(binds=("a:/x", "b:/x"))
    with pytest.raises(InvalidArgument, match='mount type unknown: "npipe"'):
        planned(mounts=(Mount(type="npipe", source="x", target="/x"),))


def test_volumes_from_takes_over_and_is_hidden_by_own_ones() -> None:
    others = {"one": (MountRow("volume", "/a", "va", anonymous=True), MountRow("volume", "/b", "vb"), MountRow("tmpfs", "/t"))}
    rows = planned(others=others, volumes_from=("one:ro",), binds=("own:/b",))
    assert [(r.source, r.writable, r.anonymous) for r in rows] == [("va", False, False), ("own", True, False)]


@given(st.text(max_size=20))
def test_names(name: str) -> None:
    try:
        plain = names.check(name)
    except InvalidArgument:
        return
    assert plain == name.removeprefix("/")
    assert len(plain) > 1
    assert all(c.isascii() and (c.isalnum() or c in "_.-") for c in plain)
    assert plain[0].isalnum()


def test_generated_names_are_free_and_valid() -> None:
    taken: set[str] = set()
    numbers = iter(range(10**6))
    for _ in range(300):
        name = names.generate(lambda n: next(numbers) % n, taken.__contains__)
        assert names.check(name) == name
        taken.add(name)
    assert len(taken) == 300


def test_rows_survive_the_database() -> None:
    config = ContainerConfig(cmd=(), entrypoint=None, image="bb", host_config=HostConfig(memory=5, port_bindings={"80/tcp": None}))
    record = Record(id="a", name="b", created="c", image="d", config=config, mounts=(MountRow("bind", "/x", "/y"),))
    assert Record.decode(record.encode()) == record
    assert Run.decode(Run(exit_code=3).encode()) == Run(exit_code=3)


def test_volume_options() -> None:
    assert options.parse({}) is None
    made = options.parse({"type": "nfs", "device": ":/export", "o": "addr=server,ro,nosuid,vers=4"})
    assert made is not None
    assert (made.flags, made.data, made.address) == (3, "addr=server,vers=4", "server")
    for bad in ({"weird": "x"}, {"type": "tmpfs"}, {"device": "/x"}):
        with pytest.raises(InvalidArgument):
            options.parse(bad)


ids = st.frozensets(st.sampled_from("abcdef"))


@given(ids, ids, ids, ids, ids, ids)
def test_garbage_is_what_no_row_owns(
    b: frozenset[str], r: frozenset[str], c: frozenset[str], k: frozenset[str], live: frozenset[str], more: frozenset[str]
) -> None:
    rows = live | more
    garbage = mark(Found(b, r, c, k), live=live, rows=rows)
    assert not garbage.running & live
    assert not garbage.kept & rows
    assert garbage.running | live >= b | r | c


def test_events_are_bounded_and_a_slow_reader_is_told() -> None:
    async def main() -> None:
        bus = Events()
        slow = bus.subscribe()
        picky = bus.subscribe({"type": ["container"], "event": ["health_status"], "label": ["a=b"]})
        for number in range(events.QUEUE + 1):
            bus.publish(event("image", "tag", str(number), {}))
        bus.publish(event("container", "health_status: healthy", "x", {"a": "b"}))
        bus.publish(event("container", "health_status: healthy", "y", {"a": "c"}))
        with pytest.raises(Unavailable, match="too slow"):
            await anext(slow)
        assert (await anext(picky)).actor.id == "x"
        past = [e async for e in bus.subscribe(since=1.0, until=2.0)]
        assert past == []
        history = bus.subscribe(since=1.0)
        assert (await anext(history)).type == "image"
        bus.close()
        assert [e async for e in picky] == []
        with pytest.raises(InvalidArgument, match="invalid filter"):
            bus.subscribe({"nope": ["x"]})

    asyncio.run(main())
