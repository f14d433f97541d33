"""Names that lead to what must not be reached: by one of their answers, by a later answer, by way of another name.

The proof is a listener that stays silent and an interpreter that sees no socket connect. In the controls the same
names are let in, and both see it.
"""

import socket
import time
from collections.abc import Iterator, Sequence
from itertools import cycle

import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched, Fetcher, FetchFailure
from scrapersky.scraping.limits import MAX_ADDRESSES
from scrapersky.scraping.resolve import Resolver
from support.audit import recorded
from support.fetching import AGENT, fetch_by, policy
from support.loopback import CLOSED_PORT, Listener, redirect, response, serving

OUTER = "127.0.0.1"  # plays a public address where a policy allows it, and it alone
INNER = "127.0.0.2"
SITES = 100


@pytest.fixture
def inner() -> Iterator[Listener]:
    """A service that nobody outside should reach."""
    with Listener(lambda _: [response(b"secret")], address=INNER) as listener:
        yield listener


def answering(answers: Sequence[str]) -> Resolver:
    """A name server that says the same of every name."""
    return lambda host, port: answers  # noqa: ARG005


class Rebinding:
    """A name server whose answer changes each time that it is asked; `asked` are the names, as they came."""

    def __init__(self, *answers: str) -> None:
        self._answers = {name: cycle(answers) for name in (f"site{n}.example" for n in range(SITES))}
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:  # noqa: ARG002
        self.asked.append(host)
        return [next(self._answers[host])]


def assert_blocked(answer: Fetched | FetchFailure) -> None:
    assert isinstance(answer, FetchFailure)
    assert (answer.code, answer.wire_bytes) == (ErrorCode.BLOCKED_ADDRESS, 0)


BAD = [INNER, "::1", "::ffff:127.0.0.2", "64:ff9b::7f00:2", "169.254.169.254", "fd00:ec2::254", "fe80::1%lo", "0.0.0.0"]
GOOD = ["8.8.8.8", "2606:4700:4700::1111", "1.1.1.1", "2a00:1450:4001:80b::200e"]


@pytest.mark.parametrize("place", range(len(GOOD) + 1))
@pytest.mark.parametrize("bad", BAD)
def test_one_inner_answer_in_any_place_blocks_the_name(bad: str, place: int) -> None:
    answers = [*GOOD[:place], bad, *GOOD[place:]]
    with recorded() as events:
        assert_blocked(fetch_by("http://site.example/", policy(), answering(answers)))
    assert events == []


@pytest.mark.parametrize("bad", BAD)
def test_one_inner_answer_behind_a_thousand_blocks_the_name(bad: str) -> None:
    answers = [f"8.8.{n // 250}.{n % 250}" for n in range(1000)]
    with recorded() as events:
        assert_blocked(fetch_by("http://site.example/", policy(), answering([*answers, bad])))
    assert events == []


def test_of_a_thousand_answers_that_pass_the_first_few_are_tried_in_their_order() -> None:
    answers = [f"127.9.{n // 250}.{n % 250 + 1}" for n in range(1000)]
    with recorded() as events:
        answer = fetch_by(
            f"http://site.example:{CLOSED_PORT}/", policy("127.9.0.0/16", ports=(CLOSED_PORT,)), answering(answers)
        )
    assert isinstance(answer, FetchFailure)
    assert answer.code is ErrorCode.CONNECT_FAILURE
    assert events == [("connect", (address, CLOSED_PORT)) for address in answers[:MAX_ADDRESSES]]


def test_the_next_answer_is_tried_when_the_first_does_not_answer() -> None:
    with Listener(lambda _: [response(b"here")], address=INNER) as listener, recorded() as events:
        url = f"http://site.example:{listener.port}/"
        answer = fetch_by(url, policy("127.0.0.0/8", ports=(listener.port,)), answering(["127.0.0.9", INNER]))
    assert isinstance(answer, Fetched)
    assert events == [("connect", ("127.0.0.9", listener.port)), ("connect", (INNER, listener.port))]


@pytest.mark.parametrize("answers", [[], ["not an address"], ["8.8.8.8", ""], ["0x7f.1"], ["127.1"], ["8.8.8.8:80"]])
def test_no_answer_and_no_address_open_no_socket(answers: list[str]) -> None:
    with recorded() as events:
        answer = fetch_by("http://site.example/", policy(), answering(answers))
    assert isinstance(answer, FetchFailure)
    assert (answer.code, events) == (ErrorCode.DNS_FAILURE, [])


def test_a_hundred_names_that_rebind_are_connected_to_where_they_were_checked(inner: Listener) -> None:
    names = Rebinding(OUTER, INNER)
    with Listener(lambda _: [response(b"page")]) as outer:
        fetcher = Fetcher(policy=policy(f"{OUTER}/32", ports=(outer.port,)), user_agent=AGENT, resolver=names)
        with recorded() as events:
            for n in range(SITES):
                with fetcher.site() as client:
                    first, second = (
                        client.get(f"http://site{n}.example:{outer.port}/", deadline=time.monotonic() + 10)
                        for _ in range(2)
                    )
                assert isinstance(first, Fetched)
                assert_blocked(second)
        assert outer.connections == SITES
    assert events == [("connect", (OUTER, outer.port))] * SITES
    assert len(names.asked) == 2 * SITES  # once for each connection, and never between the check and the socket
    assert inner.connections == 0


def test_control_the_same_names_reach_the_inner_service_where_both_are_allowed(inner: Listener) -> None:
    names = Rebinding(INNER)
    fetcher = Fetcher(policy=policy("127.0.0.0/8", ports=(inner.port,)), user_agent=AGENT, resolver=names)
    with recorded() as events:
        for n in range(SITES):
            with fetcher.site() as client:
                answer = client.get(f"http://site{n}.example:{inner.port}/", deadline=time.monotonic() + 10)
            assert isinstance(answer, Fetched)
    assert events == [("connect", (INNER, inner.port))] * SITES
    assert inner.connections == SITES


def test_a_name_that_rebinds_between_a_page_and_its_redirect_is_checked_again(inner: Listener) -> None:
    names = Rebinding(OUTER, INNER)
    with serving(redirect("/next")) as outer, recorded() as events:
        answer = fetch_by(f"http://site0.example:{outer.port}/", policy(f"{OUTER}/32", ports=(outer.port,)), names)
    assert_blocked(answer)
    assert [hop.location for hop in answer.redirects] == ["/next"]
    assert events == [("connect", (OUTER, outer.port))]
    assert inner.connections == 0


def test_a_name_that_rebinds_while_its_connection_is_replaced_is_checked_again(inner: Listener) -> None:
    """The second page is asked for over the kept connection, hung up on, and asked for once more."""
    names = Rebinding(OUTER, INNER)

    def answer(path: str) -> list[bytes]:
        return [response(b"page")] if path == "/first" else []

    with Listener(answer, keep_alive=True) as outer:
        fetcher = Fetcher(policy=policy(f"{OUTER}/32", ports=(outer.port,)), user_agent=AGENT, resolver=names)
        with fetcher.site() as client, recorded() as events:
            first, second = (
                client.get(f"http://site0.example:{outer.port}/{path}", deadline=time.monotonic() + 10)
                for path in ("first", "second")
            )
        assert outer.paths == ["/first", "/second"]
    assert isinstance(first, Fetched)
    assert_blocked(second)
    assert events == [("connect", (OUTER, outer.port))]
    assert len(names.asked) == 2


@pytest.mark.parametrize("address", [INNER, "169.254.169.254", "::1", "fe80::1%lo", "::ffff:10.0.0.1"])
def test_what_an_alias_leads_to_is_checked_whatever_it_is_called(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """A CNAME shows in the system's answer by its end alone, and only the address is looked at."""

    def getaddrinfo(host: str, port: int, **options: object) -> list[object]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "public.example", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with recorded() as events:
        assert_blocked(fetch_by("http://alias.example/", policy()))
    assert events == []


def test_the_systems_resolver_is_asked_once_for_a_connection_and_not_for_a_name_of_its_network(
    inner: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["8.8.8.8", OUTER, INNER]
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **options: object) -> list[object]:
        asked.append(host)
        address = answers[len(asked)]  # whoever asked a second time would be sent to INNER
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with recorded() as events:
        fetch_by(f"http://site.example:{inner.port}/", policy(f"{OUTER}/32", ports=(inner.port,)))
    assert asked == ["site.example."]  # the dot: absolute, past the search list of resolv.conf
    assert events == [("connect", (OUTER, inner.port))]
    assert inner.connections == 0


def test_control_the_audit_sees_what_the_system_is_asked() -> None:
    with recorded() as events:
        socket.getaddrinfo(OUTER, 80)
    assert events == [("look up", OUTER)]


def test_a_proxy_in_the_environment_is_not_used(inner: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, f"http://{INNER}:{inner.port}")
    with serving(response(b"direct")) as outer:
        answer = fetch_by("http://site.example/", policy("127.0.0.0/8", rules=(f"site.example={OUTER}:{outer.port}",)))
    assert isinstance(answer, Fetched)
    assert inner.connections == 0
