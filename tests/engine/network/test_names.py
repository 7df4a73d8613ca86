"""Names and their answers in bytes; another implementation (dnslib) decodes them."""

from __future__ import annotations

import struct

import pytest
from dnslib import EDNS0, QTYPE, RCODE, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from composer.engine.local.network.answer import SERVFAIL, answer, parse, refuse
from composer.engine.local.network.zone import Member, Zone


def zone(count: int = 1) -> Zone:
    one = Zone("shop_default")
    for i in range(count):
        one.add(Member(f"id{i}", (f"shop-web-{i + 1}", "web", f"{i:012x}"), f"10.0.{i // 250}.{i % 250 + 2}", "fd00::2" if i == 0 else ""))
    return one


def ask(zones: list[Zone], name: str, kind: str = "A", *, links: dict[str, str] | None = None, tcp: bool = False) -> DNSRecord | None:
    query = DNSRecord.question(name, kind).pack()
    question = parse(query)
    assert question is not None
    reply = answer(query, question, zones, links or {}, tcp=tcp)
    return None if reply is None else DNSRecord.parse(reply)


def addresses(record: DNSRecord | None) -> list[str]:
    assert record is not None
    return [str(r.rdata) for r in record.rr]


@pytest.mark.parametrize("name", ["web", "WEB", "web.", "web.shop_default", "shop-web-1", "000000000000"])
def test_a_member_is_found_by_each_name(name: str) -> None:
    assert addresses(ask([zone()], name)) == ["10.0.0.2"]


def test_kinds_of_records() -> None:
    assert addresses(ask([zone()], "web", "AAAA")) == ["fd00::2"]
    assert addresses(ask([zone()], "web", "ANY")) == ["10.0.0.2", "fd00::2"]
    assert addresses(ask([zone(2)], "shop-web-2", "AAAA")) == []
    assert addresses(ask([zone()], "web", "MX")) == []
    assert addresses(ask([zone()], "2.0.0.10.in-addr.arpa", "PTR")) == ["shop-web-1.shop_default."]
    reverse = ".".join(reversed(f"{0xFD00 << 112 | 2:032x}")) + ".ip6.arpa"
    assert addresses(ask([zone()], reverse, "PTR")) == ["shop-web-1.shop_default."]


@pytest.mark.parametrize("name", ["nobody", "web.other", "example.org"])
def test_other_names_are_not_ours(name: str) -> None:
    assert ask([zone()], name) is None
    assert ask([zone()], "9.9.9.9.in-addr.arpa", "PTR") is None


def test_replicas_come_in_turn_and_go_when_they_end() -> None:
    one = zone(3)
    firsts = [addresses(ask([one], "web"))[0] for _ in range(6)]
    assert firsts[:3] == firsts[3:]
    assert len(set(firsts)) == 3
    one.remove("id1")
    assert sorted(addresses(ask([one], "web"))) == ["10.0.0.2", "10.0.0.4"]
    one.remove("id0")
    one.remove("id2")
    one.remove("id2")
    assert ask([one], "web") is None


def test_the_first_network_that_knows_a_name_answers_and_links_are_private() -> None:
    other = Zone("other")
    other.add(Member("x", ("db", "web"), "10.7.0.2"))
    assert addresses(ask([other, zone()], "web")) == ["10.7.0.2"]
    assert addresses(ask([zone(), other], "database", links={"database": "db"})) == ["10.7.0.2"]
    assert ask([zone(), other], "database") is None


def test_an_answer_that_does_not_fit_says_so() -> None:
    one = zone(100)
    cut = ask([one], "web")
    assert cut is not None
    assert cut.header.tc == 1
    assert len(cut.pack()) <= 512
    whole = ask([one], "web", tcp=True)
    assert whole is not None
    assert (whole.header.tc, len(whole.rr)) == (0, 100)
    query = DNSRecord.question("web")
    query.add_ar(EDNS0(udp_len=1232))
    raw = query.pack()
    question = parse(raw)
    assert question is not None
    assert question.size == 1232


def test_refusals_keep_the_question() -> None:
    query = DNSRecord.question("web").pack()
    record = DNSRecord.parse(refuse(query, parse(query), SERVFAIL))
    assert RCODE[record.header.rcode] == "SERVFAIL"
    assert (str(record.q.qname), QTYPE[record.q.qtype]) == ("web.", "A")


@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(data: bytes) -> None:
    question = parse(data)
    if question is not None:
        answer(data, question, [zone()], {})


@given(st.binary(max_size=80))
def test_no_question_breaks_the_parser(tail: bytes) -> None:
    data = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 1) + tail
    question = parse(data)
    if question is not None:
        reply = answer(data, question, [zone()], {}) or refuse(data, question, SERVFAIL)
        assert reply[:2] == data[:2]
