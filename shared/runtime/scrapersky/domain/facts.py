"""What a scan found: plain values, each with the page and the method it came from.

A value that was not found is None or empty, never a guess.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scrapersky.domain.status import ErrorCode

FACT_KINDS = ("email", "phone", "social", "organization", "address", "technology")

SOCIAL_NETWORKS = (
    "facebook",
    "twitter",
    "linkedin",
    "instagram",
    "youtube",
    "tiktok",
    "pinterest",
    "github",
    "xing",
    "threads",
    "bluesky",
    "mastodon",
    "whatsapp",
    "telegram",
    "vimeo",
    "yelp",
    "tripadvisor",
    "reddit",
    "discord",
    "twitch",
    "snapchat",
    "medium",
    "vk",
    "line",
    "soundcloud",
    "spotify",
)
"""The networks whose profiles are told, in the order of the answers."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a value was seen: the page's URL, and how (`mailto`, `tel`, `text`, `json-ld`, `link`, `cfemail`, ...)."""

    page_url: str
    method: str

    def to_json(self) -> dict[str, str]:
        return {"page_url": self.page_url, "method": self.method}


@dataclass(frozen=True, slots=True)
class Technology:
    """One piece of software a site shows, with what gave it away (`generator: WordPress 6.8`) and on which page."""

    name: str
    category: str
    version: str | None
    evidence: str
    page_url: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "category": self.category,
            "version": self.version,
            "evidence": self.evidence,
            "page_url": self.page_url,
        }


@dataclass(slots=True)
class SiteData:
    """The facts of one site, as `result.site_data` of the HTTP contract.

    `evidence` maps each e-mail, phone and social link to where it was seen, `sources` each of the other fields by its
    name; software, addresses and the organisation's own fields carry theirs with them. `email_classes` says of each
    e-mail what kind of address it is. Booleans are None while no page could be looked at.
    """

    title: str | None = None
    description: str | None = None
    language: str | None = None
    canonical_url: str | None = None
    favicon_url: str | None = None
    logo_url: str | None = None
    is_wordpress: bool | None = None
    wordpress_version: str | None = None
    wordpress_theme: str | None = None
    has_elementor: bool | None = None
    elementor_version: str | None = None
    has_divi: bool | None = None
    has_woocommerce: bool | None = None
    has_contact_form7: bool | None = None
    has_yoast_seo: bool | None = None
    has_wpforms: bool | None = None
    emails: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)
    social_links: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys(SOCIAL_NETWORKS))
    tech_stack: list[Technology] = field(default_factory=list)
    organization: dict[str, Any] | None = None
    addresses: list[dict[str, Any]] = field(default_factory=list)
    open_graph: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    site_name: str | None = None
    email_classes: dict[str, str] = field(default_factory=dict)
    security_txt: dict[str, Any] | None = None
    sources: dict[str, Evidence] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The contract's JSON shape."""
        return {
            "title": self.title,
            "description": self.description,
            "language": self.language,
            "canonical_url": self.canonical_url,
            "favicon_url": self.favicon_url,
            "logo_url": self.logo_url,
            "is_wordpress": self.is_wordpress,
            "wordpress_version": self.wordpress_version,
            "wordpress_theme": self.wordpress_theme,
            "has_elementor": self.has_elementor,
            "elementor_version": self.elementor_version,
            "has_divi": self.has_divi,
            "has_woocommerce": self.has_woocommerce,
            "has_contact_form7": self.has_contact_form7,
            "has_yoast_seo": self.has_yoast_seo,
            "has_wpforms": self.has_wpforms,
            "contact_info": {"email": self.emails, "phone": self.phones},
            "social_links": self.social_links,
            "tech_stack": [technology.to_json() for technology in self.tech_stack],
            "organization": self.organization,
            "addresses": self.addresses,
            "open_graph": self.open_graph,
            "evidence": {value: seen.to_json() for value, seen in self.evidence.items()},
            "site_name": self.site_name,
            "email_classes": self.email_classes,
            "security_txt": self.security_txt,
            "sources": {name: seen.to_json() for name, seen in self.sources.items()},
        }

    def sourced(self) -> Iterator[tuple[str, str, Evidence]]:
        """Every (kind, value, evidence) that gets a row of its own; kind is one of FACT_KINDS."""
        for kind, values in (
            ("email", self.emails),
            ("phone", self.phones),
            ("social", [link for link in self.social_links.values() if link]),
        ):
            for value in values:
                yield kind, value, self.evidence[value]
        if self.organization and self.organization.get("name") and "organization" in self.sources:
            yield "organization", self.organization["name"], self.sources["organization"]
        for address in self.addresses:
            if {"text", "page_url", "method"} <= address.keys():
                yield "address", address["text"], Evidence(address["page_url"], address["method"])
        for technology in self.tech_stack:
            if technology.page_url:
                # "generator: WordPress 6.8" or "implied by WooCommerce"
                method = re.split(r":| by ", technology.evidence, maxsplit=1)[0]
                yield "technology", technology.name, Evidence(technology.page_url, method)


@dataclass(frozen=True, slots=True)
class PageRecord:
    """One page that a scan read or, with `skipped_reason`, did not. `bytes` is as sent, `ms` wall time.

    `skipped_reason` is the word of an error code, `duplicate` (the same page under another URL) or `off_site` (it
    redirects to somebody else's).
    """

    url: str
    status_code: int | None
    title: str | None
    fetched_at: datetime
    bytes: int
    ms: int
    skipped_reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "status_code": self.status_code,
            "title": self.title,
            "fetched_at": self.fetched_at.isoformat(),
            "bytes": self.bytes,
            "ms": self.ms,
            "skipped_reason": self.skipped_reason,
        }


@dataclass(frozen=True, slots=True)
class ScanError:
    """Why a scan has no result. `message` is for people and holds nothing secret."""

    code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True)
class SiteScan:
    """What one scan of one site came to: `site_data` or `error`, never both and never neither."""

    pages: tuple[PageRecord, ...]
    site_data: SiteData | None = None
    error: ScanError | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.site_data is None) == (self.error is None):
            raise ValueError("a scan has either facts or an error")

    @property
    def bytes_fetched(self) -> int:
        return sum(page.bytes for page in self.pages)

    @property
    def pages_fetched(self) -> int:
        return sum(1 for page in self.pages if page.skipped_reason is None)
