"""What one page shows of its site's contacts, undecided: addresses, numbers as written, links to profiles."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from scrapersky.scraping import email_classes, emails, jsonld, phones, regions, social
from scrapersky.scraping.page import PageFacts

# What one page may hold of each until its site is resolved.
MAX_CANDIDATES = 200
MAX_PROFILES = 200
# Those of a text that are looked at, with repeats.
MAX_ADDRESSES = 2_000
# Mail links of which the text before them is looked for.
MAX_LOOKED_BACK = 50

_NETWORK_WORDS = re.compile(
    r"facebook|twitter|linked|insta|youtube|tiktok|pinterest|github|xing|threads|bluesky|mastodon|whatsapp|telegram|vimeo|"
    r"yelp|trip|reddit|discord|twitch|snap|medium|line|sound|spotify|social|follow|folg|suivez|segui|volg|\bx\b|\bfb\b|\big\b",
    re.IGNORECASE,
)

_Things = list[dict[str, Any]]
_Seen = TypeVar("_Seen")


class SeenEmail(NamedTuple):
    """An address; `made_by` says that the page names the site's maker before it."""

    method: str
    address: str
    made_by: bool


class SeenPhone(NamedTuple):
    """A number as written. `label` is `phone`, `fax` or empty, `country` that of an address beside it.

    `likely` says of one without a label that its place speaks for a phone number: among contacts, or alone in its line.
    """

    method: str
    text: str
    label: str
    country: str | None
    likely: bool


@dataclass(frozen=True, slots=True)
class PageContacts:
    """What one page shows, small enough to keep until the last page of its site is read.

    `written_in` is the country that its script or language stands for beyond doubt, if it shows numbers without one.
    """

    url: str
    language: str | None
    written_in: str | None = None
    emails: tuple[SeenEmail, ...] = ()
    phones: tuple[SeenPhone, ...] = ()
    profiles: tuple[tuple[str, social.Profile], ...] = ()
    countries: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def read(page: PageFacts) -> PageContacts:
    """What one page shows of its site's contacts, undecided. Cheap: no numbering plans are looked at."""
    things = list(jsonld.walk(page.json_ld))
    organizations = page.graph.organizations()
    addresses = [thing.get("addressCountry") for thing in things if "addressCountry" in thing]
    countries = [name for value in addresses for name in _country_names(value)]
    countries += [value for name, value in page.microdata if name == "addressCountry"]
    # ISO 3166-2, as "DE-BW" (geotags.com, "geo.region").
    countries += [value[:2] for name in ("geo.country", "geo.region") if (value := page.metas.get(name))]
    names = [name for thing in organizations for name in jsonld.strings(thing.get("name"))]
    names += [name for name in (page.open_graph.get("og:site_name"),) if name]
    found_emails = (seen for seen in _emails(page, things) if not email_classes.is_placeholder(seen.address, page.url))
    found_phones = _capped(_phones(page, things), MAX_CANDIDATES)
    is_national = any(not seen.text.startswith("+") for seen in found_phones)
    return PageContacts(
        url=page.url,
        language=page.language,
        written_in=regions.country_of_script(page.text, page.language) if is_national else None,
        emails=_capped(found_emails, MAX_CANDIDATES),
        phones=found_phones,
        profiles=_capped(_profiles(page, organizations), MAX_PROFILES),
        countries=tuple(dict.fromkeys(countries[:20])),
        names=tuple(dict.fromkeys(names[:5])),
    )


def _emails(page: PageFacts, things: _Things) -> Iterator[SeenEmail]:
    placed = list(islice(emails.placed_addresses_in(page.text), MAX_ADDRESSES))
    makers = {address for address, before in set(placed) if email_classes.names_maker(before)}
    looked_back = 0
    for link in page.links:
        if link.href[0] == "/":  # as most begin
            continue
        if (target := _mail_target(link.href)) is not None:
            looked_back += 1
            made_by = looked_back <= MAX_LOOKED_BACK and _made_by(page.text, link.text)
            for address in emails.addresses_of_mailto(target):
                yield SeenEmail("mailto", address, made_by or address in makers)
        elif link.href[:11].lower() == "javascript:" and (hidden := emails.address_of_typo3(link.href)):
            yield SeenEmail("mailto", hidden, False)
    for token in page.cfemail:
        if found := emails.address_of_cfemail(token):
            yield SeenEmail("cfemail", found, False)
    yield from (SeenEmail("script", address, False) for address in emails.addresses_of_joomla(page.scripts))
    yield from (SeenEmail("script", address, False) for address in emails.addresses_of_written(page.scripts))
    for thing in things:
        for value in jsonld.strings(thing.get("email")):
            yield from (
                SeenEmail("json-ld", address, False) for address in emails.addresses_of_mailto(_no_scheme(value))
            )
    for name, value in page.microdata:
        if name == "email":
            yield from (
                SeenEmail("microdata", address, False) for address in emails.addresses_of_mailto(_no_scheme(value))
            )
    yield from (SeenEmail("text", address, address in makers) for address, _ in placed)


def _mail_target(href: str) -> str | None:
    """What follows `mailto:` in a link to write to, also where the scheme was forgotten: `href="info@acme.example"`."""
    if href[:7].lower() == "mailto:":
        return href[7:].lstrip("/")
    return href if "@" in href and ":" not in href and "/" not in href else None


def _phones(page: PageFacts, things: _Things) -> Iterator[SeenPhone]:
    fixed_country = regions.country_of_domain(_host(page.url)) is not None
    for link in page.links:
        if link.href[0] != "/" and (seen := _phone_of_link(link.href)):
            yield seen
        elif link.label and not link.text:  # an icon or a picture of the number
            yield from (SeenPhone("text", c.text, c.label, None, True) for c in phones.numbers_in(link.label))
    for thing in things:
        for key, label in (("telephone", "phone"), ("faxNumber", "fax")):
            for value in jsonld.strings(thing.get(key)):
                if number := phones.number_of_field(value):
                    yield SeenPhone("json-ld", number, label, None, True)
    for name, value in page.microdata:
        if name in ("telephone", "faxNumber") and (number := phones.number_of_field(value)):
            yield SeenPhone("microdata", number, "fax" if name == "faxNumber" else "phone", None, True)
    text = phones.readable(page.text)
    for candidate in phones.numbers_in(text):
        where = candidate.start, candidate.end
        typical = phones.is_typical(candidate.text)
        likely = bool(candidate.label) or (candidate.alone and typical) or phones.in_contact_text(text, *where)
        country = None if fixed_country or candidate.text[0] == "+" else regions.country_near(text, *where)
        alone = candidate.alone and not phones.is_amount(candidate.text)
        if likely or typical or alone or candidate.text[0] == "+":
            yield SeenPhone("text", candidate.text, candidate.label, country, likely)


def _phone_of_link(href: str) -> SeenPhone | None:
    scheme, colon, _ = href[:9].partition(":")
    if not colon:
        return None
    scheme = scheme.lower()
    if scheme in ("tel", "callto", "sms", "skype"):
        number = phones.number_of_link(href[len(scheme) + 1 :].partition("?")[0])
        return SeenPhone("tel", number, "", None, True) if number else None
    if scheme not in ("http", "https", "whatsapp"):
        return None
    found = (
        social.profile(href.replace("whatsapp://", "https://api.whatsapp.com/"))
        if "wa.me" in href or "whatsapp" in href
        else None
    )
    digits = found[1].removeprefix("https://wa.me/") if found and found[0] == "whatsapp" else ""
    return SeenPhone("whatsapp", f"+{digits}", "", None, True) if digits.isdecimal() else None


def _profiles(page: PageFacts, organizations: _Things) -> Iterator[tuple[str, social.Profile]]:
    for link in page.links:
        if link.href[0] == "/" and link.href[1:2] != "/":
            continue
        if found := social.profile(link.href):
            names = f"{link.text or ''} {link.label or ''}"
            # "f", "in", "IG"
            short = len(link.text or "") < 4
            icon = short or (len(names) < 60 and _NETWORK_WORDS.search(names) is not None)
            yield "link", social.Profile(*found, declared=False, in_frame=link.place is not None, icon=icon)
    for asset in page.assets:
        if asset.kind == "iframe" and (found := social.profile_of_widget(asset.url)):
            yield "widget", social.Profile(*found, declared=False, in_frame=False, icon=True)
    for thing in organizations:
        for value in jsonld.strings(thing.get("sameAs")):
            if found := social.profile(value):
                yield "json-ld", social.Profile(*found, declared=True, in_frame=False, icon=False)
    for name, value in page.microdata:
        if name == "sameAs" and (found := social.profile(value)):
            yield "microdata", social.Profile(*found, declared=True, in_frame=False, icon=False)
    for value in (page.metas.get("article:publisher", ""), _profile_of_card(page.twitter.get("twitter:site", ""))):
        if found := social.profile(value):
            yield "meta", social.Profile(*found, declared=True, in_frame=False, icon=False)


def _profile_of_card(handle: str) -> str:
    """The profile that a Twitter card's `twitter:site` names: "@acme"."""
    return f"https://x.com/{handle[1:]}" if handle[:1] == "@" else handle


def _capped(found: Iterable[_Seen], most: int) -> tuple[_Seen, ...]:
    """Each once, in order, the first `most` of them."""
    return tuple(islice(dict.fromkeys(islice(found, 20 * most)), most))


def _country_names(value: Any) -> list[str]:
    """An `addressCountry`: a text, or a Country with a name."""
    return jsonld.strings(value.get("name") if isinstance(value, dict) else value)


def _made_by(text: str, link_text: str | None) -> bool:
    """Whether a link follows words such as "website by"; `text` is its page's."""
    at = text.rfind(link_text) if link_text else -1
    return at > 0 and email_classes.names_maker(text[max(0, at - 80) : at])


def _no_scheme(value: str) -> str:
    return value[7:] if value[:7].lower() == "mailto:" else value


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
