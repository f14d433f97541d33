"""Addresses in disguise, as what a scan is asked for and as where a site redirects to: no socket opens for any of them.

The proof is the interpreter's own audit of connections and look-ups. The control is in the same table: what may be
reached does open a socket, in the same spellings, and the audit sees it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest

from scrapersky.domain.names import InvalidDomain, domain_key
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched, Fetcher
from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule
from scrapersky.scraping.site import scan_site
from support.audit import recorded
from support.fetching import AGENT
from support.loopback import CLOSED_PORT, Listener, redirect, response
from support.vectors import read

OUTER = "127.77.77.77"
"""An address that may be reached, and that no spelling of the table means by chance."""

GROUPS = read("spellings.toml")["group"]
LOCATIONS = [(text, group["location"]) for group in GROUPS for text in group["spellings"]]
BASE_URLS = [(text, group["base_url"]) for group in GROUPS for text in group["spellings"]]


@dataclass
class World:
    """What these tests can reach: a listener at OUTER, whose front page redirects to `location` when there is one."""

    fetcher: Fetcher
    port: int
    asked: list[str]
    location: str | None = None
    reached: list[str] = field(default_factory=list)

    def answer(self, path: str) -> list[bytes]:
        self.reached.append(path)
        if path == "/robots.txt":
            return [response(status="404 Not Found")]
        return [redirect(self.location) if path == "/" and self.location else response(b"<title>reached</title>")]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["10.0.0.1"]

    with Listener(lambda path: made.answer(path), address=OUTER, keep_alive=True) as listener:
        rules = (f"*.example=127.77.77.77:{listener.port}", f"*.example:443=127.77.77.77:{CLOSED_PORT}")
        policy = NetworkPolicy(
            allowed_networks=(ip_network(f"{OUTER}/32"),),
            resolve=tuple(map(parse_resolve_rule, rules)),
            ports=(80, 443, listener.port),
        )
        made = World(Fetcher(policy=policy, user_agent=AGENT, resolver=resolver), listener.port, asked)
        yield made


def targets(events: list[tuple[str, Any]]) -> set[str]:
    """Where connections went. There is no look-up among them: names are looked up by the resolver of these tests."""
    assert all(kind == "connect" for kind, _ in events), events
    return {address[0] for _, address in events}


def test_the_table_is_large_and_each_of_it_a_spelling_of_its_own() -> None:
    spellings = [text for text, _ in LOCATIONS]
    assert len(spellings) == len(set(spellings))
    assert sum(location != "fetched" for _, location in LOCATIONS) >= 300
    assert {group["location"] for group in GROUPS} == {"blocked_address", "http_error", "fetched"}
    assert all(group["why"] for group in GROUPS)


@pytest.mark.parametrize(("text", "outcome"), LOCATIONS, ids=[ascii(text) for text, _ in LOCATIONS])
def test_a_redirect_opens_no_socket_but_to_what_may_be_reached(world: World, text: str, outcome: str) -> None:
    world.location = text.replace("{port}", str(world.port))
    world.reached.clear()
    world.asked.clear()
    with recorded() as events, world.fetcher.site() as client:
        answer = client.get("http://site.example/", deadline=time.monotonic() + 10)
    assert targets(events) == {OUTER}
    assert [(hop.url, hop.status_code) for hop in answer.redirects] == [("http://site.example/", 302)]
    if isinstance(answer, Fetched):
        assert (outcome, answer.body) == ("fetched", b"<title>reached</title>")
        assert len(world.reached) == 2
    else:
        assert (outcome, answer.wire_bytes) == (answer.code.value, 0)
        assert world.reached == ["/"]
    assert not any(name.endswith((".internal", ".local", "localhost")) or "." not in name for name in world.asked)


@pytest.mark.parametrize(("text", "outcome"), BASE_URLS, ids=[ascii(text) for text, _ in BASE_URLS])
def test_a_scan_opens_no_socket_but_to_what_may_be_reached(world: World, text: str, outcome: str) -> None:
    world.location = None
    with recorded() as events:
        try:
            domain = domain_key(text.replace("{port}", str(world.port)))
        except InvalidDomain:
            assert (outcome, events) == ("no domain", [])
            return
        scan = scan_site(
            domain,
            max_pages=1,
            fetcher=world.fetcher,
            deadline=time.monotonic() + 10,
            should_stop=lambda: False,
            on_progress=lambda _: None,
        )
    if outcome == "fetched":
        assert targets(events) == {OUTER}
        assert (scan.error, scan.pages[-1].title) == (None, "reached")
    else:
        assert (outcome, events) == ("out of reach", [])
        assert scan.error is not None
        assert scan.error.code is ErrorCode.BLOCKED_ADDRESS
