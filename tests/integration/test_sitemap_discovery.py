"""Finding sitemaps over real sockets: schemes, names, pauses and what is on the wire."""

import gzip
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from itertools import pairwise, repeat
from pathlib import Path

import pytest
import trustme

from scrapersky.domain.sitemaps import DiscoveryMethod
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetcher
from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule
from scrapersky.scraping.limits import PROBE_LIMITS
from scrapersky.scraping.sitemaps import common_paths
from scrapersky.scraping.sitemaps.discovery import Discovery, discover
from scrapersky.scraping.visit import Visit
from support.loopback import CLOSED_PORT, Listener, redirect, response

HOST = "shop.example"
HOME = response(b"<title>Home</title><p>Welcome to our shop, which sells things.</p>")
MISSING = response(b"<title>Missing</title>", status="404 Not Found")
LINES = [f"<url><loc>https://{HOST}/{n}</loc></url>".encode() for n in range(500)]
URLSET = b'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">' + b"".join(LINES) + b"</urlset>"


def xml(body: bytes = URLSET, content_type: str = "application/xml", headers: Iterable[str] = ()) -> bytes:
    return response(body, content_type=content_type, headers=headers)


class Site:
    """A site by path, `/` is `HOME` unless said otherwise; a list of answers is given in turn."""

    def __init__(self, answers: Mapping[str, bytes | list[bytes] | Iterable[bytes]]) -> None:
        self._answers: dict[str, bytes | list[bytes] | Iterable[bytes]] = {"/": HOME, **answers}
        self.seen: list[tuple[str, float]] = []

    def __call__(self, path: str) -> Iterator[bytes]:
        self.seen.append((path, time.monotonic()))
        answer = self._answers.get(path, MISSING)
        if isinstance(answer, list):
            yield answer.pop(0)
        elif isinstance(answer, bytes):
            yield answer
        else:
            yield from answer

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.seen]


def find(*rules: str, ca_file: str | None = None, seconds: float = 20) -> Discovery:
    """Looks for the sitemaps of HOST in a world where these rules are all the names there are."""

    def no_names(host: str, port: int) -> list[str]:
        raise OSError(f"no address for {host}:{port}")

    policy = NetworkPolicy(
        allowed_networks=(ip_network("127.0.0.0/8"),), resolve=tuple(parse_resolve_rule(rule) for rule in rules)
    )
    fetcher = Fetcher(policy=policy, user_agent="ScraperSky/1.0", ca_file=ca_file, resolver=no_names)
    deadline = time.monotonic() + seconds
    with Visit(fetcher, deadline, lambda: False) as visit:
        return discover(HOST, visit, deadline=deadline)


def find_plain(site: Site, host: str = HOST) -> Discovery:
    """As `find`, of a site that only has http."""
    with Listener(site, keep_alive=True) as listener:
        return find(f"{host}:443=127.0.0.1:{CLOSED_PORT}", f"{host}:80=127.0.0.1:{listener.port}")


def urls(found: Discovery) -> list[str]:
    return [candidate.url for candidate in found.candidates]


def test_an_https_site_is_asked_by_https_alone(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    robots = b"\xef\xbb\xbfSITEMAP : maps/a.xml\r\nUser-agent: *\r\nDisallow: /private\r\n  sitemap:/b.xml # ours\r\n"
    site, plain = Site({"/robots.txt": response(robots, content_type="text/plain"), "/sitemap.xml": xml()}), Site({})
    with Listener(site, tls=context) as secure, Listener(plain) as other:
        found = find(
            f"{HOST}:443=127.0.0.1:{secure.port}",
            f"{HOST}:80=127.0.0.1:{other.port}",
            ca_file=str(tmp_path / "ca.pem"),
        )
    assert urls(found) == [f"https://{HOST}/{path}" for path in ("maps/a.xml", "b.xml", "sitemap.xml")]
    assert [candidate.method for candidate in found.candidates] == [
        *[DiscoveryMethod.ROBOTS_TXT] * 2,
        DiscoveryMethod.COMMON_PATH,
    ]
    assert found.home["scheme"] == "https"
    assert plain.seen == []


def test_a_site_that_only_has_http_is_asked_by_http() -> None:
    found = find_plain(Site({"/sitemap.xml": xml()}))
    assert urls(found) == [f"http://{HOST}/sitemap.xml"]
    assert found.home["https_error"]["code"] == "connect_failure"


def test_a_site_whose_name_only_www_has_is_asked_there() -> None:
    found = find_plain(Site({"/sitemap.xml": xml()}), f"www.{HOST}")
    assert urls(found) == [f"http://www.{HOST}/sitemap.xml"]


@pytest.mark.parametrize(
    "answer",
    [
        xml(gzip.compress(URLSET), content_type="application/x-gzip"),
        xml(gzip.compress(URLSET), headers=["Content-Encoding: gzip"]),
        xml(gzip.compress(gzip.compress(URLSET)), headers=["Content-Encoding: gzip"]),
        xml(b"https://shop.example/a\nhttps://shop.example/b\n", content_type="text/plain"),
        xml(b'<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><item><link>http://shop.example/a'),
    ],
    ids=["gzip file", "gzip encoding", "both", "text", "feed"],
)
def test_the_first_bytes_tell_a_sitemap_of_any_form(answer: bytes) -> None:
    assert urls(find_plain(Site({"/sitemap.xml": answer}))) == [f"http://{HOST}/sitemap.xml"]


def test_of_a_file_without_end_only_the_beginning_is_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n" + URLSET[:200]
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        yield head
        for piece in repeat(b"<url><loc>http://shop.example/a</loc></url>" * 1000):
            sent.append(len(piece))
            yield piece

    found = find_plain(Site({"/sitemap.xml": endless()}))
    assert urls(found) == [f"http://{HOST}/sitemap.xml"]
    assert sum(sent) < 16 * 2**20  # what sockets hold on the way
    assert found.probed[0]["outcome"] == "sitemap"


def test_a_page_without_end_in_a_sitemap_s_place_is_none() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<!doctype html>"

    def endless() -> Iterator[bytes]:
        yield head
        yield from repeat(b"<p>Not found</p>" * 1000)

    found = find_plain(Site({path: endless() for path in common_paths.in_order()}))
    assert (found.candidates, found.failure) == ((), None)
    assert {probe["outcome"] for probe in found.probed} == {"none"}


def test_a_probe_that_is_put_off_is_tried_once_more_after_the_time_it_names() -> None:
    busy = response(status="503 Service Unavailable", headers=["Retry-After: 1"])
    site = Site({"/sitemap.xml": [busy, xml()]})
    assert urls(find_plain(site)) == [f"http://{HOST}/sitemap.xml"]
    first, second = (at for path, at in site.seen if path == "/sitemap.xml")
    assert second - first >= 1


def test_probes_of_a_host_are_a_crawl_delay_apart() -> None:
    paths = common_paths.in_order()
    site = Site({"/robots.txt": response(b"User-agent: *\nCrawl-delay: 0.5"), paths[1]: xml()})
    found = find_plain(site)
    assert (urls(found), found.crawl_delay) == ([f"http://{HOST}{paths[1]}"], 0.5)
    times = [at for path, at in site.seen if path != "/robots.txt"]
    assert len(times) == 3
    assert min(after - before for before, after in pairwise(times)) >= 0.5


def test_what_robots_txt_forbids_is_not_asked_for() -> None:
    site = Site({"/robots.txt": response(b"User-agent: *\nDisallow: /*.xml$"), "/sitemap.xml": xml()})
    found = find_plain(site)
    assert found.candidates == ()
    assert not [path for path in site.paths if path.endswith(".xml")]
    assert {probe["url"].rpartition("/")[2]: probe["outcome"] for probe in found.probed}[
        "sitemap.xml"
    ] == "robots_denied"


@pytest.mark.parametrize("place", ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1/sitemap.xml"])
def test_no_probe_is_led_to_an_inner_address(place: str) -> None:
    found = find_plain(Site({"/sitemap.xml": redirect(place), "/sitemap_index.xml": xml()}))
    assert urls(found) == [f"http://{HOST}/sitemap_index.xml"]
    assert found.probed[0]["outcome"] == "blocked_address"


def test_a_site_that_is_an_inner_address_is_refused() -> None:
    found = find(f"{HOST}:443=10.0.0.1:443", f"{HOST}:80=10.0.0.1:80")
    assert found.failure is not None
    assert found.failure.code is ErrorCode.BLOCKED_ADDRESS


def test_a_name_that_nobody_has_is_a_dns_failure() -> None:
    found = find()
    assert found.failure is not None
    assert found.failure.code is ErrorCode.DNS_FAILURE


def test_a_site_that_says_nothing_ends_in_its_time() -> None:
    begun = time.monotonic()
    with Listener() as silent:
        found = find(f"{HOST}:443=127.0.0.1:{CLOSED_PORT}", f"{HOST}:80=127.0.0.1:{silent.port}", seconds=3)
    assert found.failure is not None
    assert found.failure.code is ErrorCode.TIMEOUT
    assert time.monotonic() - begun < 3 + PROBE_LIMITS.seconds
