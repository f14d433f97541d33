"""What a page brought, small enough to be kept when the page itself is dropped; and a site's facts, out of all of them.

The home page speaks for the site: its title, description and language are the site's. What tells how to reach people,
which software is used and who is behind it is true wherever on the site it stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scrapersky.domain.facts import Evidence, SiteData, Technology
from scrapersky.scraping import contacts, identity, technology, wordpress
from scrapersky.scraping.contacts import PageContacts
from scrapersky.scraping.extras import ExtraFetches
from scrapersky.scraping.fetch import Fetched
from scrapersky.scraping.identity import PageIdentity, SiteIdentity, Stated
from scrapersky.scraping.page import PageFacts
from scrapersky.scraping.security_txt import SecurityTxt


@dataclass(frozen=True, slots=True)
class PageFindings:
    """What one page says that a site's facts are made of."""

    url: str
    contacts: PageContacts
    identity: PageIdentity
    technologies: tuple[Technology, ...]
    wordpress_theme: str | None
    truncated: bool


def read(page: PageFacts, answer: Fetched) -> PageFindings:
    """The page's findings; the page can be dropped afterwards."""
    cookies = [text.partition("=")[0].strip() for text in answer.set_cookies]
    folders = wordpress.paths(page)
    return PageFindings(
        url=page.url,
        contacts=contacts.read(page),
        identity=identity.read(page),
        technologies=technology.find_technologies(page, answer.headers, cookies, folders),
        wordpress_theme=wordpress.theme(folders),
        truncated=page.truncated,
    )


def site_data(pages: Sequence[PageFindings], domain: str, extras: ExtraFetches | None = None) -> SiteData:
    """The facts of the site under `domain` whose findings these are, the home page's first.

    What no page shows is None or empty, or False if it is a yes or no.
    """
    named = identity.site_identity(
        [page.identity for page in pages],
        manifest=extras.manifest_icons if extras else (),
        favicon_ico_url=extras.favicon_ico_url if extras else None,
    )
    facts = SiteData()
    _identity(facts, named)
    _software(facts, pages)
    _contacts(facts, pages, domain)
    if extras and extras.security_txt:
        _security(facts, extras.security_txt)
    return facts


def _identity(facts: SiteData, named: SiteIdentity) -> None:
    stated: dict[str, Stated | None] = {
        "title": named.title,
        "description": named.description,
        "language": named.language,
        "canonical_url": named.canonical_url,
        "site_name": named.site_name,
        "favicon_url": Stated(named.favicon.url, named.favicon.source, named.favicon.page_url)
        if named.favicon
        else None,
        "logo_url": Stated(named.logo.url, named.logo.source, named.logo.page_url) if named.logo else None,
    }
    for name, value in stated.items():
        if value is not None:
            setattr(facts, name, value.value)
            facts.sources[name] = Evidence(value.page_url, value.method)
    facts.open_graph = dict(named.open_graph)
    facts.organization = named.organization
    facts.addresses = list(named.addresses)
    if named.organization:
        facts.sources["organization"] = Evidence(**named.organization["evidence"]["name"])


def _software(facts: SiteData, pages: Sequence[PageFindings]) -> None:
    found = technology.merge(page.technologies for page in pages)
    by_name = {item.name: item for item in found}
    wordpress, elementor = by_name.get("WordPress"), by_name.get("Elementor")
    facts.tech_stack = list(found)
    facts.is_wordpress = wordpress is not None
    facts.wordpress_version = wordpress.version if wordpress else None
    facts.wordpress_theme = next((page.wordpress_theme for page in pages if page.wordpress_theme), None)
    facts.has_elementor = elementor is not None
    facts.elementor_version = elementor.version if elementor else None
    facts.has_divi = "Divi" in by_name
    facts.has_woocommerce = "WooCommerce" in by_name
    facts.has_contact_form7 = "Contact Form 7" in by_name
    facts.has_yoast_seo = "Yoast SEO" in by_name
    facts.has_wpforms = "WPForms" in by_name


def _contacts(facts: SiteData, pages: Sequence[PageFindings], domain: str) -> None:
    found = contacts.resolve(
        [page.contacts for page in pages],
        domain=domain,
        languages=[facts.language] if facts.language else [],
        countries=[address["country"] for address in facts.addresses if address.get("country")],
    )
    facts.emails, facts.phones = list(found.emails), list(found.phones)
    facts.email_classes = found.email_classes
    facts.social_links.update(found.social)
    facts.evidence = {**found.emails, **found.phones, **found.social_evidence}


def _security(facts: SiteData, file: SecurityTxt) -> None:
    """The file as it stands, for whoever reports a fault: its addresses are no general contacts of the company."""
    facts.security_txt = {
        "url": file.url,
        "contacts": list(file.contacts),
        "policy": list(file.policy),
        "expires": file.expires.isoformat() if file.expires else None,
    }
