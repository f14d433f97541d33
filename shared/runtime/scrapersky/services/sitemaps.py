"""What a tenant can read of its sitemap scans: files, URLs, changes, exports, and a site as a whole."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from uuid import UUID

from scrapersky.db import sitemap_exports, sitemap_sites, sitemap_work, sitemaps
from scrapersky.db.connection import Database
from scrapersky.domain.names import InvalidDomain, domain_key
from scrapersky.domain.sitemap_views import (
    SitemapFile,
    SitemapUrl,
    SiteSummary,
    UrlChange,
    UrlFormat,
    UrlState,
)
from scrapersky.domain.sitemaps import Change, SitemapType
from scrapersky.domain.status import JobStatus
from scrapersky.domain.url_templates import templates
from scrapersky.errors import NotFound
from scrapersky.services import paging

# A statement's lines: few at first, since nobody knows how long they are, then about as many as make LINES_CHARACTERS.
FIRST_LINES, FEWEST_LINES, MOST_LINES = 1_000, 500, 10_000
LINES_CHARACTERS = 2_000_000

COUNTED_URLS = 1_000_000  # of a site, that figures are counted over: half a second of the database's
SAMPLED_URLS = 50_000  # of a site, that templates are told from: half a second of ours, and right to half a percent
SAMPLED_CHARACTERS = 500  # of a URL; a longer one says nothing more, and many of them would not fit into the memory
TEMPLATES = 50

MAX_POSITION, MAX_ROW = 2**31 - 1, 2**63 - 1  # that a cursor may hold: those of the columns

_NUMBER = re.compile(r"[0-9]{1,19}")

T = TypeVar("T")


def files(
    db: Database,
    tenant_id: UUID,
    *,
    domain: str | None = None,
    job_id: UUID | None = None,
    sitemap_type: SitemapType | None = None,
    status: JobStatus | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[SitemapFile], str | None]:
    """A page of files, those of one scan in its order, else the newest first; and the cursor of the next page.

    `domain` is a domain in any spelling.

    Raises:
        Invalid: the cursor is none of this list's.
    """
    filters: dict[str, Any] = {
        "domain": domain and _key(domain),
        "sitemap_type": sitemap_type and sitemap_type.value,
        "status": status and status.value,
        "limit": limit + 1,
    }
    if job_id is not None:
        scope = ["files", str(job_id)]
        (after,) = _after(cursor, scope, 1)
        found = sitemaps.of_a_scan(db, tenant_id, {**filters, "job_id": job_id, "after": after})
        return _page(found, limit, lambda last: [*scope, str(last.position)])
    before, before_id = paging.decode_time(cursor)
    found = sitemaps.newest(db, tenant_id, {**filters, "before": before, "before_id": before_id})
    page = found[:limit]
    return page, paging.encode_time(page[-1].created_at, page[-1].id) if len(found) > limit else None


def progress(db: Database, tenant_id: UUID, job_id: UUID) -> dict[str, int]:
    """How far a scan is, in the words of its status."""
    figures = sitemap_work.figures(db, tenant_id, job_id)
    return {
        "sitemaps_found": figures.found,
        "sitemaps_done": figures.complete,
        "sitemaps_failed": figures.failed,
        "urls_stored": figures.urls,
    }


def file(db: Database, tenant_id: UUID, file_id: UUID) -> SitemapFile:
    """One file of one scan.

    Raises:
        NotFound: this tenant has no such file; another's is none either.
    """
    found = sitemaps.get(db, tenant_id, file_id)
    if found is None:
        raise NotFound(f"There is no sitemap file {file_id}.")
    return found


def urls_of_file(
    db: Database, tenant_id: UUID, file_id: UUID, *, state: UrlState, cursor: str | None = None, limit: int = 50
) -> tuple[list[SitemapUrl], str | None]:
    """A page of the URLs that a file named when its scan read it, as first found; and the cursor of the next page.

    Raises:
        NotFound: this tenant has no such file.
        Invalid: the cursor is none of this list's.
    """
    file(db, tenant_id, file_id)
    scope = ["urls", str(file_id), state.value]
    return _urls(db, tenant_id, {"file_id": file_id}, scope, state=state, cursor=cursor, limit=limit)


def urls_of_scan(
    db: Database, tenant_id: UUID, job_id: UUID, *, cursor: str | None = None, limit: int = 50
) -> tuple[list[SitemapUrl], str | None]:
    """A page of the URLs of a scan, file by file; what two files name stands there twice.

    Raises:
        NotFound: this tenant has no such sitemap scan.
        Invalid: the cursor is none of this list's.
    """
    _require_scan(db, tenant_id, job_id)
    scope = ["urls", str(job_id)]
    return _urls(db, tenant_id, {"job_id": job_id}, scope, state=UrlState.PRESENT, cursor=cursor, limit=limit)


def changes(
    db: Database, tenant_id: UUID, job_id: UUID, *, change: Change, cursor: str | None = None, limit: int = 50
) -> tuple[list[UrlChange], str | None]:
    """A page of what a scan found changed since the read of each file before.

    Raises:
        NotFound: this tenant has no such sitemap scan.
        Invalid: the cursor is none of this list's.
    """
    _require_scan(db, tenant_id, job_id)
    scope = ["changes", str(job_id), change.value]
    position, identity = _after(cursor, scope, 2)
    asked = {"job_id": job_id, "position": position, "id": identity, "limit": limit + 1}
    found = sitemaps.changes(db, tenant_id, asked, change=change)
    return _page(found, limit, lambda last: [*scope, str(last.position), str(last.id)])


def lines_of_file(db: Database, tenant_id: UUID, file_id: UUID, *, file_format: UrlFormat) -> Iterator[str]:
    """The URLs of a file as lines, many of them at a time; each time is a short transaction of its own.

    Raises:
        NotFound: this tenant has no such file.
    """
    file(db, tenant_id, file_id)
    return _lines(db, tenant_id, {"file_id": file_id}, file_format)


def lines_of_scan(db: Database, tenant_id: UUID, job_id: UUID, *, file_format: UrlFormat) -> Iterator[str]:
    """The same of all files of a scan, in their order.

    Raises:
        NotFound: this tenant has no such sitemap scan.
    """
    _require_scan(db, tenant_id, job_id)
    return _lines(db, tenant_id, {"job_id": job_id}, file_format)


def summary(db: Database, tenant_id: UUID, domain: str) -> SiteSummary:
    """A site as its last complete scan and those before know it: what its sitemaps name, how fresh, how built.

    Raises:
        NotFound: this tenant has no complete sitemap scan of it, or it is no domain.
    """
    key = _key(domain)
    site = sitemap_sites.last_complete(db, tenant_id, key)
    if site is None:
        raise NotFound("There is no complete sitemap scan of this domain.")
    ids = site.sitemap_ids
    counted = _below(COUNTED_URLS, site.known_urls)
    figures = sitemap_sites.figures(db, tenant_id, ids, below=counted)
    url_count = figures.urls if counted is None else figures.urls * site.known_urls // COUNTED_URLS
    below = _below(SAMPLED_URLS, url_count)
    sampled = sitemap_sites.sample(db, tenant_id, ids, below=below, characters=SAMPLED_CHARACTERS)
    return SiteSummary(
        domain=key,
        site=site,
        url_count=url_count,
        figures=figures,
        sampled_urls=len(sampled),
        templates=tuple(templates(sampled, limit=TEMPLATES)),
    )


def _urls(
    db: Database,
    tenant_id: UUID,
    of: dict[str, Any],
    scope: list[str],
    *,
    state: UrlState,
    cursor: str | None,
    limit: int,
) -> tuple[list[SitemapUrl], str | None]:
    position, identity = _after(cursor, scope, 2)
    asked = {**of, "position": position, "id": identity, "limit": limit + 1}
    found = sitemaps.urls(db, tenant_id, asked, state=state)
    return _page(found, limit, lambda last: [*scope, str(last.position), str(last.id)])


def _lines(db: Database, tenant_id: UUID, of: dict[str, Any], file_format: UrlFormat) -> Iterator[str]:
    position = identity = 0
    limit = FIRST_LINES
    while True:
        asked = {**of, "position": position, "id": identity, "limit": limit}
        found = sitemap_exports.lines(db, tenant_id, asked, file_format=file_format)
        if found is None:
            return
        yield found.text
        if found.count < limit:
            return
        position, identity = found.position, found.id
        limit = min(max(LINES_CHARACTERS * found.count // len(found.text), FEWEST_LINES), MOST_LINES)


def _below(wanted: int, known: int) -> UUID | None:
    """The hash below which `wanted` of `known` URLs are, more or less; None when all are wanted."""
    return None if known <= wanted else UUID(int=2**128 * wanted // known)


def _after(cursor: str | None, scope: Sequence[str], length: int) -> list[int]:
    """The numbers in a cursor of the list that `scope` names; zeros without a cursor.

    Raises:
        Invalid: it is another list's, or none of ours.
    """
    if cursor is None:
        return [0] * length
    parts = paging.decode(cursor, len(scope) + length)
    numbers = parts[len(scope) :]
    bounds = (MAX_POSITION, MAX_ROW)
    if parts[: len(scope)] != list(scope) or not all(map(_NUMBER.fullmatch, numbers)):
        raise paging.invalid()
    found = [int(number) for number in numbers]
    if any(number > bound for number, bound in zip(found, bounds, strict=False)):
        raise paging.invalid()
    return found


def _page(found: list[T], limit: int, parts: Callable[[T], list[str]]) -> tuple[list[T], str | None]:
    page = found[:limit]
    return page, paging.encode(parts(page[-1])) if len(found) > limit else None


def _require_scan(db: Database, tenant_id: UUID, job_id: UUID) -> None:
    if not sitemaps.is_scan(db, tenant_id, job_id):
        raise NotFound(f"There is no sitemap scan {job_id}.")


def _key(domain: str) -> str:
    """The domain's key; what names none is a key that nothing has."""
    try:
        return domain_key(domain)
    except InvalidDomain:
        return domain
