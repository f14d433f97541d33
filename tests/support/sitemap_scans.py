"""Sitemap scans in the test's own process: started the ordinary way, worked off against a site on loopback."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from conftest import TestDatabase
from integration.conftest import ScanQueue
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller, Job
from scrapersky.queues import Sender
from scrapersky.scraping.fetch import Fetcher
from scrapersky.services import jobs, sitemap_scan, sitemap_work
from scrapersky.services.sitemap_work import Tally
from support.fetching import AGENT, policy
from support.loopback import CLOSED_PORT, Listener
from support.sitemap_site import HOST, Page, Table

LEASE = timedelta(seconds=30)
SECONDS = 120.0


def fetcher(port: int) -> Fetcher:
    """Every name is the site on that port, which speaks no TLS."""
    rules = (f"*.example:80=127.0.0.1:{port}", f"*.example:443=127.0.0.1:{CLOSED_PORT}")
    return Fetcher(policy=policy("127.0.0.0/8", rules=rules), user_agent=AGENT)


def start(db: Database, queue: ScanQueue, caller: Caller, *, domain: str = HOST, max_pages: int = 1_000_000) -> UUID:
    return sitemap_scan.start(db, queue.sender, caller, base_url=domain, max_pages=max_pages, idempotency=None).job_id


def work(
    db: Database,
    port: int,
    *job_ids: UUID,
    seconds: float = SECONDS,
    in_batch: bool = False,
    concurrency: int = 4,
    lease: timedelta = LEASE,
    sender: Sender | None = None,
) -> Tally:
    """One invocation with `seconds` of time."""
    return sitemap_work.work_off(
        db,
        job_ids,
        fetcher(port),
        sender,
        lease=lease,
        concurrency=concurrency,
        deadline=time.monotonic() + seconds,
        in_batch=in_batch,
    )


def stored_urls(postgres: TestDatabase) -> list[str]:
    """Every URL that is stored, as often as it is, whoever's file names it."""
    return [str(url) for (url,) in postgres.rows("select url from scrapersky.sitemap_urls order by url")]


def lines(postgres: TestDatabase, *columns: str) -> list[tuple[Any, ...]]:
    """These columns of all files in all scans, in their order."""
    chosen = ", ".join(columns)
    return postgres.rows(f"select {chosen} from scrapersky.sitemap_files order by created_at, position")


@dataclass(frozen=True)
class Scan:
    """Starts a scan and works it off in one invocation."""

    db: Database
    queue: ScanQueue
    caller: Caller

    def __call__(self, pages: dict[str, Page], **options: Any) -> Job:
        with Listener(Table(pages), keep_alive=True) as listener:
            return self.at(listener.port, **options)

    def at(self, port: int, **options: Any) -> Job:
        job_id = start(self.db, self.queue, self.caller, **options)
        work(self.db, port, job_id)
        return jobs.get(self.db, self.caller.tenant_id, job_id)
