"""What a complete scan found, as the HTTP API answers with it: a stored result, handed on as it was stored."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Time = Annotated[datetime, AfterValidator(lambda time: time.astimezone(UTC))]


class Stored(BaseModel):
    """A part of a stored result. A fact that this version has no name for is handed on as it was stored."""

    model_config = ConfigDict(extra="allow", defer_build=True)


class Evidence(Stored):
    """Where a value was seen."""

    page_url: str
    method: str = Field(
        description="How: `mailto`, `tel`, `text`, `json-ld`, `microdata`, `link`, `cfemail`, `title`, `meta`, ..."
    )


class Technology(Stored):
    """One piece of software that the site shows."""

    name: str
    category: str
    version: str | None = None
    evidence: str = Field(description="What gave it away, such as `generator: WordPress 6.8`.")
    page_url: str | None = Field(None, description="The first page that did; null in results of earlier versions.")


class ContactInfo(Stored):
    email: list[str] = []
    phone: list[str] = []


class SocialLinks(Stored):
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

    url: str
    contacts: list[str] = Field([], description="URIs, the preferred one first.")
    policy: list[str] = []
    expires: Time | None = None


class SiteData(Stored):
    """The facts of one site. What was not found is null or empty, never a guess."""

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
    contact_info: ContactInfo = Field(default_factory=ContactInfo)
    social_links: SocialLinks = Field(default_factory=SocialLinks)
    tech_stack: list[Technology] = []
    organization: dict[str, Any] | None = Field(
        None,
        description="What its structured data says of its organization; `evidence` has the source of each field.",
    )
    addresses: list[dict[str, Any]] = Field([], description="Each with its `page_url` and `method`.")
    open_graph: dict[str, Any] = {}
    evidence: dict[str, Evidence] = Field({}, description="Source of each e-mail, phone and social link.")
    site_name: str | None = Field(
        None, description="What the site calls itself, apart from the title of its home page."
    )
    email_classes: dict[str, str] = Field(
        {}, description="Each e-mail's kind: `role`, `person`, `no_reply`, `vendor` (of who made the site) or `other`."
    )
    security_txt: SecurityTxt | None = None
    sources: dict[str, Evidence] = Field(
        {}, description="Source of each other fact by the name of its field: `title`, `logo_url`, `organization`, ..."
    )


class PageFetched(Stored):
    """One page that was read or, with `skipped_reason`, was not."""

    url: str
    status_code: int | None
    title: str | None
    fetched_at: Time
    bytes: int = Field(description="As sent, that is compressed.")
    ms: int
    skipped_reason: str | None = Field(
        description="An error's code, `duplicate` (of a page that was read) or `off_site` (it redirects elsewhere)."
    )


class ProcessingMetrics(Stored):
    """What the scan took; `processing_time` in seconds."""

    start_time: Time
    end_time: Time
    processing_time: float
    domain: str
    max_pages: int
    pages_fetched: int
    bytes_fetched: int


class ScanResult(Stored):
    """What a complete scan found."""

    site_data: SiteData
    pages: list[PageFetched]
    processing_metrics: ProcessingMetrics
