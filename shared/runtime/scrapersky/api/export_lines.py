"""What a line of exported results looks like, as NDJSON and as CSV: one line a job, whatever its status."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from scrapersky.api.batch_schemas import seconds
from scrapersky.api.schemas import JobDetail
from scrapersky.domain.facts import SOCIAL_NETWORKS
from scrapersky.domain.jobs import Job
from scrapersky.domain.status import JobKind

_SITE_TEXTS = ("title", "description", "language", "canonical_url", "favicon_url", "logo_url")
_SITE_SOFTWARE = (
    "is_wordpress",
    "wordpress_version",
    "wordpress_theme",
    "has_elementor",
    "elementor_version",
    "has_divi",
    "has_woocommerce",
    "has_contact_form7",
    "has_yoast_seo",
    "has_wpforms",
)
_JOB = ("domain", "job_id", "status", "error_code", "error_message", "started_at", "finished_at", "processing_time")
COLUMNS = (
    *_JOB,
    *("pages_fetched", *_SITE_TEXTS, "emails", "phones", *SOCIAL_NETWORKS),
    *("organization", "addresses", "technologies", *_SITE_SOFTWARE, "site_name"),
)
_SITEMAP_FIGURES = ("total_sitemaps", "total_urls", "added_count", "changed_count", "removed_count", "truncated")
SITEMAP_COLUMNS = (*_JOB, *_SITEMAP_FIGURES)

DESCRIPTION = f"""\
NDJSON holds all there is: each line is a `JobDetail`, what `GET /api/v3/jobs/{{job_id}}` answers.

CSV holds the flat facts for a spreadsheet, by RFC 4180, in UTF-8, with a header. Lists are joined by `; `, times are
RFC 3339, yes and no are `true` and `false`, what was not found is empty. Runs of white space are one space, so that a
line is a domain, and what a spreadsheet would take for a formula has an apostrophe before it. Control characters and
those that set the direction of writing are U+FFFD.
Columns: {", ".join(f"`{name}`" for name in COLUMNS)}.

Of a batch of sitemap scans it is the figures in both formats: in NDJSON the list of `sitemaps` is empty, and the
columns are {", ".join(f"`{name}`" for name in SITEMAP_COLUMNS)}."""

# What a spreadsheet reads as a formula: at the start of a cell and, for one that splits cells elsewhere than we do,
# after a separator within one (OWASP, "CSV Injection"). The wide forms are those of East Asian keyboards.
_FORMULA = re.compile('(?:^|[,;])[ "]*(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])')
_SPACE = re.compile(r"\s+")
# What a terminal obeys (C0 and C1 of ISO 6429) and what turns a line around (Unicode UAX 9, 2: explicit formatting).
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_REPLACEMENT = "\ufffd"


class Format(StrEnum):
    """The formats of an export."""

    NDJSON = "ndjson"
    CSV = "csv"

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]

    def lines(self, jobs: Iterable[Job], kind: JobKind) -> Iterator[str]:
        """The export of jobs of one kind, line by line, each with its end."""
        return ndjson(jobs) if self is Format.NDJSON else csv_lines(jobs, kind)


_MEDIA_TYPES = {Format.NDJSON: "application/x-ndjson", Format.CSV: "text/csv; charset=utf-8; header=present"}


def ndjson(jobs: Iterable[Job]) -> Iterator[str]:
    """One JSON object a line."""
    for job in jobs:
        yield JobDetail.of(job).model_dump_json() + "\n"


def csv_lines(jobs: Iterable[Job], kind: JobKind) -> Iterator[str]:
    """A header, then one row a line."""
    columns, values = (SITEMAP_COLUMNS, sitemap_row) if kind is JobKind.SITEMAP_SCAN else (COLUMNS, row)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    yield buffer.getvalue()
    for job in jobs:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(cell(value) for value in values(job))
        yield buffer.getvalue()


def row(job: Job) -> Iterator[Any]:
    """The job's values in the order of COLUMNS."""
    result = job.result or {}
    site = result.get("site_data") or {}
    contacts = site.get("contact_info") or {}
    links = site.get("social_links") or {}
    yield from _job(job)
    yield (result.get("processing_metrics") or {}).get("pages_fetched")
    yield from (site.get(name) for name in _SITE_TEXTS)
    yield from (contacts.get("email"), contacts.get("phone"))
    yield from (links.get(network) for network in SOCIAL_NETWORKS)
    yield (site.get("organization") or {}).get("name")
    yield [address.get("text") for address in site.get("addresses") or ()]
    yield [_technology(item) for item in site.get("tech_stack") or ()]
    yield from (site.get(name) for name in _SITE_SOFTWARE)
    yield site.get("site_name")


def sitemap_row(job: Job) -> Iterator[Any]:
    """The job's values in the order of SITEMAP_COLUMNS."""
    result = job.result or {}
    yield from _job(job)
    yield from (result.get(name) for name in _SITEMAP_FIGURES)


def _job(job: Job) -> Iterator[Any]:
    yield from (job.domain, str(job.id), job.status.value)
    yield from (job.error.code.value, job.error.message) if job.error else (None, None)
    yield from (job.started_at, job.finished_at, seconds(job.started_at, job.finished_at))


def cell(value: Any) -> str:
    """A value as a spreadsheet can be trusted with it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)  # a number of ours; its minus is no formula
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    text = "; ".join(str(item) for item in value if item) if isinstance(value, list) else str(value)
    harmless = _STEERING.sub(_REPLACEMENT, _SPACE.sub(" ", text).strip())
    return _FORMULA.sub(r"\g<0>'", harmless)


def _technology(item: Mapping[str, Any]) -> str:
    return " ".join(part for part in (item.get("name"), item.get("version")) if part)
