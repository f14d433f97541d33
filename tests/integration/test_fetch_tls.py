"""Encrypted sites: who is trusted, and that every way in which TLS can fail is told as that."""

import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched, Fetcher, FetchFailure
from scrapersky.scraping.limits import PAGE_LIMITS, FetchLimits
from support.fetching import AGENT, policy
from support.loopback import Listener, redirect, response, says, serving
from support.stopwatch import Stopwatch

SITE = "https://shop.example/"
BRIEF = replace(PAGE_LIMITS, seconds=1.5)
BRIEF_HANDSHAKE = replace(PAGE_LIMITS, connect_seconds=0.3)


@dataclass(frozen=True)
class Authority:
    """A certificate authority of this test run, and the file that makes it trusted."""

    ca: trustme.CA
    file: Path

    def context(self, *names: str, not_after: datetime | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names, not_after=not_after).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca = trustme.CA()
    file = tmp_path_factory.mktemp("tls") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return Authority(ca, file)


def fetcher(port: int, ca_file: Path | None) -> Fetcher:
    reach = policy("127.0.0.0/8", rules=(f"*.example=127.0.0.1:{port}",))
    return Fetcher(policy=reach, user_agent=AGENT, ca_file=str(ca_file) if ca_file else None)


def fetch(
    port: int, ca_file: Path | None, url: str = SITE, limits: FetchLimits = PAGE_LIMITS
) -> Fetched | FetchFailure:
    with fetcher(port, ca_file).site() as client:
        return client.get(url, deadline=time.monotonic() + 30, limits=limits)


def page(path: str) -> list[bytes]:
    return [response(f"page {path}".encode())]


def test_a_trusted_site_is_fetched(authority: Authority) -> None:
    with Listener(page, tls=authority.context("shop.example")) as listener:
        answer = fetch(listener.port, authority.file)
    assert isinstance(answer, Fetched)
    assert answer.body == b"page /"


def test_an_internationalised_name_with_a_trailing_dot_matches_its_certificate(authority: Authority) -> None:
    with Listener(page, tls=authority.context("xn--mnchen-3ya.example")) as listener:
        assert isinstance(fetch(listener.port, authority.file, "https://m\u00fcnchen.example./"), Fetched)


REFUSED = {
    "authority unknown": (["shop.example"], None, False),
    "another name": (["other.example"], None, True),
    "wildcard of another level": (["*.shop.example"], None, True),
    "address in place of the name": (["127.0.0.1"], None, True),
    "expired": (["shop.example"], datetime(2020, 1, 1, tzinfo=UTC), True),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_certificate_that_proves_nothing_is_a_tls_failure(authority: Authority, kind: str) -> None:
    names, not_after, is_trusted = REFUSED[kind]
    with Listener(page, tls=authority.context(*names, not_after=not_after)) as listener:
        answer = fetch(listener.port, authority.file if is_trusted else None)
        assert isinstance(answer, FetchFailure)
        assert (answer.code, answer.status_code) == (ErrorCode.TLS_FAILURE, None)
        assert listener.paths == []


def test_what_the_certificate_lacks_is_told(authority: Authority) -> None:
    with Listener(page, tls=authority.context("shop.example", not_after=datetime(2020, 1, 1, tzinfo=UTC))) as listener:
        answer = fetch(listener.port, authority.file)
    assert isinstance(answer, FetchFailure)
    assert "expired" in answer.message


@pytest.mark.parametrize(
    "pieces",
    [[response(b"plain")], [], [b"\x15\x03\x01\x00\x02\x02\x28"], [bytes(64)], None],
    ids=["plain http", "hang-up", "alert", "garbage", "silence"],
)
def test_a_server_that_speaks_no_tls_is_a_tls_failure(authority: Authority, pieces: list[bytes] | None) -> None:
    """The site may still be reached over http, so this is neither a timeout nor an http_error."""
    with Listener(script=None if pieces is None else says(*pieces)) as listener, Stopwatch() as watch:
        failure = fetch(listener.port, authority.file, limits=BRIEF_HANDSHAKE)
        assert isinstance(failure, FetchFailure)
        assert failure.code is ErrorCode.TLS_FAILURE
        assert watch.seconds < 1
        assert listener.connections == 1


def test_an_outdated_protocol_is_a_tls_failure(authority: Authority) -> None:
    context = authority.context("shop.example")
    context.set_ciphers("AES128-SHA")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with Listener(page, tls=context) as listener:
        failure = fetch(listener.port, authority.file)
    assert isinstance(failure, FetchFailure)
    assert failure.code is ErrorCode.TLS_FAILURE


def test_a_redirect_from_https_to_another_host_checks_that_hosts_certificate(authority: Authority) -> None:
    with Listener(lambda _: [redirect("https://other.example/")], tls=authority.context("shop.example")) as listener:
        failure = fetch(listener.port, authority.file)
        assert isinstance(failure, FetchFailure)
        assert (failure.code, failure.url) == (ErrorCode.TLS_FAILURE, "https://other.example/")
        assert [hop.url for hop in failure.redirects] == [SITE]


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
def test_a_redirect_from_https_to_http_is_followed_and_told_but_never_inside(authority: Authority, status: str) -> None:
    """Sites do send their visitors back to http; a secure cookie stays behind."""
    headers = ["Set-Cookie: key=secret; Secure", "Location: {}"]
    context = authority.context("shop.example")

    def to(location: str) -> tuple[Fetched | FetchFailure, Listener]:
        moved = response(status=status, headers=[header.format(location) for header in headers])
        with serving(response(b"in the clear")) as plain, Listener(lambda _: [moved], tls=context) as encrypted:
            rules = (f"shop.example:443=127.0.0.1:{encrypted.port}", f"shop.example:80=127.0.0.1:{plain.port}")
            reach = policy("127.0.0.1/32", rules=rules)
            shared = Fetcher(policy=reach, user_agent=AGENT, ca_file=str(authority.file))
            with shared.site() as client:
                return client.get(SITE, deadline=time.monotonic() + 10), plain

    answer, plain = to("http://shop.example/")
    assert isinstance(answer, Fetched)
    assert (answer.url, answer.body) == ("http://shop.example/", b"in the clear")
    assert [(hop.url, hop.location) for hop in answer.redirects] == [(SITE, "http://shop.example/")]
    assert b"secret" not in plain.heads[0]
    refused, plain = to("http://127.0.0.2/")
    assert isinstance(refused, FetchFailure)
    assert (refused.code, plain.connections) == (ErrorCode.BLOCKED_ADDRESS, 0)


def test_an_encrypted_answer_keeps_to_the_same_limits(authority: Authority) -> None:
    def drip(path: str) -> Iterator[bytes]:
        yield response(length=1000)
        while True:
            time.sleep(0.02)
            yield b"x"

    with Listener(drip, tls=authority.context("shop.example")) as listener, Stopwatch() as watch:
        failure = fetch(listener.port, authority.file, limits=BRIEF)
        took = watch.seconds
    assert isinstance(failure, FetchFailure)
    assert failure.code is ErrorCode.TIMEOUT
    assert failure.ms > BRIEF.seconds * 1000 - 50
    assert took < BRIEF.seconds + 0.4


@pytest.mark.parametrize(("tickets", "is_fetched"), [(4, True), (5000, False)])
def test_records_without_content_are_taken_up_to_a_limit(authority: Authority, tickets: int, is_fetched: bool) -> None:
    """Session tickets stand for them: OpenSSL reads on after each, and no byte of the answer is counted."""
    context = authority.context("shop.example")
    context.num_tickets = tickets
    with Listener(page, tls=context) as listener:
        answer = fetch(listener.port, authority.file)
    if is_fetched:
        assert isinstance(answer, Fetched)
    else:
        assert isinstance(answer, FetchFailure)
        assert (answer.code, answer.message) == (
            ErrorCode.TLS_FAILURE,
            "the encrypted connection brings no content",
        )


def test_encrypted_pages_of_one_site_share_a_connection(authority: Authority) -> None:
    with Listener(page, tls=authority.context("shop.example"), keep_alive=True) as listener:
        with fetcher(listener.port, authority.file).site() as client:
            answers = [client.get(f"{SITE}{path}", deadline=time.monotonic() + 10) for path in "abc"]
        assert [answer.body for answer in answers if isinstance(answer, Fetched)] == [
            b"page /a",
            b"page /b",
            b"page /c",
        ]
        assert listener.connections == 1


@pytest.mark.parametrize("size", [1, 100, 16_384, 16_385, 300_000])
def test_an_encrypted_page_of_any_size_is_whole(authority: Authority, size: int) -> None:
    body = bytes(n % 251 for n in range(size))
    with Listener(lambda _: [response(body)], tls=authority.context("shop.example")) as listener:
        answer = fetch(listener.port, authority.file)
    assert isinstance(answer, Fetched)
    assert (answer.body, answer.wire_bytes) == (body, size)


def test_a_file_without_authorities_is_refused_when_the_fetcher_is_made(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(ssl.SSLError):
        Fetcher(user_agent=AGENT, ca_file=str(empty))
    with pytest.raises(FileNotFoundError):
        Fetcher(user_agent=AGENT, ca_file=str(tmp_path / "missing.pem"))
