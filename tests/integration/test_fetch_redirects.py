"""Redirects: where a site may send a fetch, and where it may not, however it says it.

Each target is a listener that nobody outside should reach. In the control its network is allowed, and it is reached.
"""

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched, Fetcher, FetchFailure
from scrapersky.scraping.limits import MAX_URL_CHARS
from scrapersky.scraping.robots import RobotsCache, RobotsReason
from support.audit import recorded
from support.fetching import AGENT, fetch_by, fetched, policy
from support.loopback import Listener, redirect, response, serving

OUTER = "127.0.0.1"  # plays a public address where a policy allows it, and it alone
INNER = "127.0.0.2"
SITE = "http://site.example/"
STATUSES = ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]


@pytest.fixture
def inner() -> Iterator[Listener]:
    """A service that nobody outside should reach."""
    with Listener(lambda _: [response(b"secret")], address=INNER) as listener:
        yield listener


def names(host: str, port: int) -> list[str]:
    return {"inner.example": [INNER], "mixed.example": [OUTER, INNER]}[host]


TARGETS = {
    "literal": "http://127.0.0.2:{port}/",
    "short literal": "http://127.2:{port}/",
    "name": "http://inner.example:{port}/",
    "name with a good answer too": "http://mixed.example:{port}/",
    "protocol-relative": "//127.0.0.2:{port}/",
    "backslashes": "\\\\127.0.0.2:{port}\\",
    "user information": "http://site.example@127.0.0.2:{port}/",
    "tab": "ht\ttp://127.0.0.2:{port}/",
    "mapped": "http://[::ffff:127.0.0.2]:{port}/",
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("kind", TARGETS)
def test_a_redirect_to_an_inner_address_opens_no_socket(inner: Listener, kind: str, status: str) -> None:
    location = TARGETS[kind].format(port=inner.port)
    with serving(redirect(location, status)) as outer:
        rules = (f"site.example={OUTER}:{outer.port}",)
        ports = (80, inner.port)
        with recorded() as events:
            answer = fetch_by(SITE, policy(f"{OUTER}/32", ports=ports, rules=rules), names)
        assert isinstance(answer, FetchFailure)
        assert (answer.code, answer.wire_bytes) == (ErrorCode.BLOCKED_ADDRESS, 0)
        assert [(hop.url, hop.status_code, hop.location) for hop in answer.redirects] == [
            (SITE, int(status[:3]), location)
        ]
        assert events == [("connect", (OUTER, outer.port))]
        assert inner.connections == 0
        control = fetch_by(SITE, policy("127.0.0.0/8", ports=ports, rules=rules), names)
        assert isinstance(control, Fetched) is (kind != "mapped")  # no configuration opens that one
        assert inner.connections == (kind != "mapped")


@pytest.mark.parametrize("hops", range(1, 6))
def test_the_last_of_several_hops_is_checked_like_the_first(inner: Listener, hops: int) -> None:
    def answer(path: str) -> list[bytes]:
        return [redirect(f"http://127.0.0.2:{inner.port}/" if len(path) == hops else path + "x")]

    with Listener(answer) as outer, recorded() as events:
        rules = (f"*.example={OUTER}:{outer.port}",)
        failure = fetch_by(SITE, policy(f"{OUTER}/32", ports=(80, inner.port), rules=rules))
    assert isinstance(failure, FetchFailure)
    assert (failure.code, len(failure.redirects)) == (ErrorCode.BLOCKED_ADDRESS, hops)
    assert events == [("connect", (OUTER, outer.port))] * hops
    assert inner.connections == 0


NOT_FOLLOWED = {
    "Refresh": response(b"page", headers=["Refresh: 0; url={target}"]),
    "Content-Location": response(b"page", headers=["Content-Location: {target}"]),
    "Link": response(b"page", headers=["Link: <{target}>; rel=preload", "Link: <{target}>; rel=canonical"]),
    "meta refresh": response(b'<meta http-equiv="refresh" content="0; url={target}">'),
    "script": response(b"<script>location = '{target}'</script>"),
    "frame": response(b'<iframe src="{target}"></iframe><img src="{target}"><base href="{target}">'),
    "Location of 200": response(b"page", headers=["Location: {target}"]),
    "Location of 201": response(b"page", status="201 Created", headers=["Location: {target}"]),
    "Location of 300": response(b"page", status="300 Multiple Choices", headers=["Location: {target}"]),
    "Location of 304": response(status="304 Not Modified", headers=["Location: {target}"]),
    "Location of 305": response(b"page", status="305 Use Proxy", headers=["Location: {target}"]),
    "Location of 404": response(b"page", status="404 Not Found", headers=["Location: {target}"]),
    "Alt-Svc": response(b"page", headers=['Alt-Svc: h2="127.0.0.2:{port}"; ma=86400']),
    "Proxy headers": response(b"page", status="407 Proxy Authentication Required", headers=["Proxy: {target}"]),
}


@pytest.mark.parametrize("kind", NOT_FOLLOWED)
def test_only_a_redirect_status_with_a_location_is_followed(inner: Listener, kind: str) -> None:
    target = f"http://127.0.0.2:{inner.port}/"
    sent = NOT_FOLLOWED[kind].replace(b"{target}", target.encode()).replace(b"{port}", str(inner.port).encode())
    head, _, body = sent.partition(b"\r\n\r\n")
    length = b"Content-Length: %d" % len(body)
    lines = [length if line.startswith(b"Content-Length") else line for line in head.split(b"\r\n")]
    with serving(b"\r\n".join(lines) + b"\r\n\r\n" + body) as outer, recorded() as events:
        answer = fetch_by(
            SITE, policy("127.0.0.0/8", ports=(80, inner.port), rules=(f"site.example={OUTER}:{outer.port}",))
        )
    assert isinstance(answer, Fetched)
    assert (answer.body, answer.redirects) == (body, ())
    assert events == [("connect", (OUTER, outer.port))]
    assert inner.connections == 0


def located(*locations: bytes) -> bytes:
    """A redirect with these Location headers, as they are."""
    headers = b"".join(b"Location: %b\r\n" % location for location in locations)
    return b"HTTP/1.1 302 Found\r\n%bContent-Length: 0\r\n\r\n" % headers


ODD_LOCATIONS = {
    "two places": ([b"/a", b"/b"], ErrorCode.HTTP_ERROR),
    "two places, the second inside": ([b"/a", b"http://127.0.0.2/"], ErrorCode.HTTP_ERROR),
    "an address and the rest of another": ([b"http://site.example", b"@127.0.0.2/"], ErrorCode.HTTP_ERROR),
    "none and one": ([b"", b"/a"], ErrorCode.HTTP_ERROR),
    "empty": ([b""], ErrorCode.TOO_MANY_REDIRECTS),
    "blank": ([b" \t "], ErrorCode.TOO_MANY_REDIRECTS),
    "fragment alone": ([b"#top"], ErrorCode.TOO_MANY_REDIRECTS),
    "ten thousand characters": ([b"/" + b"x" * 10_000], ErrorCode.HTTP_ERROR),
    "one character too many": ([b"/" + b"x" * MAX_URL_CHARS], ErrorCode.HTTP_ERROR),
    "binary": ([bytes(range(0x80, 0x100)) * 2], ErrorCode.TOO_MANY_REDIRECTS),
    "null bytes": ([b"/a\0b"], ErrorCode.HTTP_ERROR),
    "bare carriage return": ([b"/a\rb"], ErrorCode.HTTP_ERROR),
    "escape": ([b"/\x1b[31m"], ErrorCode.TOO_MANY_REDIRECTS),
    "broken UTF-8 in a host": ([b"http://\xff\xfe.example/"], ErrorCode.TOO_MANY_REDIRECTS),
    "a list": ([b"/a, /b"], ErrorCode.TOO_MANY_REDIRECTS),
    "quoted": ([b'"http://127.0.0.2/"'], ErrorCode.TOO_MANY_REDIRECTS),
}


@pytest.mark.parametrize("kind", ODD_LOCATIONS)
def test_an_odd_location_is_typed_and_leads_nowhere_else(kind: str) -> None:
    locations, code = ODD_LOCATIONS[kind]
    with serving(located(*locations)) as outer, recorded() as events:
        answer = fetch_by(SITE, policy(f"{OUTER}/32", rules=(f"*.example={OUTER}:{outer.port}",)))
    assert isinstance(answer, FetchFailure)
    assert answer.code is code, answer.message
    assert {target for _, target in events} == {(OUTER, outer.port)}
    assert all(len(hop.location) <= MAX_URL_CHARS for hop in answer.redirects)


def test_a_location_that_is_repeated_is_one() -> None:
    def answer(path: str) -> list[bytes]:
        return [located(b"/new", b"/new") if path == "/" else response(b"here")]

    with Listener(answer) as outer:
        assert fetched(outer.port, "http://shop.example/").url == "http://shop.example/new"


def test_a_location_of_just_the_longest_length_is_followed_and_told_in_full() -> None:
    longest = "/" + "x" * (MAX_URL_CHARS - len("http://shop.example/"))

    def answer(path: str) -> list[bytes]:
        return [located(longest.encode()) if path == "/" else response(b"here")]

    with Listener(answer) as outer:
        found = fetched(outer.port, "http://shop.example/")
    assert [hop.location for hop in found.redirects] == [longest]
    assert found.url.endswith(longest)


def test_a_robots_txt_that_redirects_inside_opens_no_socket_and_forbids_the_site(inner: Listener) -> None:
    target = f"http://127.0.0.2:{inner.port}/"
    with serving(redirect(target)) as outer, recorded() as events:
        rules = (f"site.example={OUTER}:{outer.port}",)
        fetcher = Fetcher(policy=policy(f"{OUTER}/32", ports=(80, inner.port), rules=rules), user_agent=AGENT)
        with fetcher.site() as client:
            verdict = RobotsCache(AGENT).allowed(SITE, client, time.monotonic() + 10)
    assert (verdict.allowed, verdict.reason) == (False, RobotsReason.HOST_FAILURE)
    assert verdict.failure is not None
    assert verdict.failure.code is ErrorCode.BLOCKED_ADDRESS
    assert events == [("connect", (OUTER, outer.port))]
    assert inner.connections == 0


def test_a_ring_through_hosts_and_paths_is_followed_as_far_as_any_other_chain() -> None:
    ring = ["http://a.example/1", "http://b.example/2", "http://c.example/3"]
    following = dict(pairwise([*ring, ring[0]]))

    def answer(path: str) -> list[bytes]:
        return [redirect(next(after for before, after in following.items() if before.endswith(path)))]

    with Listener(answer) as outer:
        failure = fetch_by(ring[0], policy(f"{OUTER}/32", rules=(f"*.example={OUTER}:{outer.port}",)))
        assert isinstance(failure, FetchFailure)
        assert (failure.code, len(outer.paths)) == (ErrorCode.TOO_MANY_REDIRECTS, 6)
        assert [hop.url for hop in failure.redirects] == [*ring, *ring[:2]]
