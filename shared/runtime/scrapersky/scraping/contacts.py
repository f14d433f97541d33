"""How to reach a site's people: e-mails, phones and profiles, each with where it was seen.

`read` takes from each page what it shows, as it is parsed; `resolve` decides once, over all pages of a site, which of
it is the site's, what country its national numbers are in, and which evidence is the best.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from scrapersky.domain.facts import Evidence
from scrapersky.scraping import email_classes, numbers, regions, social
from scrapersky.scraping.page_contacts import PageContacts, SeenPhone, read

__all__ = ["Contacts", "PageContacts", "read", "resolve"]

# A directory page can list thousands; a site's own addresses are few, and each becomes a row.
MAX_EMAILS = 100
MAX_PHONES = 100

# In order of trust.
EMAIL_METHODS = ("mailto", "cfemail", "script", "json-ld", "microdata", "text")
PHONE_METHODS = ("tel", "json-ld", "microdata", "whatsapp", "text")


@dataclass(frozen=True, slots=True)
class Contacts:
    """What a site shows: value -> where it was seen, in order of trust.

    `email_classes` maps address -> `role`, `person`, `no_reply`, `vendor` or `other`, `social` network -> profile URL.
    """

    emails: dict[str, Evidence] = field(default_factory=dict)
    email_classes: dict[str, str] = field(default_factory=dict)
    phones: dict[str, Evidence] = field(default_factory=dict)
    social: dict[str, str] = field(default_factory=dict)
    social_evidence: dict[str, Evidence] = field(default_factory=dict)


def resolve(
    pages: Sequence[PageContacts], *, domain: str, languages: Sequence[str], countries: Sequence[str]
) -> Contacts:
    """The contacts of the site under `domain`, whose pages were read in this order.

    `languages` (BCP 47) and `countries` (names or ISO 3166) are what is known beside what the pages say themselves.
    """
    found = Contacts()
    _resolve_emails(found, pages, domain)
    _resolve_phones(found, pages, domain, languages, countries)
    _resolve_profiles(found, pages, domain)
    return found


def _resolve_emails(found: Contacts, pages: Sequence[PageContacts], domain: str) -> None:
    best: dict[str, tuple[int, Evidence]] = {}
    makers: set[str] = set()
    for page in pages:
        for seen in page.emails:
            trust = EMAIL_METHODS.index(seen.method)
            if seen.address not in best or trust < best[seen.address][0]:
                best[seen.address] = (trust, Evidence(page.url, seen.method))
            if seen.made_by:
                makers.add(seen.address)
    classes = {address: email_classes.class_of(address, domain, made_by=address in makers) for address in best}

    # The site's own before others', who made it last; dicts keep the order of pages among equals.
    def rank(address: str) -> tuple[bool, bool, bool, int]:
        kind = classes[address]
        return kind == "vendor", kind == "no_reply", not email_classes.is_own(address, domain), best[address][0]

    ranked = sorted(best, key=rank)
    for address in ranked[:MAX_EMAILS]:
        found.emails[address] = best[address][1]
        found.email_classes[address] = classes[address]


def _resolve_phones(
    found: Contacts, pages: Sequence[PageContacts], domain: str, languages: Sequence[str], countries: Sequence[str]
) -> None:
    if not any(page.phones for page in pages):
        return
    beside = Counter(seen.country for page in pages for seen in page.phones if seen.country)
    dialled = [*(country for country, _ in beside.most_common(2)), *_countries_dialled(pages)]
    # What a page is written in says more of its numbers than the country of others does.
    orders = {
        written_in: regions.in_order(
            domain,
            languages=[*languages, *(page.language for page in pages)],
            countries=[*countries, *(name for page in pages for name in page.countries)],
            dialled=[written_in, *dialled] if written_in else dialled,
        )
        for written_in in {page.written_in for page in pages}
    }
    best: dict[str, tuple[int, Evidence]] = {}
    called: set[str] = set()
    faxes: set[str] = set()
    for page in pages:
        given, guessed = orders[page.written_in]
        for seen in page.phones:
            number = _number(seen, given, guessed)
            if number is None:
                continue
            if seen.label == "fax":
                faxes.add(number)
                continue
            trust = PHONE_METHODS.index(seen.method)
            if seen.label == "phone":
                called.add(number)
            if number not in best or trust < best[number][0]:
                best[number] = (trust, Evidence(page.url, seen.method))
    for number in sorted(best, key=lambda number: best[number][0]):
        # Some systems make a link to call of whatever looks like a number, a fax machine's too.
        if len(found.phones) < MAX_PHONES and (number not in faxes or number in called):
            found.phones[number] = best[number][1]


def _number(seen: SeenPhone, given: list[str], guessed: list[str]) -> str | None:
    declared = seen.method != "text" or bool(seen.label)
    near = [seen.country] if seen.country else []
    # An address beside a number says more than the language, and less than the domain.
    tried = [*given[:1], *near, *given[1:]] if given else near or guessed
    if declared or seen.text.startswith("+"):
        number = numbers.e164(seen.text, tried, declared=declared)
        return number or (None if given or near else numbers.of_only_one(seen.text, regions.sharing(guessed)))
    return numbers.unlabelled(seen.text, tried, likely=seen.likely)


def _countries_dialled(pages: Sequence[PageContacts]) -> list[str]:
    found = (
        numbers.country_of(number)
        for page in pages
        for seen in page.phones
        if seen.text.startswith("+") and (number := numbers.e164(seen.text, (), declared=False))
    )
    return list(dict.fromkeys(country for country in found if country))


def _resolve_profiles(found: Contacts, pages: Sequence[PageContacts], domain: str) -> None:
    names = [name for page in pages for name in page.names]
    seen = [profile for page in pages for _, profile in page.profiles]
    found.social.update(social.choose(seen, domain=domain, names=names))
    for page in pages:
        for method, profile in page.profiles:
            if profile.url in found.social.values():
                found.social_evidence.setdefault(profile.url, Evidence(page.url, method))
