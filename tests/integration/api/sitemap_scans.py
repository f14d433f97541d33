"""Sitemap scans carried out without a network, and what the routes list of them."""

from collections.abc import Callable
from typing import Any

from integration.api.conftest import SITEMAP_FILES, Client
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from support import sitemap_lines
from support.sitemap_lines import DOMAIN, address

Scan = Callable[..., str]


def scanner(db: Database, caller: Caller) -> Scan:
    """Carries a scan out: each file by name with the entries it has, or with those and what came of its read."""

    def carry_out(domain: str = DOMAIN, **files: Any) -> str:
        site = sitemap_lines.scan_of(db, caller, *files, domain=domain)
        for name in files:
            line = sitemap_lines.line_of(db, site)
            assert line.url == address(name)
            entries, read = files[name] if isinstance(files[name], tuple) else (files[name], None)
            sitemap_lines.store(db, line, entries)
            sitemap_lines.finish(db, line, read)
        return str(site.job_id)

    return carry_out


def items(client: Client, target: str, limit: int = 500) -> list[Any]:
    """All items of a list, page by page."""
    found: list[Any] = []
    mark = "&" if "?" in target else "?"
    cursor = ""
    while True:
        page = client.get(f"{target}{mark}limit={limit}{cursor}").json
        found += page["items"]
        assert len(page["items"]) <= limit
        if page["next_cursor"] is None:
            return found
        assert len(page["items"]) == limit
        cursor = f"&cursor={page['next_cursor']}"


def pages_of(urls: list[Any]) -> list[int]:
    return [int(item["url"].rsplit("/", 1)[1]) for item in urls]


def files_of(client: Client, job_id: str) -> dict[str, str]:
    """File id by its name."""
    listed = items(client, f"{SITEMAP_FILES}?job_id={job_id}")
    return {item["url"].rsplit("/", 1)[1].removesuffix(".xml"): item["id"] for item in listed}
