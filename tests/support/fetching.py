"""A fetcher for sites on this machine: every `*.example` name leads to one loopback port."""

import time
from dataclasses import replace
from ipaddress import ip_network

from scrapersky.scraping.fetch import Fetched, Fetcher, FetchFailure
from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule
from scrapersky.scraping.limits import PAGE_LIMITS, FetchLimits
from scrapersky.scraping.resolve import Resolver, system_resolver

AGENT = "ScraperSky/1.0 (+https://scrapersky.example)"
SITE = "http://shop.example/"

SMALL = FetchLimits(seconds=20, wire_bytes=64 * 1024, body_bytes=32 * 1024, header_bytes=8 * 1024)
"""Sizes that are soon used up, in time that is not."""

BRIEF = replace(SMALL, seconds=0.5, connect_seconds=0.4)
"""Time that a test can wait for: only for fetches that are to end by it, since a busy machine uses it up as well."""


def policy(*networks: str, ports: tuple[int, ...] = (80, 443), rules: tuple[str, ...] = ()) -> NetworkPolicy:
    """What may be reached, written as in a configuration."""
    return NetworkPolicy(
        allowed_networks=tuple(ip_network(network) for network in networks),
        resolve=tuple(parse_resolve_rule(rule) for rule in rules),
        ports=ports,
    )


def fetcher(port: int) -> Fetcher:
    return Fetcher(policy=policy("127.0.0.0/8", rules=(f"*.example=127.0.0.1:{port}",)), user_agent=AGENT)


def fetch_by(url: str, policy: NetworkPolicy, resolver: Resolver = system_resolver) -> Fetched | FetchFailure:
    """What comes of `url` under a policy and with names of the test's own."""
    with Fetcher(policy=policy, user_agent=AGENT, resolver=resolver).site() as client:
        return client.get(url, deadline=time.monotonic() + 10)


def fetch(port: int, url: str = SITE, limits: FetchLimits = PAGE_LIMITS) -> Fetched | FetchFailure:
    with fetcher(port).site() as client:
        return client.get(url, deadline=time.monotonic() + 30, limits=limits)


def fetched(port: int, url: str = SITE, limits: FetchLimits = PAGE_LIMITS) -> Fetched:
    answer = fetch(port, url, limits)
    assert isinstance(answer, Fetched), answer
    return answer
