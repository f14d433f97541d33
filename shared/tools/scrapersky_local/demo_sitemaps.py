"""The demonstration's sitemap scans: each alone, then all as a batch, held to the manifest and to what is exported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rich.table import Table
from rich.text import Text

from scrapersky.domain.limits import DEFAULT_SITEMAP_URLS
from scrapersky_cli.client import ApiClient, Document
from scrapersky_cli.listing import items_of
from scrapersky_cli.render import add_row, status_text, table
from scrapersky_cli.results import UrlFormat, lines
from scrapersky_local.demo_batches import BatchOutcome, end_of, expected
from scrapersky_local.demo_web.sites import Site, differences

PATIENCE_SECONDS = 45.0  # a scan that is not over by then never will be: the slowest takes three


@dataclass(frozen=True, slots=True)
class SitemapOutcome:
    """What the scan of one site's sitemaps came to, and in what it differs from the site's description.

    The document is the job's, with its `files` by path and the number of URLs that were `exported`.
    """

    site: Site
    document: Document
    differences: Sequence[str]


def run_sitemaps(client: ApiClient, sites: Sequence[Site]) -> tuple[list[SitemapOutcome], BatchOutcome]:
    """Scan the sitemaps of the sites that are described to have some, or to have none; then again, as a batch."""
    described = [site for site in sites if site.sitemaps]
    started = [client.start_sitemap_scan(site.host, max_urls=DEFAULT_SITEMAP_URLS) for site in described]
    documents = [_last(client, accepted.status_url) for accepted in started]
    outcomes = [
        SitemapOutcome(site, document, differences(_with_export(site.sitemaps), document))
        for site, document in zip(described, documents, strict=True)
    ]
    hosts = [site.host for site in described]
    accepted = client.start_sitemap_batch(hosts, max_urls=DEFAULT_SITEMAP_URLS, max_concurrent=len(hosts))
    manifest = expected({site.host: site.sitemaps for site in described}, [])
    return outcomes, BatchOutcome("a request for sitemaps", *end_of(client, accepted.work_id, manifest))


def sitemaps_view(outcomes: Sequence[SitemapOutcome]) -> Table:
    """A row for each file; for a site that has none, one with the reason."""
    made = table("Sitemaps", "Site", "What it has", "File", "Type", "Found by", "URLs", "Status")
    for one in outcomes:
        named = (one.site.host, one.site.sitemaps["shows"])
        for path, file in one.document["files"].items():
            kind = f"{file.get('sitemap_type') or ''}{', gzip' if file.get('is_gzip') else ''}"
            add_row(made, (*named, path, kind, file.get("discovery_method"), file.get("url_count"), _status(file)))
            named = ("", "")
        if not one.document["files"]:
            add_row(made, (*named, "", "", "", "", _status(one.document)))
    return made


def _last(client: ApiClient, status_url: str) -> Document:
    """The job at its end, or when patience ended, with its files and how many URLs of them are exported."""
    job = list(client.follow(status_url, patience=PATIENCE_SECONDS))[-1]
    job_id = str(job["job_id"])
    listed = items_of(client.sitemap_files(job_id=job_id))
    exported = lines(client.export_sitemap_urls(client.scan_path(job_id), file_format=UrlFormat.TXT))
    return {**job, "files": {urlsplit(file["url"]).path: file for file in listed}, "exported": sum(1 for _ in exported)}


def _with_export(described: Mapping[str, Any]) -> dict[str, Any]:
    """What is expected of the job, and that each URL which its result counts is exported."""
    asked = {name: value for name, value in described.items() if name != "shows"}
    return {**asked, "exported": described.get("result", {}).get("total_urls", 0)}


def _status(document: Document) -> Text:
    text = status_text(document)
    if document.get("error"):
        text.append(f" {document['error']['code']}")
    return text.append(" (broken)") if document.get("is_partial") else text
