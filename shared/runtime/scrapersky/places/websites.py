"""What a place gives as its website: a site of its own, a page on a social network or in a directory, or nothing."""

import tomllib
from functools import cache
from importlib.resources import files

from scrapersky.domain.names import InvalidDomain, domain_key
from scrapersky.domain.places import WebsiteClass


def classify(website: str | None) -> tuple[WebsiteClass, str | None]:
    """(class, domain key of an own site). An address that names no public domain is no website.

    To be asked only where websites were asked for: without that a place's lack of one means nothing.
    """
    if not website or not website.strip():
        return WebsiteClass.NONE, None
    try:
        domain = domain_key(website)
    except InvalidDomain:
        return WebsiteClass.NONE, None
    if domain in _hosts("of_customers"):
        return WebsiteClass.DIRECTORY, None
    ancestors = _with_ancestors(domain)
    if ancestors & _hosts("social"):
        return WebsiteClass.SOCIAL, None
    if ancestors & _hosts("directory"):
        return WebsiteClass.DIRECTORY, None
    return WebsiteClass.OWN_SITE, domain


def _with_ancestors(domain: str) -> set[str]:
    labels = domain.split(".")
    return {".".join(labels[at:]) for at in range(len(labels) - 1)}


@cache
def _hosts(kind: str) -> frozenset[str]:
    table = tomllib.loads(files(__package__).joinpath("websites.toml").read_text(encoding="utf-8"))
    return frozenset(table[kind].split())
