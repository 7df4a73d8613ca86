"""Docker's filters of each kind of object, as tables."""

from __future__ import annotations

import pytest

from composer.engine.errors import InvalidArgument
from composer.engine.filters import containers, events, networks, volumes
from composer.engine.filters.images import reference_matches
from composer.engine.filters.words import before, flag, labels_match, name_matches
from composer.engine.model import Actor, Container, Event, Network, NetworkMember, Volume


def test_labels() -> None:
    labels = {"a": "1", "b": ""}
    assert labels_match(labels, {"label": ["a", "a=1", "b="]})
    assert not labels_match(labels, {"label": ["a", "c"]})
    assert not labels_match(labels, {"label!": ["c", "a=1"]})
    assert labels_match(labels, {"label!": ["a=2"]})


def test_names_are_equal_or_expressions() -> None:
    assert name_matches("/shop-web-1", ["web"])
    assert name_matches("/shop-web-1", ["^/shop"])
    assert name_matches("/shop-web-1", ["^shop-web-1$"])
    assert name_matches("/a+b", ["a+b"])
    assert not name_matches("/shop-web-1", ["(", "db"])


def test_truth() -> None:
    assert (flag({"dangling": ["1"]}, "dangling"), flag({"dangling": ["False"]}, "dangling"), flag({}, "dangling")) == (True, False, None)
    with pytest.raises(InvalidArgument, match="invalid filter 'dangling=perhaps'"):
        flag({"dangling": ["perhaps"]}, "dangling")


def test_until() -> None:
    assert before({"until": ["1h30m"]}, 10_000.0) == 10_000.0 - 5400
    assert before({"until": ["123", "99"]}, 0) == 99
    assert before({"until": ["1970-01-01T00:01:00Z"]}, 0) == 60
    assert before({"until": ["1970-01-01"]}, 5) == 0
    assert before({}, 0) == float("inf")
    with pytest.raises(InvalidArgument, match='until "soon" is no time'):
        before({"until": ["soon"]}, 0)


def test_networks() -> None:
    used = Network(id="1", name="shop_default", labels={"a": "1", "b": "2"}, containers={"x": NetworkMember(name="x")})
    everything = [used, Network(id="2", name="other"), Network(id="3", name="bridge")]

    def names(**filters: str) -> list[str]:
        found = networks.select(everything, {key: [value] for key, value in filters.items()}, used=lambda ident: ident == "1")
        return [network.name for network in found]

    assert names(name="shop") == ["shop_default"]
    assert names(label="a=1") == ["shop_default"]
    assert names(label="c") == []
    assert names(type="custom") == ["shop_default", "other"]
    assert names(dangling="true") == ["other"]
    assert names(id="3") == ["bridge"]
    for wrong in ({"colour": "red"}, {"type": "large"}):
        with pytest.raises(InvalidArgument, match="invalid filter"):
            names(**wrong)


def test_volumes() -> None:
    everything = [Volume(name="shop_data", labels={"a": "1"}), Volume(name="other")]

    def names(**filters: str) -> list[str]:
        found = volumes.select(everything, {key: [value] for key, value in filters.items()}, used=lambda name: name == "other")
        return [volume.name for volume in found]

    assert names(name="data") == ["shop_data"]
    assert names(label="a") == ["shop_data"]
    assert names(dangling="true") == ["shop_data"]
    assert names(driver="local") == ["shop_data", "other"]


def test_containers() -> None:
    one = Container(id="abc", name="/shop-web-1", created="2024-01-02T00:00:00Z")
    context = containers.Context(created=lambda ref: ref, made_from=lambda _, image: image == "bb")

    def passes(**filters: str) -> bool:
        return containers.passes(one, containers.wanted({key: [value] for key, value in filters.items()}), context)

    assert passes(name="web")
    assert passes(id="ab")
    assert passes(ancestor="bb")
    assert not passes(ancestor="alpine")
    assert passes(before="2024-01-03")
    assert not passes(since="2024-01-03")
    assert passes(**{"is-task": "false"})
    for wrong in ({"status": "asleep"}, {"health": "fine"}, {"exited": "x"}, {"label!": "a"}):
        with pytest.raises(InvalidArgument, match="invalid filter"):
            passes(**wrong)


def test_events() -> None:
    joined = Event(type="network", action="connect", actor=Actor(id="n1", attributes={"name": "shop_default", "container": "c123"}))
    begun = Event(type="container", action="health_status: healthy", actor=Actor(id="c123", attributes={"name": "web", "image": "bb:1"}))

    def told(one: Event, **filters: str) -> bool:
        return events.passes(one, events.wanted({key: [value] for key, value in filters.items()}))

    assert told(joined, container="c12")
    assert told(joined, network="shop_default")
    assert not told(joined, container="n1")
    assert told(begun, event="health_status")
    assert told(begun, container="web")
    assert told(begun, image="bb")
    assert not told(begun, network="web")
    assert not told(begun, type="network")


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [("shop/*", True), ("shop/web", True), ("shop/web:1*", True), ("*", False), ("*/w?b", True), ("shop/[x-z]eb", False)],
)
def test_references(pattern: str, matches: bool) -> None:
    assert reference_matches("shop/web:1.2", [pattern]) is matches
