"""The API's documents of sitemaps as tables for people; as lenient, and as careful, as `render`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from scrapersky.domain.sitemaps import Change, SitemapType, Truncation
from scrapersky.domain.status import JobKind, JobStatus
from scrapersky_cli.client import Document
from scrapersky_cli.render import add_row, list_of, mapping, moment, number, status_text, table
from scrapersky_cli.text import clean

_SIGNS: dict[str, str] = {Change.ADDED: "+", Change.CHANGED: "~", Change.REMOVED: "-"}

# What cut a file or a scan, for people.
_CUT = {
    Truncation.BYTES: "is larger than a file may be",
    Truncation.URLS: "has more URLs than asked for (--max-urls)",
    Truncation.FILES: "names more files than a scan reads",
    Truncation.DEPTH: "has indexes below indexes beyond what is followed",
    Truncation.SECONDS: "took longer than a scan waits",
}

# Rows without URLs are not shown, so that none may lean on the one above it.
_AGES = {
    "future": "in the future",
    "last_7_days": "in the last 7 days",
    "last_30_days": "8 to 30 days ago",
    "last_90_days": "31 to 90 days ago",
    "last_365_days": "91 to 365 days ago",
    "older": "more than 365 days ago",
    "none": "not told",
}


def is_sitemap_scan(document: Document) -> bool:
    """Whether a job's document is of a scan of sitemaps; a status under the scan's own route names no kind."""
    if "kind" in document:
        return bool(document["kind"] == JobKind.SITEMAP_SCAN.value)
    return "sitemaps_found" in mapping(document.get("metadata"))


def progress_line(document: Document) -> str:
    """`4 files found, 2 done, 1 failed, 2406 URLs`; empty as long as nothing was found."""
    figures = mapping(document.get("metadata"))
    found = figures.get("sitemaps_found")
    if not isinstance(found, int):
        return ""
    done, failed, urls = (int(number(figures, name)) for name in ("sitemaps_done", "sitemaps_failed", "urls_stored"))
    return f"{_counted(found, 'file')} found, {done} done, {failed} failed, {_counted(urls, 'URL')}"


def sitemap_scan_view(document: Document, files: Sequence[Document] | None = None) -> Iterator[Text | Table]:
    """One scan: a line that says how it stands, then its files and what was cut, or the error.

    `files` are those of a failed scan, which has no result to list them; None when nobody has asked for them.
    """
    result = mapping(document.get("result"))
    yield Text.assemble(
        (clean(document.get("domain")), "bold"),
        "  ",
        status_text(document),
        f"  {_figures(document)}",
        f"  {clean(document.get('job_id'))}",
    )
    error = mapping(document.get("error"))
    if error:
        yield Text(f"{clean(error.get('code'))}: {clean(error.get('message'))}", style="red")
        if error.get("retryable") is True:
            yield Text(f"It may well go better another time: scrapersky retry {clean(document.get('job_id'))}")
    listed = [*map(mapping, list_of(result.get("sitemaps"))), *(files or ())]
    if listed:
        yield files_table(listed)
    elif error and files is None:
        yield Text(f"Its files, if it found any: scrapersky sitemap-files --job {clean(document.get('job_id'))}")
    if (hidden := int(number(result, "total_sitemaps")) - len(listed)) > 0 and result:
        yield Text(f"{hidden} more: scrapersky sitemap-files --job {clean(document.get('job_id'))} --all")
    if any(_changes(file) for file in listed):  # the totals of a first scan are zeros that say nothing
        yield Text(f"Since the scan before: {_changes(result)}")
    for truncation in map(mapping, list_of(result.get("truncations"))):
        yield Text(_cut_line(truncation), style="yellow")


def files_table(files: Iterable[Mapping[str, Any]]) -> Table:
    """A row for each file: what it is, who named it, what it holds, and what became of it."""
    made = table(None, "File", "Type", "Found by", "URLs", "Lastmod", "Since before", "Status")
    made.columns[0].no_wrap = False  # an address may be longer than the window is wide
    for file in files:
        kind = clean(file.get("sitemap_type"))
        is_index = kind == SitemapType.INDEX.value
        count = _counted(int(number(file, "child_count")), "file") if is_index else file.get("url_count")
        cells = (
            file.get("url"),
            f"{kind}, gzip" if file.get("is_gzip") is True else kind,
            file.get("discovery_method"),
            count,
            "yes" if file.get("has_lastmod") is True else "",
            "unchanged" if file.get("is_unchanged") is True else _changes(file),
            _file_status(file),
        )
        add_row(made, cells)
    return made


def urls_table(items: Sequence[Document]) -> Table:
    made = table(None, "URL", "Lastmod", "Changefreq", "Priority", "Images", "First seen (UTC)")
    made.columns[0].no_wrap = False
    for item in items:
        images = item.get("image_count") or ""
        cells = (item.get("url"), item.get("lastmod"), item.get("changefreq"), item.get("priority"), images)
        add_row(made, (*cells, moment(item.get("first_seen"))))
    return made


def changes_table(items: Sequence[Document]) -> Table:
    made = table(None, "", "URL", "Lastmod", "Before")
    for item in items:
        sign = _SIGNS.get(clean(item.get("change")), "")
        add_row(made, (sign, item.get("url"), item.get("lastmod"), item.get("previous_lastmod")))
    return made


def summary_view(document: Document) -> Iterator[Text | Table]:
    """A site as its sitemaps name it: how much of it there is, how fresh that is, and how its addresses are built."""
    urls, files = (int(number(document, f"total_{name}")) for name in ("urls", "sitemaps"))
    yield Text.assemble(
        (clean(document.get("domain")), "bold"),
        f"  {_counted(urls, 'URL')} in {_counted(files, 'file')}, as of {moment(document.get('scanned_at'))} UTC, "
        f"from job {clean(document.get('job_id'))}",
    )
    if fresh := _lastmod_line(mapping(document.get("lastmod"))):
        yield Text(fresh)
    freshness = table(None, "Last changed", "URLs")
    for name, heading in _AGES.items():
        if count := mapping(document.get("freshness")).get(name):
            add_row(freshness, (heading, count))
    clusters = table(None, "Built as", "URLs", "For instance")
    for cluster in map(mapping, list_of(document.get("clusters"))):
        add_row(clusters, (cluster.get("template"), cluster.get("count"), cluster.get("example")))
    yield from (shown for shown in (freshness, clusters) if shown.row_count)
    if (sampled := int(number(document, "sampled_urls"))) < urls:
        yield Text(f"How they are built is told from {sampled} of them.")


def sitemap_results_table(items: Iterable[Document]) -> Table:
    """A row for each domain of a batch of sitemap scans."""
    made = table(None, "Domain", "Status", "Files", "URLs", "Error")
    for item in items:
        result = mapping(item.get("result"))
        counts = (result.get("total_sitemaps"), result.get("total_urls"))
        add_row(made, (item.get("domain"), status_text(item), *counts, mapping(item.get("error")).get("code")))
    return made


def _figures(document: Document) -> str:
    result = mapping(document.get("result"))
    if not result:
        running = document.get("status") == JobStatus.RUNNING.value
        percent = f"{number(document, 'progress'):.0f} %  " if running else ""
        return percent + progress_line(document)
    files = int(number(result, "total_sitemaps"))
    if not files:
        return "the site has no sitemap"
    return f"{_counted(files, 'file')}, {_counted(int(number(result, 'total_urls')), 'URL')}"


def _lastmod_line(lastmod: Mapping[str, Any]) -> str:
    """`Lastmod of 99.8 %, from 2021-05-03 to 2026-03-01`; empty when no URL has one."""
    if not lastmod.get("count"):
        return ""
    oldest, newest = (moment(lastmod.get(name))[:10] for name in ("oldest", "newest"))
    return f"Lastmod of {100 * number(lastmod, 'share'):.1f} %" + (f", from {oldest} to {newest}" if oldest else "")


def _file_status(file: Mapping[str, Any]) -> Text:
    error = mapping(file.get("error"))
    notes = [clean(error.get("message"))] if error else []
    if file.get("truncated_by"):
        notes.append(f"cut: {clean(file.get('truncated_by'))}")
    elif file.get("is_partial") is True:
        notes.append("broken: what comes before is kept")
    text = status_text(file)
    if error:
        text.append(f" {clean(error.get('code'))}")
    return text.append(f" ({'; '.join(notes)})", style="default") if notes else text


def _changes(counted: Mapping[str, Any]) -> str:
    """`+3 ~1 -2`; empty where there was nothing to compare with. A removal that cannot be told is left out."""
    counts = ((sign, counted.get(f"{change}_count")) for change, sign in _SIGNS.items())
    return " ".join(f"{sign}{count}" for sign, count in counts if isinstance(count, int))


def _cut_line(truncation: Mapping[str, Any]) -> str:
    """`https://shop.example/a.xml has more URLs than asked for (--max-urls): after 10000 of them`."""
    by = clean(truncation.get("by"))
    what = next((text for reason, text in _CUT.items() if reason.value == by), f"was cut by {by}")
    detail = clean(truncation.get("detail"))
    return f"{clean(truncation.get('url')) or 'The site'} {what}" + (f": {detail}" if detail else "")


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
