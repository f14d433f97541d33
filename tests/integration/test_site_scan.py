"""A scan over real sockets: schemes, names, robots.txt and charset on the wire, and a scan that is called off."""

import gzip
import ssl
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
import trustme

from scrapersky.domain.facts import SiteScan
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetcher
from scrapersky.scraping.guard import PUBLIC, NetworkPolicy, parse_resolve_rule
from scrapersky.scraping.site import scan_site
from support.loopback import CLOSED_PORT, Listener, redirect, response

HOST = "shop.example"
HOME = response("<title>Käse &amp; Brot</title><a href='mailto:info@shop.example'>Mail</a>".encode())
MISSING = response(b"<title>Missing</title>", status="404 Not Found")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def tls_for(authority: trustme.CA, *hosts: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts).configure_cert(context)
    return context


def pages(**answers: bytes) -> Callable[[str], Iterator[bytes]]:
    """A site by path: `home` is `/`, `robots` its robots.txt, anything else a 404."""
    named = {"/": "home", "/robots.txt": "robots"}
    return lambda path: iter([answers.get(named.get(path, path.strip("/")), MISSING)])


def scan(
    *rules: str, ca_file: str | None = None, seconds: float = 10, should_stop: Callable[[], bool] = lambda: False
) -> SiteScan:
    """Scans HOST in a world where these rules are all the names there are."""

    def no_names(host: str, port: int) -> list[str]:
        raise OSError(f"no address for {host}:{port}")

    policy = NetworkPolicy(
        allowed_networks=(ip_network("127.0.0.0/8"),), resolve=tuple(parse_resolve_rule(rule) for rule in rules)
    )
    return scan_site(
        HOST,
        max_pages=1,
        fetcher=Fetcher(policy=policy, user_agent="ScraperSky/1.0", ca_file=ca_file, resolver=no_names),
        deadline=time.monotonic() + seconds,
        should_stop=should_stop,
        on_progress=lambda _: None,
    )


def test_https_site_is_scanned_and_http_left_alone(authority: trustme.CA, ca_file: str) -> None:
    with Listener(pages(home=HOME), tls=tls_for(authority, HOST)) as secure, Listener(pages(home=HOME)) as plain:
        result = scan(f"{HOST}:443=127.0.0.1:{secure.port}", f"{HOST}:80=127.0.0.1:{plain.port}", ca_file=ca_file)
    assert result.site_data is not None
    assert (result.site_data.title, result.site_data.emails) == ("Käse & Brot", ["info@shop.example"])
    assert result.metadata["scheme"] == "https"
    assert result.metadata["https_error"] is None
    assert secure.paths == ["/robots.txt", "/"]
    assert plain.connections == 0


def test_http_when_nothing_listens_on_443() -> None:
    with Listener(pages(home=HOME)) as plain:
        result = scan(f"{HOST}:443=127.0.0.1:{CLOSED_PORT}", f"{HOST}:80=127.0.0.1:{plain.port}")
    assert result.site_data is not None
    assert result.metadata["scheme"] == "http"
    assert result.metadata["https_error"]["code"] == "connect_failure"
    assert [page.skipped_reason for page in result.pages] == ["connect_failure", None]


def test_http_when_the_certificate_is_nobody_s(authority: trustme.CA) -> None:
    with Listener(pages(home=HOME), tls=tls_for(authority, HOST)) as secure, Listener(pages(home=HOME)) as plain:
        result = scan(f"{HOST}:443=127.0.0.1:{secure.port}", f"{HOST}:80=127.0.0.1:{plain.port}")
    assert result.site_data is not None
    assert result.metadata["https_error"]["code"] == "tls_failure"
    assert secure.paths == []


def test_www_when_the_domain_itself_has_no_address(authority: trustme.CA, ca_file: str) -> None:
    with Listener(pages(home=HOME), tls=tls_for(authority, f"www.{HOST}")) as secure:
        result = scan(f"www.{HOST}:443=127.0.0.1:{secure.port}", ca_file=ca_file)
    assert result.metadata["final_url"] == f"https://www.{HOST}/"


def test_no_address_at_all_is_a_dns_failure() -> None:
    result = scan("other.example=127.0.0.1:80")
    assert result.error is not None
    assert result.error.code is ErrorCode.DNS_FAILURE


def test_page_in_latin_1_sent_compressed() -> None:
    body = gzip.compress("<title>Añil</title>".encode("latin-1"))
    answer = response(body, content_type="text/html; charset=iso-8859-1", headers=["Content-Encoding: gzip"])
    with Listener(pages(home=answer)) as plain:
        result = scan(f"{HOST}:443=127.0.0.1:{CLOSED_PORT}", f"{HOST}:80=127.0.0.1:{plain.port}")
    assert result.site_data is not None
    assert result.site_data.title == "Añil"
    assert result.bytes_fetched == len(body)


def test_robots_txt_rules_the_page_behind_a_redirect_too() -> None:
    robots = response(b"User-agent: *\nDisallow: /private", content_type="text/plain")
    answers = pages(home=redirect("/private"), private=HOME, robots=robots)
    with Listener(answers) as plain:
        result = scan(f"{HOST}:443=127.0.0.1:{CLOSED_PORT}", f"{HOST}:80=127.0.0.1:{plain.port}")
    assert result.error is not None
    assert result.error.code is ErrorCode.ROBOTS_DENIED
    assert result.metadata["robots"] == "denied"
    assert [hop["location"] for hop in result.metadata["redirects"]] == ["/private"]
    assert "/private" not in plain.paths


def test_public_policy_opens_no_connection_to_this_machine() -> None:
    with Listener(pages(home=HOME)) as silent:
        result = scan_site(
            HOST,
            max_pages=1,
            fetcher=Fetcher(policy=PUBLIC, user_agent="ScraperSky/1.0", resolver=lambda _host, _port: ["127.0.0.1"]),
            deadline=time.monotonic() + 5,
            should_stop=lambda: False,
            on_progress=lambda _: None,
        )
        assert silent.connections == 0
    assert result.error is not None
    assert result.error.code is ErrorCode.BLOCKED_ADDRESS


def test_scan_of_a_silent_site_ends_when_it_is_called_off() -> None:
    begun = time.monotonic()
    with Listener() as silent:
        result = scan(
            f"{HOST}:443=127.0.0.1:{CLOSED_PORT}",
            f"{HOST}:80=127.0.0.1:{silent.port}",
            should_stop=lambda: time.monotonic() - begun > 0.5,
        )
    assert result.error is not None
    assert result.error.code is ErrorCode.CANCELLED


def test_scan_of_a_silent_site_ends_at_its_deadline() -> None:
    with Listener() as silent:
        result = scan(f"{HOST}:443=127.0.0.1:{CLOSED_PORT}", f"{HOST}:80=127.0.0.1:{silent.port}", seconds=0.5)
    assert result.error is not None
    assert result.error.code is ErrorCode.TIMEOUT
