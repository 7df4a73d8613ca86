"""What is rendered from state: the ruleset, hosts, resolv.conf; and what is read: ports, options, filters, findings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.engine.errors import Conflict, EngineError, InvalidArgument, NotFound, Unsupported
from composer.engine.local.network import hosts, options, ports, ruleset, upstream
from composer.engine.local.network.doctor import dropping_chains
from composer.engine.local.network.model import PublishedPort
from composer.engine.local.network.reference import find
from composer.engine.local.network.ruleset import BridgeRule, PortRule
from composer.engine.model import Network, PortBinding


def test_the_ruleset_is_the_same_for_the_same_facts_in_any_order() -> None:
    bridges = [BridgeRule("cmp1", ("10.0.1.0/24",)), BridgeRule("cmp2", ("10.0.2.0/24", "fd00::/64"), internal=True, talk=False)]
    rules = [
        PortRule("tcp", "0.0.0.0", 80, "10.0.1.2", 8080),
        PortRule("udp", "127.0.0.2", 53, "10.0.1.3", 53),
        PortRule("tcp", "::1", 80, "10.0.1.2", 80),
    ]
    text = ruleset.render("t", bridges, rules)
    assert text == ruleset.render("t", reversed(bridges), reversed(rules))
    assert text.startswith("add table inet t\ndelete table inet t\ntable inet t {\n")
    assert "tcp . 80 : 10.0.1.2 . 8080" in text
    assert "127.0.0.2 . udp . 53 : 10.0.1.3 . 53" in text
    assert "::1 . tcp" not in text  # nft cannot lead it: the relay does
    assert 'ip saddr 10.0.1.0/24 oifname != "cmp1" masquerade' in text
    assert 'oifname != "cmp2" masquerade' not in text
    assert '"cmp2" . "cmp2"' not in text


def test_no_network_no_table() -> None:
    assert ruleset.render("t", (), ()) == "add table inet t\ndelete table inet t\n"


def test_hosts() -> None:
    extra = hosts.parse_extra(["a:1.2.3.4", "b=fd00::9", "c:[::1]", "up:host-gateway"], "10.0.0.1")
    text = hosts.render_hosts(["10.0.0.2"], "web", "example.org", extra)
    assert text.startswith("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
    assert text.endswith("1.2.3.4\ta\nfd00::9\tb\n::1\tc\n10.0.0.1\tup\n10.0.0.2\tweb.example.org web\n")
    for wrong in ("name", ":1.2.3.4", "x:"):
        with pytest.raises(InvalidArgument):
            hosts.parse_extra([wrong], "")
    with pytest.raises(InvalidArgument, match="host-gateway"):
        hosts.parse_extra(["up:host-gateway"], "")


def test_resolv_conf() -> None:
    host = hosts.ResolvConf.parse("# x\nnameserver 127.0.0.53 # stub\nnameserver 10.0.0.1\nsearch a b\noptions edns0 trust-ad\n")
    assert host == hosts.ResolvConf(("127.0.0.53", "10.0.0.1"), ("a", "b"), ("edns0", "trust-ad"))
    text = hosts.render_resolv_conf(host, servers=("127.0.0.11",), search=(), options=())
    assert text.splitlines()[1:] == ["nameserver 127.0.0.11", "search a b", "options edns0 trust-ad ndots:0"]
    text = hosts.render_resolv_conf(host, servers=("127.0.0.11",), search=(".",), options=("ndots:3",))
    assert text.splitlines()[1:] == ["nameserver 127.0.0.11", "options ndots:3"]
    assert upstream.outside_servers(host, ipv6=False) == ("10.0.0.1",)


def test_wishes_for_ports() -> None:
    found = ports.wishes(
        {"80/tcp": [PortBinding(host_ip="[::1]", host_port="8000-8010")], "53/udp": None}, ["81/tcp", "80/tcp"], publish_all=True
    )
    assert found == [ports.PortWish("tcp", 80, "::1", 8000, 8010), ports.PortWish("tcp", 81, "", 0, 0)]
    for key, binding, kind in (
        ("x/tcp", PortBinding(), InvalidArgument),
        ("70000", PortBinding(), InvalidArgument),
        ("80/sctp", PortBinding(), Unsupported),
        ("80", PortBinding(host_port="9-8"), InvalidArgument),
        ("80", PortBinding(host_ip="300.1.1.1"), InvalidArgument),
    ):
        with pytest.raises(kind):
            ports.wishes({key: [binding]}, (), publish_all=False)


def test_ports_as_inspect_shows_them() -> None:
    published = [PublishedPort(protocol="tcp", port=80, host_ip=ip, host_port=8080) for ip in ("0.0.0.0", "::")]
    assert ports.shown(published, ["80/tcp", "9"]) == {
        "80/tcp": (PortBinding(host_ip="0.0.0.0", host_port="8080"), PortBinding(host_ip="::", host_port="8080")),
        "9/tcp": None,
    }


@given(st.text(max_size=20), st.text(max_size=20))
def test_port_texts_raise_only_our_errors(port: str, host_port: str) -> None:
    try:
        ports.wishes({port: [PortBinding(host_port=host_port)]}, (), publish_all=False)
    except EngineError:
        pass


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"com.docker.network.driver.mtu": "big"}, InvalidArgument),
        ({"com.docker.network.bridge.name": "a/b"}, InvalidArgument),
        ({"com.docker.network.bridge.name": "sixteen-letters-x"}, InvalidArgument),
        ({"com.docker.network.bridge.enable_icc": "maybe"}, InvalidArgument),
        ({"com.docker.network.bridge.gateway_mode_ipv4": "routed"}, Unsupported),
        ({"com.docker.network.unheard_of": "1"}, Unsupported),
    ],
)
def test_options_without_effect_are_refused(given: dict[str, str], kind: type[EngineError]) -> None:
    with pytest.raises(kind):
        options.check(given)


def test_endpoint_sysctls() -> None:
    key = "com.docker.network.endpoint.sysctls"
    assert options.endpoint_sysctls({key: "net.ipv4.conf.IFNAME.log_martians=1"}, "eth3") == (("net/ipv4/conf/eth3/log_martians", "1"),)
    for wrong in ("kernel.x=1", "net.ipv4.conf.eth0.x=1", "net.ipv4.conf.IFNAME.a/b=1", "net.ipv4.conf.IFNAME...x=1"):
        with pytest.raises(InvalidArgument):
            options.endpoint_sysctls({key: wrong}, "eth0")


class Rows(dict[str, Network]):
    def __iter__(self):  # type: ignore[no-untyped-def,override]
        return iter(self.values())


def test_finding_a_network() -> None:
    rows = Rows({i: Network(id=i, name=n) for i, n in (("abc1", "one"), ("abd2", "two"))})
    names = {"one": "abc1", "two": "abd2"}

    def found(ref: str) -> str:
        return find(rows, names, ref).name  # type: ignore[arg-type]

    assert [found(ref) for ref in ("one", "abc1", "abd")] == ["one", "one", "two"]
    with pytest.raises(Conflict, match="ambiguous"):
        found("ab")
    for ref in ("three", ""):
        with pytest.raises(NotFound, match=f"network {ref} not found"):
            found(ref)


def test_a_foreign_firewall_that_drops_is_found() -> None:
    listing = """table ip filter {
	chain DOCKER-USER {
	}

	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
}
table inet composer_ab12 {
	chain onward {
		type filter hook forward priority filter; policy drop;
	}
}
table inet firewall {
	chain in {
		type filter hook input priority filter; policy drop;
	}
	chain fwd {
		type filter hook forward priority 10; policy drop;
	}
}
"""
    first, second = dropping_chains(listing, "composer_ab12")
    assert "table ip filter, chain FORWARD" in first.problem
    assert first.remedy.startswith("iptables -I DOCKER-USER -i cmp+")
    assert second.remedy.startswith("nft insert rule inet firewall fwd iifname")


def test_a_port_of_several_containers_has_a_chain_that_takes_them_in_turn() -> None:
    rules = [PortRule("tcp", host, 80, address, 8080) for host in ("0.0.0.0", "127.0.0.2") for address in ("10.0.1.3", "10.0.1.2")]
    text = ruleset.render("t", [BridgeRule("cmp1", ("10.0.1.0/24",))], rules)
    turns = "meta l4proto tcp dnat ip to numgen inc mod 2 map { 0 : 10.0.1.2 . 8080, 1 : 10.0.1.3 . 8080 }"
    assert f"chain share_tcp_80_00000000 {{\n{turns}\n}}" in text
    assert "tcp . 80 : jump share_tcp_80_00000000" in text
    assert "127.0.0.2 . tcp . 80 : jump share_tcp_80_7f000002" in text
    assert "tcp . 80 : 10.0.1" not in text
    assert text == ruleset.render("t", [BridgeRule("cmp1", ("10.0.1.0/24",))], rules[::-1])
