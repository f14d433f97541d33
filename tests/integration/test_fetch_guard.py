"""Targets that must not be reached: loopback, link-local, metadata and private addresses, by name, literal, redirect
and rebinding. The proof is a listener that stays silent and an interpreter that sees no socket connect; the control is
the same fetch with that network allowed, which does reach the listener.
"""

import socket
import time
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched, Fetcher, FetchFailure
from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule
from scrapersky.scraping.resolve import Resolver, system_resolver
from support.audit import recorded
from support.loopback import Listener, redirect, response, serving

AGENT = "ScraperSky/1.0 (+https://scrapersky.example)"
OUTER = "127.0.0.1"  # plays a public address where a policy allows it, and it alone
INNER = "127.0.0.2"


def policy(*networks: str, ports: tuple[int, ...] = (80, 443), rules: tuple[str, ...] = ()) -> NetworkPolicy:
    return NetworkPolicy(
        allowed_networks=tuple(ip_network(network) for network in networks),
        resolve=tuple(parse_resolve_rule(rule) for rule in rules),
        ports=ports,
    )


def fetch(url: str, policy: NetworkPolicy, resolver: Resolver = system_resolver) -> Fetched | FetchFailure:
    with Fetcher(policy=policy, user_agent=AGENT, resolver=resolver).site() as client:
        return client.get(url, deadline=time.monotonic() + 5)


def names(answers: dict[str, list[str]]) -> Resolver:
    def resolver(host: str, port: int) -> list[str]:
        return answers[host]

    return resolver


@pytest.fixture
def inner() -> Iterator[Listener]:
    """A service that nobody outside should reach."""

    def answer(path: str) -> list[bytes]:
        return [response(b"secret")]

    with Listener(answer, address=INNER) as listener:
        yield listener


def assert_blocked(answer: Fetched | FetchFailure) -> None:
    assert isinstance(answer, FetchFailure)
    assert answer.code is ErrorCode.BLOCKED_ADDRESS
    assert answer.wire_bytes == 0


LITERALS = [
    "127.0.0.2",
    "127.0.2",
    "127.2",
    "2130706434",
    "0x7f000002",
    "0x7f.0.0.2",
    "0177.0.0.2",
    "127.0.0.2.",
    "%31%32%37.0.0.2",
    "\u2460\u2461\u2466.0.0.2",
]
"""Spellings of INNER. Those of the next table are never allowed, as sockets treat them as something else."""

DISGUISES = [
    "[::1]",
    "[::ffff:127.0.0.2]",
    "[::ffff:7f00:2]",
    "[::127.0.0.2]",
    "[64:ff9b::7f00:2]",
    "0.0.0.0",
    "0",
    "[::]",
]


@pytest.mark.parametrize("host", LITERALS + DISGUISES)
def test_a_loopback_literal_opens_no_socket_in_any_spelling(inner: Listener, host: str) -> None:
    with recorded() as events:
        assert_blocked(fetch(f"http://{host}:{inner.port}/", policy(ports=(inner.port,))))
    assert events == []
    assert inner.connections == 0


@pytest.mark.parametrize("host", LITERALS)
def test_control_the_same_literal_is_reached_when_its_network_is_allowed(inner: Listener, host: str) -> None:
    answer = fetch(f"http://{host}:{inner.port}/", policy("127.0.0.0/8", ports=(inner.port,)))
    assert isinstance(answer, Fetched)
    assert answer.body == b"secret"
    assert inner.connections == 1


@pytest.mark.parametrize("host", DISGUISES)
def test_allowing_loopback_opens_none_of_its_disguises(inner: Listener, host: str) -> None:
    assert_blocked(fetch(f"http://{host}:{inner.port}/", policy("127.0.0.0/8", ports=(inner.port,))))
    assert inner.connections == 0


ANSWERS = [[INNER], ["8.8.8.8", INNER], [INNER, "8.8.8.8"], ["::ffff:127.0.0.2"], ["::1"], ["fe80::1%lo"]]


@pytest.mark.parametrize("answers", ANSWERS, ids=" ".join)
def test_a_name_with_a_loopback_answer_opens_no_socket(inner: Listener, answers: list[str]) -> None:
    with recorded() as events:
        url = f"http://site.example:{inner.port}/"
        assert_blocked(fetch(url, policy(ports=(inner.port,)), names({"site.example": answers})))
    assert events == []
    assert inner.connections == 0


def test_control_the_same_name_is_reached_when_its_network_is_allowed(inner: Listener) -> None:
    url = f"http://site.example:{inner.port}/"
    answer = fetch(url, policy("127.0.0.0/8", ports=(inner.port,)), names({"site.example": [INNER]}))
    assert isinstance(answer, Fetched)
    assert inner.connections == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
        "http://169.254.170.2/v2/credentials",
        "http://2852039166/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://100.100.100.200/latest/meta-data/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "https://192.168.1.1/",
        "http://[fe80::1]/",
        "http://[fd12::1]/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://localhost/",
        "http://site.example:22/",
        "http://site.example:9001/2018-06-01/runtime/invocation/next",
    ],
)
@pytest.mark.parametrize("networks", [(), ("127.0.0.0/8",)], ids=["public", "loopback allowed"])
def test_metadata_private_and_other_services_open_no_socket(url: str, networks: tuple[str, ...]) -> None:
    with recorded() as events:
        assert_blocked(fetch(url, policy(*networks)))
    assert events == []


def inner_redirects(port: int) -> dict[str, str]:
    return {
        "literal": f"http://{INNER}:{port}/",
        "short literal": f"http://127.2:{port}/",
        "name": f"http://inner.example:{port}/",
        "mapped": f"http://[::ffff:127.0.0.2]:{port}/",
        "without scheme": f"//{INNER}:{port}/",
        "backslashes": f"\\\\{INNER}:{port}\\",
        "user information": f"http://site.example@{INNER}:{port}/",
        "tab": f"ht\ttp://{INNER}:{port}/",
    }


@pytest.mark.parametrize("kind", list(inner_redirects(0)))
def test_a_redirect_to_an_inner_address_opens_no_socket(inner: Listener, kind: str) -> None:
    with serving(redirect(inner_redirects(inner.port)[kind])) as outer:
        rules = (f"site.example=127.0.0.1:{outer.port}",)
        resolver = names({"inner.example": [INNER]})
        ports = (80, inner.port)
        with recorded() as events:
            answer = fetch("http://site.example/", policy(f"{OUTER}/32", ports=ports, rules=rules), resolver)
        assert_blocked(answer)
        assert [hop.url for hop in answer.redirects] == ["http://site.example/"]
        assert events == [("connect", (OUTER, outer.port))]
        assert inner.connections == 0
        if kind != "mapped":
            control = fetch("http://site.example/", policy("127.0.0.0/8", ports=ports, rules=rules), resolver)
            assert isinstance(control, Fetched)
            assert inner.connections == 1


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:6379/_FLUSHALL", "data:text/html,x"]
)
def test_a_redirect_to_another_scheme_goes_nowhere(location: str) -> None:
    with serving(redirect(location)) as outer:
        answer = fetch("http://site.example/", policy("127.0.0.0/8", rules=(f"site.example=127.0.0.1:{outer.port}",)))
        assert_blocked(answer)
        assert outer.connections == 1


def rebinding(answers: list[str]) -> Resolver:
    """A name server that gives the next of `answers`, and takes it off, each time it is asked."""

    def resolver(host: str, port: int) -> list[str]:
        return [answers.pop(0)]

    return resolver


def test_the_checked_address_is_the_one_that_is_connected_to(inner: Listener) -> None:
    answers = [OUTER, INNER, INNER]
    with Listener(lambda path: [response(path.encode())]) as outer, recorded() as events:
        answer = fetch(
            f"http://site.example:{outer.port}/", policy(f"{OUTER}/32", ports=(outer.port,)), rebinding(answers)
        )
    assert isinstance(answer, Fetched)
    assert events == [("connect", (OUTER, outer.port))]
    assert answers == [INNER, INNER]


def test_a_name_that_rebinds_between_two_connections_is_checked_again(inner: Listener) -> None:
    rebound = policy(f"{OUTER}/32", ports=(inner.port,))
    with Fetcher(policy=rebound, user_agent=AGENT, resolver=rebinding([OUTER, INNER])).site() as client:
        first = client.get(f"http://site.example:{inner.port}/", deadline=time.monotonic() + 5)
        second = client.get(f"http://site.example:{inner.port}/", deadline=time.monotonic() + 5)
    assert isinstance(first, FetchFailure)
    assert first.code is ErrorCode.CONNECT_FAILURE  # it was tried: nothing listens at OUTER on this port
    assert_blocked(second)
    assert inner.connections == 0


def test_the_systems_resolver_is_asked_once_for_a_connection(inner: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["8.8.8.8", OUTER, INNER]
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **options: object) -> list[object]:
        asked.append(host)
        address = answers[len(asked)]  # whoever asked a second time would be sent to INNER
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with recorded() as events:
        fetch(f"http://site.example:{inner.port}/", policy(f"{OUTER}/32", ports=(inner.port,)))
    assert asked == ["site.example"]
    assert events == [("connect", (OUTER, inner.port))]
    assert inner.connections == 0


def test_a_proxy_in_the_environment_is_not_used(inner: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, f"http://{INNER}:{inner.port}")
    with serving(response(b"direct")) as outer:
        answer = fetch("http://site.example/", policy("127.0.0.0/8", rules=(f"site.example={OUTER}:{outer.port}",)))
    assert isinstance(answer, Fetched)
    assert inner.connections == 0
