"""A fetcher for sites on this machine: every `*.example` name leads to one loopback port."""

import time
from ipaddress import ip_network

from scrapersky.scraping.fetch import PAGE_LIMITS, Fetched, Fetcher, FetchFailure
from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule
from scrapersky.scraping.limits import FetchLimits

AGENT = "ScraperSky/1.0 (+https://scrapersky.example)"
SITE = "http://shop.example/"

TIGHT = FetchLimits(seconds=0.5, wire_bytes=64 * 1024, body_bytes=32 * 1024, connect_seconds=0.4, header_bytes=8 * 1024)
"""Limits that a test can wait for."""


def fetcher(port: int) -> Fetcher:
    policy = NetworkPolicy(
        allowed_networks=(ip_network("127.0.0.0/8"),), resolve=(parse_resolve_rule(f"*.example=127.0.0.1:{port}"),)
    )
    return Fetcher(policy=policy, user_agent=AGENT)


def fetch(port: int, url: str = SITE, limits: FetchLimits = PAGE_LIMITS) -> Fetched | FetchFailure:
    with fetcher(port).site() as client:
        return client.get(url, deadline=time.monotonic() + 5, limits=limits)


def fetched(port: int, url: str = SITE, limits: FetchLimits = PAGE_LIMITS) -> Fetched:
    answer = fetch(port, url, limits)
    assert isinstance(answer, Fetched), answer
    return answer
