"""The labelled pages of tests/data/corpus, and how well the extractors do on them; its README has the label format."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scrapersky.scraping import contacts, wordpress
from scrapersky.scraping.contacts import Contacts
from scrapersky.scraping.identity import read, site_identity
from scrapersky.scraping.page import PageFacts, parse_page
from scrapersky.scraping.signatures import table
from scrapersky.scraping.technology import find_technologies

CORPUS = Path(__file__).parent.parent / "data" / "corpus"

# Categories of technologies.toml that are a site's CMS, where they are no plugin of another.
_CMS = frozenset({"CMS", "website builder", "static site generator", "e-commerce"})
_PAGE_FACTS = ("title", "description", "language", "canonical_url", "favicon_url", "logo_url")
STATED = (*_PAGE_FACTS, "organization")
"""The keys of a label's `[facts]`."""


@dataclass(frozen=True)
class LabelledPage:
    """One page, as bytes sent from `label["url"]`, and what a person found on it."""

    name: str
    body: bytes
    label: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        return {"content-type": "text/html; charset=utf-8", **self.label.get("headers", {})}

    def facts(self) -> PageFacts:
        return parse_page(self.body, self.label["url"], self.headers)


@dataclass
class Score:
    """How many values were expected and found over all pages, and each that differs, as (page, value)."""

    expected: int = 0
    found: int = 0
    missed: list[tuple[str, str]] = field(default_factory=list)
    false: list[tuple[str, str]] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return 1 - len(self.false) / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return 1 - len(self.missed) / self.expected if self.expected else 1.0

    def add(self, page: str, expected: set[str], found: set[str]) -> None:
        self.expected += len(expected)
        self.found += len(found)
        self.missed += [(page, value) for value in sorted(expected - found)]
        self.false += [(page, value) for value in sorted(found - expected)]


def pages() -> Iterator[LabelledPage]:
    for path in sorted(CORPUS.glob("*.toml")):
        label = tomllib.loads(path.read_text(encoding="utf-8"))
        yield LabelledPage(path.stem, path.with_suffix(".html").read_bytes(), label)


def measure(labelled: Iterable[LabelledPage]) -> dict[str, Score]:
    """Fact -> score, each page read as its site's only one."""
    scores: dict[str, Score] = {}
    for page in labelled:
        facts = page.facts()
        seen = resolved(page, facts)
        for fact, expected, found in (
            *_contacts(page.label, seen),
            *_stated(page.label, facts),
            *_software(page.label, facts, page.headers),
        ):
            scores.setdefault(fact, Score()).add(page.name, expected, found)
    return scores


def resolved(page: LabelledPage, facts: PageFacts) -> Contacts:
    host = urlsplit(page.label["url"]).hostname or ""
    return contacts.resolve(
        [contacts.read(facts)],
        domain=host.removeprefix("www."),
        languages=page.label.get("languages", []),
        countries=page.label.get("countries", []),
    )


_Case = tuple[str, set[str], set[str]]


def _contacts(label: dict[str, Any], found: Contacts) -> Iterator[_Case]:
    emails: dict[str, str] = label.get("emails", {})
    yield "emails", set(emails), set(found.emails)
    both = emails.keys() & found.email_classes.keys()
    yield (
        "email class",
        {f"{address} {emails[address]}" for address in both},
        {f"{address} {found.email_classes[address]}" for address in both},
    )
    yield "phones", set(label.get("phones", {})), set(found.phones)
    yield "social", _pairs(label.get("social", {})), _pairs(found.social)


def _stated(label: dict[str, Any], page: PageFacts) -> Iterator[_Case]:
    expected: dict[str, str] = label.get("facts", {})
    site = site_identity([read(page)])
    favicon_url, logo_url = (best.url if best else None for best in (site.favicon, site.logo))
    found = {"favicon_url": favicon_url, "logo_url": logo_url}
    for name in _PAGE_FACTS:
        if name in expected:
            yield name, _one(expected[name]), _one(found[name] if name in found else getattr(page, name))
    if "organization" in expected:
        organization = site.organization or {}
        yield "organization", _one(expected["organization"]), _one(organization.get("name"))


def _software(label: dict[str, Any], page: PageFacts, headers: dict[str, str]) -> Iterator[_Case]:
    expected: dict[str, Any] = label.get("software", {})
    if not expected:
        return
    plugins = {entry.name for entry in table().signatures if entry.wp_plugin or "WordPress" in entry.implies}
    kinds: dict[str, set[str]] = {
        "cms": set(),
        "plugins": set(),
        "themes": _one(wordpress.theme(wordpress.paths(page))),
    }
    rest: set[str] = set()
    versions = expected.get("versions", {})
    seen: dict[str, str] = {}
    for technology in find_technologies(page, headers):
        if technology.name in versions:
            seen[technology.name] = technology.version or ""
        if technology.category == "WordPress theme":
            continue
        if technology.category == "WordPress plugin" or technology.name in plugins:
            kinds["plugins"].add(technology.name)
        elif technology.category in _CMS:
            kinds["cms"].add(technology.name)
        else:
            rest.add(technology.name)
    kinds["technologies"] = rest
    for kind, found in kinds.items():
        if kind in expected:
            yield kind, set(expected[kind]), found
    yield "versions", _pairs(versions), _pairs(seen)


def _one(value: str | None) -> set[str]:
    return {value} if value else set()


def _pairs(values: dict[str, str]) -> set[str]:
    return {f"{key} {value}" for key, value in values.items()}
