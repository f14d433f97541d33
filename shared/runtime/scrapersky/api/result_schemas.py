"""What a complete scan found, as the HTTP API answers with it: a stored result, handed on as it was stored."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from scrapersky.domain.places import Stop
from scrapersky.domain.sitemaps import DiscoveryMethod, SitemapType, Truncation
from scrapersky.domain.status import ErrorCode, JobStatus

Time = Annotated[datetime, AfterValidator(lambda time: time.astimezone(UTC))]


class Stored(BaseModel):
    """A part of a stored result. A fact that this version has no name for is handed on as it was stored."""

    model_config = ConfigDict(extra="allow", defer_build=True)


def _object(**properties: dict[str, Any]) -> WithJsonSchema:
    """Describes the fields of an object that is handed on unread, so that none is added to it."""
    return WithJsonSchema({"type": "object", "properties": properties, "additionalProperties": True})


def _text(description: str) -> dict[str, Any]:
    return {"anyOf": [{"type": "string"}, {"type": "null"}], "description": description}


def _list(description: str, **items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items or {"type": "string"}, "description": description}


ADDRESS = {
    "street_address": _text("Street and number."),
    "postal_code": _text("Postal code."),
    "locality": _text("City or town."),
    "region": _text("State or province."),
    "country": _text("Country, as the page has it: a name or a code."),
    "text": {"type": "string", "description": "The whole address in one line."},
    "page_url": {"type": "string", "description": "The page that it was read from."},
    "method": {"type": "string", "description": "`json-ld` or `microdata`."},
}
ORGANIZATION = {
    "type": _text("Its schema.org type, such as `LocalBusiness`."),
    "name": _text("Its name."),
    "legal_name": _text("The name that it is registered under."),
    "alternate_name": _text("Another name of it."),
    "description": _text("What it says of itself."),
    "vat_id": _text("VAT number."),
    "tax_id": _text("Tax number."),
    "lei_code": _text("Legal Entity Identifier (ISO 17442)."),
    "duns": _text("D-U-N-S number."),
    "founding_date": _text("When it was founded, as the page has it."),
    "price_range": _text("How expensive it is, as the page has it: `$$`."),
    "url": _text("Its own address on the web, absolute."),
    "logo_url": _text("Its logo, absolute."),
    "email": _text("The first e-mail of it or its contact points."),
    "telephone": _text("The first of `telephones`."),
    "telephones": _list("Its numbers and those of its contact points; E.164 where given with `+`, else as written."),
    "fax": _text("Fax number, in the form of `telephones`."),
    "opening_hours": _list(
        "`days` (English names), `opens` and `closes` (as given), `valid_from`, `valid_through`, and the `text` of it.",
        type="object",
    ),
    "geo": {
        "anyOf": [{"type": "object"}, {"type": "null"}],
        "description": "`latitude` and `longitude` in degrees (WGS 84).",
    },
    "parent": _text("Name of the organization that it belongs to."),
    "founder": _text("Name of who founded it."),
    "same_as": _list("Its profiles and entries elsewhere, as absolute URLs."),
    "evidence": {"type": "object", "description": "`page_url` and `method` of each field that was given."},
}


class Evidence(Stored):
    """Where a value was seen."""

    page_url: str = Field(description="The page's URL.")
    method: str = Field(
        description="How: `mailto`, `tel`, `text`, `json-ld`, `microdata`, `link`, `cfemail`, `title`, `meta`, ..."
    )


class Technology(Stored):
    """One piece of software that the site shows."""

    name: str = Field(description="As its makers call it; of a theme or plugin, the name of its folder.")
    category: str = Field(description="Such as `CMS`, `e-commerce`, `page builder` or `WordPress plugin`.")
    version: str | None = Field(None, description="As far as the site shows it.")
    evidence: str = Field(description="What gave it away, such as `generator: WordPress 6.8`.")
    page_url: str | None = Field(None, description="The first page that did; null in results of earlier versions.")


class ContactInfo(Stored):
    """How to reach who runs the site, the best evidence first."""

    email: list[str] = Field(default=[], description="E-mail addresses; `email_classes` has the kind of each.")
    phone: list[str] = Field(default=[], description="Phone numbers in E.164, such as `+493415550100`; no fax numbers.")


class SocialLinks(Stored):
    """The URL of the site's own profile in each network."""

    facebook: str | None = None
    twitter: str | None = None
    linkedin: str | None = None
    instagram: str | None = None
    youtube: str | None = None
    tiktok: str | None = None
    pinterest: str | None = None
    github: str | None = None
    xing: str | None = None
    threads: str | None = None
    bluesky: str | None = None
    mastodon: str | None = None
    whatsapp: str | None = None
    telegram: str | None = None
    vimeo: str | None = None
    yelp: str | None = None
    tripadvisor: str | None = None
    reddit: str | None = None
    discord: str | None = None
    twitch: str | None = None
    snapchat: str | None = None
    medium: str | None = None
    vk: str | None = None
    line: str | None = None
    soundcloud: str | None = None
    spotify: str | None = None


class SecurityTxt(Stored):
    """The site's security.txt (RFC 9116): whom to tell of a fault in it."""

    url: str = Field(description="Where the file was read.")
    contacts: list[str] = Field([], description="URIs, the preferred one first.")
    policy: list[str] = Field([], description="URIs of what is asked of who reports a fault.")
    expires: Time | None = Field(None, description="When the file is no longer to be relied on.")


class SiteData(Stored):
    """The facts of one site. What was not found is null or empty, never a guess."""

    title: str | None = Field(None, description="Title of the home page.")
    description: str | None = Field(None, description="What the home page says of itself to search engines.")
    language: str | None = Field(None, description="Language tag (BCP 47) that the site's pages state.")
    canonical_url: str | None = Field(None, description="The address that the home page gives as its own.")
    favicon_url: str | None = Field(None, description="The site's icon.")
    logo_url: str | None = Field(None, description="The site's logo.")
    is_wordpress: bool | None = Field(None, description="Whether a page shows WordPress.")
    wordpress_version: str | None = Field(None, description="As far as the site shows it.")
    wordpress_theme: str | None = Field(None, description="The theme's folder.")
    has_elementor: bool | None = Field(None, description="Whether a page shows Elementor.")
    elementor_version: str | None = Field(None, description="As far as the site shows it.")
    has_divi: bool | None = Field(None, description="Whether a page shows Divi.")
    has_woocommerce: bool | None = Field(None, description="Whether a page shows WooCommerce.")
    has_contact_form7: bool | None = Field(None, description="Whether a page shows Contact Form 7.")
    has_yoast_seo: bool | None = Field(None, description="Whether a page shows Yoast SEO.")
    has_wpforms: bool | None = Field(None, description="Whether a page shows WPForms.")
    contact_info: ContactInfo = Field(default_factory=ContactInfo)
    social_links: SocialLinks = Field(default_factory=SocialLinks)
    tech_stack: list[Technology] = Field([], description="The software that the site shows.")
    organization: Annotated[dict[str, Any], _object(**ORGANIZATION)] | None = Field(
        None,
        description="What its structured data says of its organization; `evidence` has the source of each field.",
    )
    addresses: list[Annotated[dict[str, Any], _object(**ADDRESS)]] = Field(
        [], description="Postal addresses of its organizations, out of structured data."
    )
    open_graph: dict[str, Any] = Field({}, description="Open Graph tags by name, such as `og:site_name`.")
    evidence: dict[str, Evidence] = Field({}, description="Source of each e-mail, phone and social link.")
    site_name: str | None = Field(
        None, description="What the site calls itself, apart from the title of its home page."
    )
    email_classes: dict[str, str] = Field(
        {}, description="Each e-mail's kind: `role`, `person`, `no_reply`, `vendor` (of who made the site) or `other`."
    )
    security_txt: SecurityTxt | None = Field(None, description="The site's security.txt, where it has one.")
    sources: dict[str, Evidence] = Field(
        {}, description="Source of each other fact by the name of its field: `title`, `logo_url`, `organization`, ..."
    )


class PageFetched(Stored):
    """One page that was read or, with `skipped_reason`, was not."""

    url: str = Field(description="Where it was read, redirects followed.")
    status_code: int | None = Field(description="HTTP status; null when there was no answer.")
    title: str | None = Field(description="The page's title.")
    fetched_at: Time = Field(description="When the answer was there.")
    bytes: int = Field(description="As sent, that is compressed.")
    ms: int = Field(description="Milliseconds that the fetch took.")
    skipped_reason: str | None = Field(
        description="An error's code, `duplicate` (of a page that was read) or `off_site` (it redirects elsewhere)."
    )


class ProcessingMetrics(Stored):
    """What the scan took."""

    start_time: Time = Field(description="When the scan began.")
    end_time: Time = Field(description="When it ended.")
    processing_time: float = Field(description="Seconds from the one to the other.")
    domain: str = Field(description="The domain that was scanned.")
    max_pages: int = Field(description="How many pages it was allowed to read.")
    pages_fetched: int = Field(description="Pages that were read; those with a `skipped_reason` do not count.")
    bytes_fetched: int = Field(description="Bytes of all `pages`, also of those that were skipped.")


class ScanResult(Stored):
    """What a complete scan found."""

    site_data: SiteData
    pages: list[PageFetched] = Field(description="The pages that were asked for.")
    processing_metrics: ProcessingMetrics


class SitemapError(Stored):
    """Why a file could not be read."""

    code: ErrorCode
    message: str
    retryable: bool = Field(description="Whether the same file may well be readable later.")


class ScannedSitemap(Stored):
    """One file of a sitemap scan. `GET /api/v3/sitemap-files/{id}` tells more of it."""

    id: UUID = Field(description="Of the file in this scan.")
    url: str = Field(description="Where the scan was told to look for it.")
    sitemap_type: SitemapType | None = Field(description="What it is, by its content; null when it could not be read.")
    discovery_method: DiscoveryMethod = Field(description="How the scan came to know of it.")
    url_count: int = Field(description="Distinct URLs of it that this scan found and stored.")
    has_lastmod: bool = Field(description="Whether an entry says when its page was changed.")
    has_priority: bool = Field(description="Whether an entry has a priority.")
    has_changefreq: bool = Field(description="Whether an entry has a change frequency.")
    status: JobStatus = Field(description="`cancelled`: not read, since the scan was full, or cancelled.")
    error: SitemapError | None = Field(description="Why it is `failed`.")
    child_count: int = Field(0, description="Of an index: distinct files that it names.")
    depth: int = Field(0, description="Indexes above it.")
    is_gzip: bool = Field(False, description="Whether it is a gzip file, whatever its name says.")
    is_partial: bool = Field(False, description="Whether it is broken or ends early; what came before is stored.")
    is_unchanged: bool = Field(False, description="Whether it is what it was when it was last read.")
    added_count: int | None = Field(None, description="URLs that it did not name before; null when it is new itself.")
    changed_count: int | None = Field(None, description="URLs with another `lastmod` than before.")
    removed_count: int | None = Field(None, description="URLs that it names no more; null unless it was read whole.")
    truncated_by: Truncation | None = Field(None, description="What it was cut by.")


class SitemapCut(Stored):
    """Something that the scan left out, and why."""

    url: str | None = Field(description="The file that was cut; null when it was the scan as a whole.")
    by: Truncation
    detail: str | None = Field(description="Where it was cut, for people.")


class SitemapScanResult(Stored):
    """What a complete sitemap scan found. A site without a sitemap has zero of them."""

    sitemaps: list[ScannedSitemap] = Field(
        description="The first thousand at the most, in the order in which they were found. Empty in a batch's lines."
    )
    sitemaps_truncated: bool = Field(description="Whether there are more; `GET /api/v3/sitemap-files?job_id=` has all.")
    total_sitemaps: int = Field(description="Files; those that lead to another one's address are not counted.")
    total_urls: int = Field(description="URLs stored, distinct within each file.")
    added_count: int = Field(0, description="Of all files that were read before: URLs that they did not name then.")
    changed_count: int = Field(0, description="The same of URLs with another `lastmod`.")
    removed_count: int = Field(0, description="The same of URLs that they name no more.")
    truncated: bool = Field(description="Whether anything was left out; `truncations` says what.")
    truncations: list[SitemapCut] = Field([], description="The first hundred.")


class PlacesSearchResult(Stored):
    """What a complete places search came to. One that found nothing has zero of them."""

    total_places: int = Field(description="Places that the search found.")
    stored_places: int = Field(description="Places on its list.")
    new_places: int = Field(description="Those that no search of the tenant had found before.")
    requests: int = Field(description="Requests to Google, tries that failed included. 0 when it was reused.")
    cost_usd: float = Field(description="What they come to by list price, in USD.")
    stopped: Stop | None = Field(
        description="Why nothing more was asked for: `all_found`, `max_results`, `cap` (Google tells 60 of a query, and"
        " there may be more), `max_requests`, `budget` or `time` (its worker had no more of it)."
    )
    reused_from: UUID | None = Field(description="The search whose list was taken over, so that nothing was asked.")
