"""How to reach a site's people, as one page shows it: e-mails, phones and profiles, each with where it was seen."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from scrapersky.domain.facts import Evidence
from scrapersky.scraping import emails, jsonld, phones, social
from scrapersky.scraping.page import PageFacts

# A directory page can list thousands; a site's own addresses are few, and each becomes a row.
MAX_EMAILS = 100
MAX_PHONES = 100


@dataclass(frozen=True, slots=True)
class Contacts:
    """What one page shows: value -> where it was seen, in order of trust. `social` maps network -> profile URL."""

    emails: dict[str, Evidence] = field(default_factory=dict)
    phones: dict[str, Evidence] = field(default_factory=dict)
    social: dict[str, str] = field(default_factory=dict)
    social_evidence: dict[str, Evidence] = field(default_factory=dict)


def find_contacts(page: PageFacts) -> Contacts:
    """Links before structured data before text: the first method that shows a value is its evidence."""
    found = Contacts()
    for method, address in _emails(page):
        if len(found.emails) < MAX_EMAILS and not emails.is_placeholder(address, page.url):
            found.emails.setdefault(address, Evidence(page.url, method))
    known: set[str] = set()
    for method, number in _phones(page):
        digits = phones.digits_of(number)
        if len(found.phones) < MAX_PHONES and digits not in known:
            known.add(digits)
            found.phones[number] = Evidence(page.url, method)
    profiles = list(_profiles(page))
    found.social.update(social.choose(profile for _, profile in profiles))
    for method, (_, url) in profiles:
        if url in found.social.values():
            found.social_evidence.setdefault(url, Evidence(page.url, method))
    return found


def _emails(page: PageFacts) -> Iterator[tuple[str, str]]:
    for target in page.mailto:
        yield from (("mailto", address) for address in emails.addresses_of_mailto(target))
    for token in page.cfemail:
        if address := emails.address_of_cfemail(token):
            yield "cfemail", address
    for thing in jsonld.walk(page.json_ld):
        for value in jsonld.strings(thing.get("email")):
            yield from (("json-ld", address) for address in emails.addresses_of_mailto(value))
    yield from (("text", address) for address in emails.addresses_in(page.text))


def _phones(page: PageFacts) -> Iterator[tuple[str, str]]:
    for target in page.tel:
        if number := phones.number_of_tel(target):
            yield "tel", number
    for thing in jsonld.walk(page.json_ld):
        for value in jsonld.strings(thing.get("telephone")):
            if number := phones.number_as_given(value):
                yield "json-ld", number
    yield from (("text", number) for number in phones.numbers_in(page.text))


def _profiles(page: PageFacts) -> Iterator[tuple[str, tuple[str, str]]]:
    for link in page.links:
        if found := social.profile(link.href):
            yield "link", found
    for thing in jsonld.organizations(page.json_ld):
        for value in jsonld.strings(thing.get("sameAs")):
            if found := social.profile(value):
                yield "json-ld", found
