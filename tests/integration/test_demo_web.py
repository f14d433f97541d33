"""The demo web over real sockets: each site behaves as its description says."""

import gzip
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from scrapersky.scraping.guard import parse_resolve_rule
from scrapersky_local.demo_web.server import DemoWeb, serve
from scrapersky_local.demo_web.sites import ELSEWHERE, Http, Https, Page, Site, load

SITES = {site.host: site for site in load()}
TRUSTED = [site for site in SITES.values() if site.https is Https.TRUSTED]


@pytest.fixture(scope="module")
def web() -> Iterator[DemoWeb]:
    with serve([without_delays(site) for site in SITES.values()]) as running:
        yield running


def without_delays(site: Site) -> Site:
    return replace(site, pages={path: replace(page, delay_seconds=0) for path, page in site.pages.items()})


@pytest.fixture
def client(web: DemoWeb) -> Iterator[httpx.Client]:
    """A client of one test's own: connections are kept by address, and all sites have the same."""
    context = ssl.create_default_context(cafile=str(web.ca_file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with httpx.Client(verify=context, trust_env=False) as opened:
        yield opened


def get(client: httpx.Client, web: DemoWeb, scheme: str, host: str, path: str = "/") -> httpx.Response:
    port = web.https_port if scheme == "https" else web.http_port
    url = f"{scheme}://127.0.0.1:{port}{path}"
    return client.get(url, headers={"Host": host}, extensions={"sni_hostname": host})


@pytest.mark.parametrize("site", TRUSTED, ids=lambda site: site.host)
def test_pages_answer_as_described_over_https(site: Site, client: httpx.Client, web: DemoWeb) -> None:
    for path, page in site.pages.items():
        path = "/any/address" if path == ELSEWHERE else path
        answer = get(client, web, "https", site.host, path)
        assert answer.status_code == page.status
        assert answer.headers.get("Location") == page.headers.get("Location")
        assert answer.headers["Content-Type"].startswith(page.content_type)
        sent = gzip.decompress(answer.content) if page.gzip_file else answer.content
        assert sent == page.content * page.repeat


@pytest.mark.parametrize("site", [site for site in TRUSTED if site.aliases], ids=lambda site: site.host)
def test_a_site_s_further_names_show_the_same_pages(site: Site, client: httpx.Client, web: DemoWeb) -> None:
    pages = [get(client, web, "https", host).status_code for host in site.hosts]
    assert len(set(pages)) == 1


@pytest.mark.parametrize(
    "site", [site for site in SITES.values() if site.http is Http.TO_HTTPS], ids=lambda site: site.host
)
def test_plain_http_leads_to_https_where_it_should(site: Site, client: httpx.Client, web: DemoWeb) -> None:
    answer = get(client, web, "http", site.host, "/some/page?x=1")
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"https://{site.host}/some/page?x=1"


@pytest.mark.parametrize(
    ("host", "reason"),
    [("north-pier-radio.example", "certificate has expired"), ("broken-lock.example", "unable to get local issuer")],
)
def test_a_bad_certificate_is_refused_by_a_client_that_looks(
    host: str, reason: str, client: httpx.Client, web: DemoWeb
) -> None:
    with pytest.raises(httpx.ConnectError) as caught:
        get(client, web, "https", host)
    assert reason in str(caught.value)


def test_a_certificate_of_another_name_is_refused(web: DemoWeb) -> None:
    site = replace(SITES["lantern-tea.example"], https=Https.OTHER_NAME)
    with (
        serve([site]) as other,
        httpx.Client(verify=ssl.create_default_context(cafile=str(other.ca_file)), trust_env=False) as client,
        pytest.raises(httpx.ConnectError) as caught,
    ):
        get(client, other, "https", site.host)
    assert "Hostname mismatch" in str(caught.value)


def test_latin_1_is_really_sent_as_latin_1(client: httpx.Client, web: DemoWeb) -> None:
    answer = get(client, web, "https", "casa-almendro.example")
    assert answer.headers["Content-Type"] == "text/html; charset=iso-8859-1"
    assert "Logroño".encode("iso-8859-1") in answer.content


def test_an_unknown_path_and_an_unknown_host_are_404(client: httpx.Client, web: DemoWeb) -> None:
    assert get(client, web, "https", "lantern-tea.example", "/nowhere").status_code == 404
    assert get(client, web, "http", "stranger.example").status_code == 404


def test_a_site_may_answer_every_path(client: httpx.Client, web: DemoWeb) -> None:
    assert get(client, web, "https", "willow-weavers.example", "/sitemap.xml").content.startswith(b"<!doctype html>")


def test_nothing_listens_on_the_closed_port(web: DemoWeb) -> None:
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", web.closed_port)) != 0


def test_a_stalled_handshake_holds_up_nobody_else(client: httpx.Client, web: DemoWeb) -> None:
    with socket.create_connection(("127.0.0.1", web.https_port)):
        assert get(client, web, "https", "parish-hall.example").status_code == 200


def test_requests_are_kept(client: httpx.Client, web: DemoWeb) -> None:
    client.get(
        f"http://127.0.0.1:{web.http_port}/seen?x=1", headers={"Host": "parish-hall.example", "User-Agent": "tester"}
    )
    last = web.seen[-1]
    assert (last.scheme, last.host, last.path, last.user_agent) == (
        "http",
        "parish-hall.example",
        "/seen?x=1",
        "tester",
    )


def test_a_delay_ends_with_the_web(web: DemoWeb) -> None:
    slow = replace(SITES["granite-archive.example"], pages={"/": Page("/", web.ca_file.parent, delay_seconds=3600)})
    with socket.socket() as connection:
        connection.settimeout(30)
        with serve([slow]) as other:
            connection.connect(("127.0.0.1", other.http_port))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: granite-archive.example\r\n\r\n")
            while not other.seen:
                time.sleep(0.01)
        assert connection.recv(1024).startswith(b"HTTP/1.1 200 ")


def test_the_rules_lead_every_name_to_where_its_ports_are(web: DemoWeb) -> None:
    rules = {(rule.host, rule.port): rule for rule in map(parse_resolve_rule, web.resolve_rules())}
    assert rules["lantern-tea.example", 443].to_port == web.https_port
    assert rules["www.lantern-tea.example", 80].to_port == web.http_port
    assert rules["parish-hall.example", 443].to_port == web.closed_port
    assert rules["shut-gate.example", 80].to_port == web.closed_port
    assert str(rules["inside-lan.example", 80].address) == "10.20.30.40"
    assert ("moved-away.example", 80) not in rules
