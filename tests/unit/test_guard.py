"""Where connections may go: resolve rules, ports, names and look-ups. Addresses have a table of their own."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.failures import FetchError
from scrapersky.scraping.guard import PUBLIC, GuardedBackend, NetworkPolicy, parse_resolve_rule
from scrapersky.scraping.limits import FetchLimits
from scrapersky.scraping.resolve import Resolver
from scrapersky.scraping.streams import Meter
from support.stopwatch import Stopwatch

LIMITS = FetchLimits(seconds=20, wire_bytes=1000, body_bytes=1000)


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


def test_a_name_that_dns_cannot_hold_is_neither_looked_up_nor_repeated() -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise AssertionError("looked up")

    failure = connect("a." * 3000 + "example", answers=resolver)
    assert (failure.code, failure.message) == (ErrorCode.DNS_FAILURE, "the name is longer than 253 characters")


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
