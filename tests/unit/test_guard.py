"""Where connections may go: addresses, networks that a configuration opens, resolve rules, look-ups."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.failures import FetchError
from scrapersky.scraping.guard import PUBLIC, GuardedBackend, NetworkPolicy, parse_resolve_rule, refusal
from scrapersky.scraping.limits import FetchLimits
from scrapersky.scraping.resolve import Resolver
from scrapersky.scraping.streams import Meter
from support.stopwatch import Stopwatch

LIMITS = FetchLimits(seconds=20, wire_bytes=1000, body_bytes=1000)

REFUSED = [
    # IPv4: the first and the last address of each net, and the well-known ones in between
    *[("0.0.0.0", "this network"), ("0.255.255.255", "this network")],
    *[("10.0.0.0", "private"), ("10.255.255.255", "private")],
    *[("100.64.0.0", "carrier"), ("100.127.255.255", "carrier"), ("100.100.100.200", "carrier")],
    *[("127.0.0.0", "loopback"), ("127.0.0.1", "loopback"), ("127.255.255.255", "loopback")],
    *[("169.254.0.0", "link-local"), ("169.254.169.254", "link-local"), ("169.254.170.2", "link-local")],
    *[("169.254.255.255", "link-local"), ("168.63.129.16", "cloud")],
    *[("172.16.0.0", "private"), ("172.31.255.255", "private")],
    *[("192.0.0.0", "protocol"), ("192.0.0.192", "protocol"), ("192.0.0.255", "protocol")],
    *[("192.0.2.1", "documentation"), ("198.51.100.1", "documentation"), ("203.0.113.255", "documentation")],
    *[("192.31.196.1", "protocol"), ("192.52.193.1", "protocol"), ("192.175.48.1", "protocol")],
    *[("192.88.99.1", "tunnel"), ("192.168.0.0", "private"), ("192.168.255.255", "private")],
    *[("198.18.0.0", "benchmarking"), ("198.19.255.255", "benchmarking")],
    *[("224.0.0.1", "multicast"), ("239.255.255.255", "multicast")],
    *[("240.0.0.0", "reserved"), ("255.255.255.255", "reserved")],
    # IPv6
    *[("::", "unspecified"), ("::1", "loopback"), ("::2", "no public"), ("::127.0.0.1", "no public")],
    *[("::ffff:127.0.0.1", "IPv4"), ("::ffff:8.8.8.8", "IPv4"), ("::ffff:0:127.0.0.1", "no public")],
    *[("64:ff9b::7f00:1", "IPv4"), ("64:ff9b::808:808", "IPv4"), ("64:ff9b:1::1", "IPv4")],
    *[("100::1", "discard"), ("1fff::1", "no public"), ("4000::1", "no public"), ("5f00::1", "no public")],
    *[("2001::1", "protocol"), ("2001:1ff:ffff::1", "protocol"), ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "protocol")],
    *[("2001:db8::1", "documentation"), ("3fff::1", "documentation"), ("3fff:fff::1", "documentation")],
    *[("2002:7f00:1::", "tunnel"), ("2002:808:808::1", "tunnel")],
    *[("fc00::1", "private"), ("fdff::1", "private"), ("fd00:ec2::254", "private"), ("fd20:ce::254", "private")],
    *[("fe80::1", "link-local"), ("fe80::1%eth0", "link-local"), ("2a00::1%eth0", "link-local")],
    *[("febf::1", "link-local"), ("fec0::1", "no public"), ("ff02::1", "multicast"), ("ff0e::1", "multicast")],
]

PUBLIC_ADDRESSES = [
    *["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"],
    *["128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255"],
    *["192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.17"],
    *["2000::1", "2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111", "2a00::1", "3ffe:ffff::1"],
    *["3fff:1000::1"],
]


@pytest.mark.parametrize(("address", "word"), REFUSED)
def test_special_addresses_are_refused_in_words(address: str, word: str) -> None:
    reason = refusal(ip_address(address))
    assert reason is not None
    assert word in reason


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_public_addresses_pass(address: str) -> None:
    assert refusal(ip_address(address)) is None


@given(st.ip_addresses())
def test_only_what_the_standard_library_too_calls_global_passes(address: object) -> None:
    checked = ip_address(str(address))
    if refusal(checked) is None:
        assert checked.is_global
        assert not checked.is_multicast


@pytest.mark.parametrize(
    "network", ["127.0.0.0/8", "127.0.0.1/32", "10.1.0.0/16", "172.16.0.0/12", "192.168.1.0/24", "::1/128", "fd12::/16"]
)
def test_parts_of_loopback_and_private_space_can_be_allowed(network: str) -> None:
    policy = NetworkPolicy(allowed_networks=(ip_network(network),))
    inside = ip_network(network)[-1]
    assert PUBLIC.refusal(inside) is not None
    assert policy.refusal(inside) is None
    assert policy.refusal(ip_address("169.254.169.254")) is not None


@pytest.mark.parametrize(
    "network",
    [
        *["0.0.0.0/0", "::/0", "128.0.0.0/1", "126.0.0.0/7", "172.0.0.0/8", "192.168.0.0/15", "::/127", "8.8.8.8/32"],
        *["169.254.0.0/16", "169.254.169.254/32", "168.0.0.0/6", "fe80::/10", "fe80::1/128", "224.0.0.0/4"],
        *["fc00::/7", "fd00::/8", "fd00:ec2::254/128", "100.64.0.0/10", "100.100.100.200/32", "::ffff:127.0.0.1/128"],
        *["2001:db8::/32", "198.18.0.0/15"],
    ],
)
def test_wider_and_metadata_networks_cannot_be_allowed(network: str) -> None:
    with pytest.raises(ValueError, match="allowed"):
        NetworkPolicy(allowed_networks=(ip_network(network),))


def test_allowing_loopback_does_not_allow_its_ipv6_disguises() -> None:
    policy = NetworkPolicy(allowed_networks=(ip_network("127.0.0.0/8"),))
    for disguise in ("::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"):
        assert policy.refusal(ip_address(disguise)) is not None


@pytest.mark.parametrize(
    ("text", "host", "port", "address", "to_port"),
    [
        ("shop.example=127.0.0.1:8080", "shop.example", None, "127.0.0.1", 8080),
        ("Shop.Example.:443=127.0.0.1:8443", "shop.example", 443, "127.0.0.1", 8443),
        ("*.example=127.0.0.1:8080", "*.example", None, "127.0.0.1", 8080),
        ("*.shop.example:80=[::1]:8080", "*.shop.example", 80, "::1", 8080),
        (" münchen.example=127.0.0.1:1 ", "xn--mnchen-3ya.example", None, "127.0.0.1", 1),
    ],
)
def test_resolve_rules_read_as_curl_writes_them(
    text: str, host: str, port: int | None, address: str, to_port: int
) -> None:
    rule = parse_resolve_rule(text)
    assert (rule.host, rule.port, str(rule.address), rule.to_port) == (host, port, address, to_port)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "not of the form"),
        ("shop.example", "not of the form"),
        ("shop.example=127.0.0.1", "ADDR:PORT"),
        ("shop.example=localhost:80", "ADDR:PORT"),
        ("shop.example=127.1:80", "ADDR:PORT"),
        ("shop.example=127.0.0.1:", "no port number"),
        ("shop.example=127.0.0.1:0", "no port number"),
        ("shop.example=127.0.0.1:65536", "no port number"),
        ("shop.example=127.0.0.1:\uff18\uff10", "no port number"),
        ("shop.example:=127.0.0.1:80", "no port number"),
        ("shop.example:x=127.0.0.1:80", "no port number"),
        ("=127.0.0.1:80", "no host name"),
        ("*=127.0.0.1:80", "no host name"),
        ("shop.*=127.0.0.1:80", "no host name"),
        ("127.0.0.1=127.0.0.1:80", "no host name"),
        ("a b=127.0.0.1:80", "no host name"),
        ("user@shop.example=127.0.0.1:80", "no host name"),
        ("shop.example/x=127.0.0.1:80", "no host name"),
    ],
)
def test_a_wrong_resolve_rule_says_what_is_wrong(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        parse_resolve_rule(text)


def test_the_most_precise_resolve_rule_wins_whatever_the_order() -> None:
    texts = [
        "*.example=127.0.0.1:1",
        "*.b.example=127.0.0.1:2",
        "a.b.example=127.0.0.1:3",
        "a.b.example:443=127.0.0.1:4",
    ]
    for order in (texts, texts[::-1]):
        policy = NetworkPolicy(resolve=tuple(parse_resolve_rule(text) for text in order))

        def port_for(host: str, port: int, policy: NetworkPolicy = policy) -> int | None:
            rule = policy.rule_for(host, port)
            return rule.to_port if rule else None

        assert port_for("x.example", 80) == 1
        assert port_for("x.b.example", 80) == 2
        assert port_for("a.b.example", 80) == 3
        assert port_for("a.b.example", 443) == 4
        assert port_for("example", 80) is None
        assert port_for("notexample", 80) is None


def answering(addresses: Sequence[str]) -> Resolver:
    def resolver(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolver


def connect(
    host: str,
    *,
    answers: Sequence[str] | Resolver = (),
    port: int = 80,
    policy: NetworkPolicy = PUBLIC,
    stop: bool = False,
    seconds: float = 20,
    limits: FetchLimits = LIMITS,
) -> FetchError:
    """The failure of a connection that must not come about; unit tests cannot open sockets anyway."""
    resolver = answers if callable(answers) else answering(answers)
    meter = Meter(time.monotonic() + seconds, limits, lambda: stop)
    with pytest.raises(FetchError) as failure:
        GuardedBackend(policy, resolver, meter).connect_tcp(host, port)
    return failure.value


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "10.0.0.1", "fe80::1%lo"])
@pytest.mark.parametrize("order", [1, -1])
def test_one_inner_address_among_public_ones_blocks_the_name(address: str, order: int) -> None:
    failure = connect("mixed.example", answers=["8.8.8.8", "2606:4700::1111", address][::order])
    assert failure.code is ErrorCode.BLOCKED_ADDRESS
    assert address not in failure.message


def test_an_inner_address_far_behind_the_ones_that_are_tried_still_blocks() -> None:
    failure = connect("mixed.example", answers=[f"8.8.8.{n}" for n in range(100)] + ["127.0.0.1"])
    assert failure.code is ErrorCode.BLOCKED_ADDRESS


@pytest.mark.parametrize("port", [0, 22, 25, 8080, 65535])
def test_other_ports_than_the_webs_are_refused_before_any_look_up(port: int) -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise AssertionError("looked up")

    assert connect("site.example", answers=resolver, port=port).code is ErrorCode.BLOCKED_ADDRESS


@pytest.mark.parametrize("host", ["localhost", "metadata.google.internal", "printer.local", "x.localhost", "intranet"])
def test_names_outside_the_public_dns_are_not_looked_up(host: str) -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise AssertionError("looked up")

    assert connect(host, answers=resolver).code is ErrorCode.BLOCKED_ADDRESS


def test_a_resolve_rule_does_not_widen_what_is_allowed() -> None:
    policy = NetworkPolicy(resolve=(parse_resolve_rule("*.example=127.0.0.1:8080"),))
    assert connect("shop.example", policy=policy).code is ErrorCode.BLOCKED_ADDRESS


def failing(error: Exception) -> Resolver:
    def resolver(host: str, port: int) -> list[str]:
        raise error

    return resolver


@pytest.mark.parametrize(
    "resolver",
    [
        failing(OSError(-2, "Name or service not known")),
        failing(UnicodeError("label too long")),
        failing(TimeoutError()),
        answering([]),
        answering(["not an address"]),
    ],
    ids=["unknown", "label", "timeout", "empty", "garbage"],
)
def test_a_name_without_a_usable_answer_is_a_dns_failure(resolver: Resolver) -> None:
    assert connect("gone.example", answers=resolver).code is ErrorCode.DNS_FAILURE


@pytest.mark.parametrize(
    ("stop", "seconds", "code"),
    [(False, 20, ErrorCode.DNS_FAILURE), (False, 0.05, ErrorCode.TIMEOUT), (True, 20, ErrorCode.CANCELLED)],
    ids=["limit of a look-up", "deadline", "cancel"],
)
def test_a_resolver_that_hangs_is_left_behind_in_time(stop: bool, seconds: float, code: ErrorCode) -> None:
    done = threading.Event()

    def hanging(host: str, port: int) -> list[str]:
        done.wait(10)
        return ["8.8.8.8"]

    limits = replace(LIMITS, connect_seconds=0.2)
    with Stopwatch() as watch:
        try:
            failure = connect("slow.example", answers=hanging, stop=stop, seconds=seconds, limits=limits)
        finally:
            done.set()
    assert failure.code is code
    assert watch.seconds < 1
