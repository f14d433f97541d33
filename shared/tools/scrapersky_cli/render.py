"""The API's documents as tables for people. Every value passes `clean`, since it comes from a scanned site.

Documents are read leniently: a field that is not there, or not of its type, is simply not shown.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from scrapersky.domain.status import JobStatus
from scrapersky_cli.client import Document
from scrapersky_cli.text import clean

STYLES = {"complete": "green", "failed": "red", "cancelled": "yellow", "running": "cyan", "pending": "blue"}

LONGEST_NAME = 64
"""Columns of a row's name: one label of a domain (63) or an id (36) is whole, and 80 columns have room beside it."""

_TEXTS = ("title", "site_name", "description", "language", "canonical_url", "favicon_url", "logo_url")
_SOFTWARE = (  # the flag, its version field, what people call it
    ("is_wordpress", "wordpress_version", "WordPress"),
    ("has_elementor", "elementor_version", "Elementor"),
    ("has_divi", None, "Divi"),
    ("has_woocommerce", None, "WooCommerce"),
    ("has_contact_form7", None, "Contact Form 7"),
    ("has_yoast_seo", None, "Yoast SEO"),
    ("has_wpforms", None, "WPForms"),
)

Fact = tuple[str, str, str]  # what, value, where it came from


def table(title: str | None, *headings: str) -> Table:
    """An empty table; its first column, which names the row, keeps to one line (but see `add_row`)."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for position, heading in enumerate(headings):
        made.add_column(heading, overflow="fold", header_style="bold", no_wrap=position == 0)
    return made


def add_row(to: Table, cells: Iterable[object]) -> None:
    """Add a row of texts. A name beyond LONGEST_NAME is folded, so that it leaves the other columns their room."""
    texts = [cell if isinstance(cell, Text) else Text(clean(cell)) for cell in cells]
    if texts and texts[0].cell_len > LONGEST_NAME:
        to.columns[0].no_wrap, to.columns[0].max_width = False, LONGEST_NAME
    to.add_row(*texts)


def status_text(document: Mapping[str, Any]) -> Text:
    word = clean(document.get("status"))
    return Text(word, style=STYLES.get(word, ""))


def job_view(document: Document) -> Iterator[Text | Table]:
    """One job: a line that says how it stands, then the error or the facts."""
    yield Text.assemble(
        (clean(document.get("domain")), "bold"), "  ", status_text(document), _cost(document), "  ", _job_id(document)
    )
    error = mapping(document.get("error"))
    if error:
        yield Text(f"{clean(error.get('code'))}: {clean(error.get('message'))}", style="red")
        if error.get("retryable") is True:
            yield Text(f"It may well go better another time: scrapersky retry {_job_id(document)}")
    result = mapping(document.get("result"))
    site_data = mapping(result.get("site_data"))
    if site_data:
        yield facts_table(site_data, home_url(document))
    if pages := pages_line(result, mapping(document.get("metadata"))):
        yield Text(pages)


# What ended a scan before all pages were read, for people.
_STOPPED = {
    "alike": "only more days of a calendar or pages of a listing were left",
    "max_pages": "there are more (--max-pages)",
    "deadline": "the time for one site was over",
    "pause": "the site asks for longer pauses than a scan can make",
    "too_many_skipped": "too many of its pages could not be read",
    "walls": "the site lets no more programs in",
}


def pages_line(result: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """One line on the pages: how many were not read and why, and what ended the scan early; empty if neither."""
    reasons = Counter(
        clean(page.get("skipped_reason"))
        for page in map(mapping, list_of(result.get("pages")))
        if page.get("skipped_reason")
    )
    parts = [f"{count} {reason}" for reason, count in reasons.most_common()]
    told = [f"not read: {', '.join(parts)}"] if parts else []
    if early := _STOPPED.get(clean(metadata.get("stopped"))):
        told.append(early)
    return f"Pages {'; '.join(told)}" if told else ""


def _job_id(document: Document) -> str:
    return clean(document.get("job_id"))


def _cost(document: Document) -> str:
    metrics = mapping(mapping(document.get("result")).get("processing_metrics"))
    if metrics:
        return (
            f"  {clean(metrics.get('pages_fetched'))} page(s), {clean(metrics.get('bytes_fetched'))} bytes, "
            f"{clean(metrics.get('processing_time'))} s"
        )
    progress = document.get("progress")
    running = document.get("status") == JobStatus.RUNNING.value
    return f"  {progress:.0f} %" if running and isinstance(progress, int | float) else ""


def home_url(document: Document) -> str:
    """The page that the facts without a source of their own were read from."""
    final = mapping(document.get("metadata")).get("final_url")
    pages = mapping(document.get("result")).get("pages")
    first = mapping(pages[0]).get("url") if isinstance(pages, list) and pages else None
    return clean(final or first)


def facts_table(site_data: Mapping[str, Any], home: str) -> Table:
    made = table(None, "Fact", "Value", "Found")
    for fact in facts(site_data, home):
        add_row(made, fact)
    return made


def facts(site_data: Mapping[str, Any], home: str) -> Iterator[Fact]:
    """Each fact that was found, with its source; what was not found does not appear."""
    sources = mapping(site_data.get("sources"))
    for name in _TEXTS:
        if site_data.get(name):
            yield name.removesuffix("_url"), clean(site_data[name]), _source(mapping(sources.get(name))) or home
    yield from _software(site_data, home)
    evidence = mapping(site_data.get("evidence"))
    for kind, value in _contacts(site_data):
        yield kind, clean(value), _source(mapping(evidence.get(value))) or home
    organization = mapping(site_data.get("organization"))
    if organization.get("name"):
        yield "organization", clean(organization["name"]), _source(mapping(sources.get("organization"))) or home
    for address in map(mapping, list_of(site_data.get("addresses"))):
        if address.get("text"):
            yield "address", clean(address["text"]), _source(address) or home


def _software(site_data: Mapping[str, Any], home: str) -> Iterator[Fact]:
    named = set()
    for technology in map(mapping, list_of(site_data.get("tech_stack"))):
        name, version = clean(technology.get("name")), clean(technology.get("version"))
        named.add(name)
        yield "software", f"{name} {version}".strip(), _clue(technology) or home
    for flag, version_field, name in _SOFTWARE:
        if site_data.get(flag) is True and name not in named:
            version = clean(site_data.get(version_field)) if version_field else ""
            yield "software", f"{name} {version}".strip(), home
    if site_data.get("wordpress_theme") and site_data["wordpress_theme"] not in named:
        yield "theme", clean(site_data["wordpress_theme"]), home


def _clue(technology: Mapping[str, Any]) -> str:
    """What gave a piece of software away, and on which page: `https://shop.example/ (generator: WordPress 6.8)`."""
    page, evidence = clean(technology.get("page_url")), clean(technology.get("evidence"))
    return f"{page} ({evidence})" if page and evidence else evidence or page


def _source(seen: Mapping[str, Any]) -> str:
    """`https://shop.example/ (mailto)`: the page that shows a value, and how; empty when that is not told."""
    page, method = clean(seen.get("page_url")), clean(seen.get("method"))
    return f"{page} ({method})" if page and method else page


def contact_lists(site_data: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The e-mail addresses and the phone numbers."""
    contact_info = mapping(site_data.get("contact_info"))
    emails, phones = ([str(value) for value in list_of(contact_info.get(kind))] for kind in ("email", "phone"))
    return emails, phones


def _contacts(site_data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for kind, values in zip(("email", "phone"), contact_lists(site_data), strict=True):
        for value in values:
            yield kind, value
    for network, link in mapping(site_data.get("social_links")).items():
        if isinstance(link, str) and link:
            yield clean(network), link


def jobs_table(items: Sequence[Document]) -> Table:
    made = table(None, "Job", "Kind", "Domain", "Status", "Progress", "Created (UTC)", "Error")
    for item in items:
        progress = item.get("progress")
        add_row(
            made,
            (
                item.get("job_id"),
                item.get("kind"),
                item.get("domain"),
                status_text(item),
                f"{progress:.0f} %" if isinstance(progress, int | float) else "",
                moment(item.get("created_at")),
                mapping(item.get("error")).get("code"),
            ),
        )
    return made


def domains_table(items: Sequence[Document]) -> Table:
    made = table(None, "Domain", "Title", "E-mail", "Phone", "Scanned (UTC)")
    for item in items:
        site_data = mapping(item.get("site_data"))
        contacts = (", ".join(values) for values in contact_lists(site_data))
        add_row(made, (item.get("domain"), site_data.get("title"), *contacts, moment(item.get("scanned_at"))))
    return made


def domain_view(document: Document) -> Iterator[Text | Table]:
    """What is known of one domain, and the job that found it."""
    site_data = mapping(document.get("site_data"))
    name = clean(document.get("domain"))
    if not site_data:
        yield Text(f"{name}  nothing known yet: no scan of it has completed")
        return
    yield Text.assemble(
        (name, "bold"), f"  as of {moment(document.get('scanned_at'))} UTC, from job {_job_id(document)}"
    )
    yield facts_table(site_data, "home page")


def moment(value: object) -> str:
    """An RFC 3339 time in UTC to the second, as a table has room for."""
    return clean(value)[:19].replace("T", " ")


def number(document: Mapping[str, Any], name: str) -> float:
    """A field that is a number; 0 when it is none."""
    value = document.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def list_of(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
