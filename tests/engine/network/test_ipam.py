"""Leases and subnets: no address is ever held twice, no subnet overlaps."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.engine.errors import Conflict, EngineError, InvalidArgument
from composer.engine.local.network.ipam import Pool, choose_subnet, make_pool, parse_subnet
from composer.engine.model import IPAMPool


@given(st.lists(st.one_of(st.none(), st.integers(0, 15), st.tuples(st.just("release"), st.integers(0, 15))), max_size=60))
def test_no_address_is_leased_twice(steps: list[object]) -> None:
    pool = make_pool(IPAMPool(subnet="10.9.8.0/28", gateway="10.9.8.3", aux_addresses={"printer": "10.9.8.7"}))
    held: list[IPv4Address] = []
    for step in steps:
        if isinstance(step, tuple):
            if held:
                pool.release(held.pop(step[1] % len(held)))
            continue
        wanted = None if step is None else ip_address("10.9.8.0") + int(str(step))
        try:
            address = pool.lease(wanted)
        except EngineError:
            if wanted is None:
                assert len(held) == 12  # 14 hosts but the gateway and the printer: only a full pool refuses
            continue
        assert isinstance(address, IPv4Address)
        assert address not in held
        assert str(address) not in ("10.9.8.0", "10.9.8.3", "10.9.8.7", "10.9.8.15")
        held.append(address)


def test_the_lowest_free_address_comes_first() -> None:
    pool = make_pool(IPAMPool(subnet="10.0.0.0/24"))
    first, second = pool.lease(), pool.lease()
    assert (str(first), str(second)) == ("10.0.0.2", "10.0.0.3")
    pool.release(first)
    assert pool.lease() == first
    assert str(pool.lease()) == "10.0.0.4"


def test_a_range_bounds_what_is_chosen_and_not_what_is_wished() -> None:
    pool = make_pool(IPAMPool(subnet="10.0.0.0/24", ip_range="10.0.0.128/25"))
    assert str(pool.lease()) == "10.0.0.128"
    assert str(pool.lease(ip_address("10.0.0.77"))) == "10.0.0.77"


def test_ipv6() -> None:
    pool = make_pool(IPAMPool(subnet="fd00:1::/64"))
    assert str(pool.gateway) == "fd00:1::1"
    assert str(pool.lease()) == "fd00:1::2"


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(20, 28)), max_size=40))
def test_a_chosen_subnet_overlaps_nothing(taken: list[tuple[int, int]]) -> None:
    pool = ip_network("10.50.0.0/20")
    nets = [ip_network((int(pool.network_address) + third % 16 * 256, prefix), strict=False) for third, prefix in taken]
    try:
        found = choose_subnet(pool, nets)
    except Conflict:
        assert all(any(net.overlaps(block) for net in nets) for block in pool.subnets(new_prefix=24))
        return
    assert found.prefixlen == 24
    assert found.subnet_of(pool)  # type: ignore[arg-type]
    assert not any(net.overlaps(found) for net in nets)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (IPAMPool(subnet="10.99.0.0/99"), "invalid subnet 10.99.0.0/99: invalid CIDR block notation"),
        (IPAMPool(subnet="10.99.0.5/24"), "it should be 10.99.0.0/24"),
        (IPAMPool(subnet="10.99.0.0"), "invalid CIDR block notation"),
        (IPAMPool(subnet="10.99.0.0/31"), "too small"),
        (IPAMPool(subnet="10.99.0.0/24", gateway="10.98.0.1"), "invalid gateway 10.98.0.1"),
        (IPAMPool(subnet="10.99.0.0/24", ip_range="10.98.0.0/25"), "doesn't contain ip-range"),
        (IPAMPool(subnet="10.99.0.0/24", ip_range="10.99.0.0/16"), "doesn't contain ip-range"),
        (IPAMPool(subnet="10.99.0.0/24", aux_addresses={"x": "hello"}), "invalid auxiliary address hello"),
    ],
)
def test_wrong_pools_are_refused_with_their_words(config: IPAMPool, words: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        make_pool(config)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("pool", "found"),
    [
        ("10.0.0.0/8", "10.0.0.0/22"),
        ("10.50.0.0/16", "10.50.0.0/22"),
        ("10.50.0.0/20", "10.50.0.0/24"),
        ("10.50.0.0/28", "10.50.0.0/28"),
        ("fd00::/48", "fd00::/64"),
    ],
)
def test_the_size_of_a_network(pool: str, found: str) -> None:
    assert str(choose_subnet(ip_network(pool), [])) == found


def test_a_full_pool_is_told() -> None:
    pool = Pool(parse_subnet("10.0.0.0/30"), ip_address("10.0.0.1"))
    pool.lease()
    with pytest.raises(Conflict, match="no available IPv4 addresses"):
        pool.lease()
