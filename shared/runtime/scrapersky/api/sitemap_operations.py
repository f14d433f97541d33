"""What the OpenAPI document says of the operations on sitemap scans and their files."""

from scrapersky.api import batch_schemas, examples, schemas, sitemap_examples, sitemap_lines, sitemap_schemas
from scrapersky.api.operations import (
    OF_A_BODY,
    OF_A_LIST,
    OF_A_TOKEN,
    OF_ACCEPTED,
    OF_AN_ITEM,
    OF_STATUS,
    json_of,
    operation,
)
from scrapersky.api.sitemap_site_schemas import SitemapSummary

_SCANS, _FILES = "Sitemap scan", "Sitemap files"

_KEPT = (
    "A file's URL is kept once, with what the last scan that named it says of it. So the list of an earlier scan shows "
    "later values, and holds as well what both a scan before and one after it named and it did not: gone for a while, "
    "or beyond where it was cut. The counts in its status stay as they were."
)

START = operation(
    "start_sitemap_scan",
    "Start a sitemap scan",
    tag=_SCANS,
    status=202,
    content=json_of(schemas.Accepted, sitemap_examples.SCAN_ACCEPTED),
    headers=OF_ACCEPTED,
    problems=(*OF_A_TOKEN, *OF_A_BODY),
)

STATUS = operation(
    "get_sitemap_scan",
    "How a sitemap scan stands",
    tag=_SCANS,
    description="A site without a sitemap is `complete` with zero; one that has some, none readable, `failed`.",
    content=json_of(sitemap_schemas.SitemapScanStatus, sitemap_examples.SCAN_STATUS),
    headers=OF_STATUS,
    problems=OF_AN_ITEM,
    conditional=True,
)

START_BATCH = operation(
    "start_sitemap_batch",
    "Start a batch of sitemap scans",
    tag=_SCANS,
    description=(
        "Duplicates are one job. What is no domain is a failed job, and told in `rejected`. The batch is listed, "
        "cancelled, retried and exported as every other, at `/api/v3/batch_page_scraper/batch`."
    ),
    status=202,
    content=json_of(sitemap_schemas.SitemapBatchAccepted, sitemap_examples.BATCH_ACCEPTED),
    headers=OF_ACCEPTED,
    problems=(*OF_A_TOKEN, *OF_A_BODY, 409),
)

BATCH_STATUS = operation(
    "get_sitemap_batch",
    "How a batch of sitemap scans stands",
    tag=_SCANS,
    content=json_of(batch_schemas.BatchStatus, sitemap_examples.BATCH_STATUS),
    headers=OF_STATUS,
    problems=OF_AN_ITEM,
    conditional=True,
)

SCAN_URLS = operation(
    "list_sitemap_scan_urls",
    "The URLs of a sitemap scan",
    tag=_SCANS,
    description=(
        f"File by file, as first found. What two files name stands there twice, each time with its file.\n\n{_KEPT}"
    ),
    content=json_of(sitemap_schemas.SitemapUrlPage, sitemap_examples.URLS),
    problems=OF_AN_ITEM,
)

EXPORT_SCAN = operation(
    "export_sitemap_scan_urls",
    "The URLs of a sitemap scan as a file",
    tag=_SCANS,
    description=f"In the order of the list.\n\n{sitemap_lines.DESCRIPTION}",
    content={**sitemap_examples.EXPORT, **json_of(schemas.FileElsewhere, examples.FILE_ELSEWHERE)},
    problems=OF_AN_ITEM,
    elsewhere=True,
)

CHANGES = operation(
    "list_sitemap_scan_changes",
    "What a sitemap scan found changed",
    tag=_SCANS,
    description=(
        "Against the read of each file before. A URL stands in the list of the last scan that saw it change, and in no "
        "earlier one. Files that come or go as a whole are in no list: neither the URLs of one that was never read "
        "before, whose counts are null, nor those of one that the site names no more. `sitemap-files` of both scans "
        "tells of them."
    ),
    content=json_of(sitemap_schemas.SitemapChangePage, sitemap_examples.CHANGES),
    problems=OF_AN_ITEM,
)

SUMMARY = operation(
    "get_sitemap_summary",
    "A site as its sitemaps know it",
    tag=_SCANS,
    description="How many URLs there are, how fresh they are, and how they are built.",
    content=json_of(SitemapSummary, sitemap_examples.SUMMARY),
    problems=OF_AN_ITEM,
)

FILES = operation(
    "list_sitemap_files",
    "Sitemap files",
    tag=_FILES,
    description="One for each scan that read it. With `job_id` in the order of the scan, else the newest first.",
    content=json_of(sitemap_schemas.SitemapFilePage, sitemap_examples.FILES),
    problems=OF_A_LIST,
)

FILE = operation(
    "get_sitemap_file",
    "One sitemap file in one scan",
    tag=_FILES,
    content=json_of(sitemap_schemas.SitemapFile, sitemap_examples.FILE),
    problems=OF_AN_ITEM,
)

FILE_URLS = operation(
    "list_sitemap_file_urls",
    "The URLs of a sitemap file",
    tag=_FILES,
    description=f"As first found.\n\n{_KEPT}",
    content=json_of(sitemap_schemas.SitemapUrlPage, sitemap_examples.URLS),
    problems=OF_AN_ITEM,
)

EXPORT_FILE = operation(
    "export_sitemap_file_urls",
    "The URLs of a sitemap file as a file",
    tag=_FILES,
    description=f"Those that it named when the scan read it.\n\n{sitemap_lines.DESCRIPTION}",
    content={**sitemap_examples.EXPORT, **json_of(schemas.FileElsewhere, examples.FILE_ELSEWHERE)},
    problems=OF_AN_ITEM,
    elsewhere=True,
)
