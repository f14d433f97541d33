"""What is stored, and what each read tells of it, beside a model that keeps the same in dictionaries.

Reads of one file in random order: whole, of a part, failed, cancelled, resumed after a lost worker, capped.
"""

from dataclasses import dataclass, field
from random import Random

import pytest

from conftest import TestDatabase
from scrapersky.db import jobs, leases, sitemap_store
from scrapersky.db.connection import Database
from scrapersky.db.sitemap_lines import Entry, Line, Read, Site
from scrapersky.domain.jobs import Caller
from support.lost_answers import LosesAnswers
from support.sitemap_lines import (
    address,
    fail,
    finish,
    line_of,
    pages,
    partial,
    scan_of,
    store,
    truncated,
    whole,
)

READS = 8
PAGES = 40
LASTMODS = ("2024-01-01", "2024-06-01", None)


@dataclass(slots=True)
class Known:
    """One URL; times are numbers of reads."""

    lastmod: str | None
    first: int
    last: int
    added: int | None = None
    changed: int | None = None
    removed: int | None = None


@dataclass(slots=True)
class Model:
    """A file over all its reads."""

    urls: dict[str, Known] = field(default_factory=dict)
    was_read: bool = False

    def see(self, read: int, entries: list[Entry], room: int) -> int:
        """Store entries as far as there is room for them; return how many went in."""
        stored = 0
        for url, lastmod, *_ in entries:
            known = self.urls.get(url)
            if known is not None and known.last == read:
                continue
            if stored == room:
                break
            stored += 1
            if known is None:
                self.urls[url] = Known(lastmod, read, read)
            elif known.removed is not None:
                self.urls[url] = Known(lastmod, known.first, read, added=read, changed=known.changed)
            else:
                if known.lastmod != lastmod:
                    known.changed = read
                known.lastmod, known.last = lastmod, read
        return stored

    def end(self, read: int, *, is_whole: bool) -> tuple[int | None, ...]:
        """(URLs, added, changed, unchanged, removed) of a read that has ended."""
        if is_whole:
            for known in self.urls.values():
                if known.last < read and known.removed is None:
                    known.removed = read
        present = [known for known in self.urls.values() if known.last == read]
        added = sum(read in (known.first, known.added) for known in present)
        changed = sum(known.changed == read for known in present)
        removed = sum(known.removed == read for known in self.urls.values())
        before, self.was_read = self.was_read, True
        if not before:
            return len(present), None, None, None, None
        return len(present), added, changed, len(present) - added - changed, removed if is_whole else None

    def rows(self) -> dict[str, tuple[object, ...]]:
        return {
            url: (known.lastmod, known.first, known.last, known.added, known.changed, known.removed)
            for url, known in self.urls.items()
        }


class Scans:
    """The same reads, as lanes store them."""

    def __init__(self, db: Database, postgres: TestDatabase, caller: Caller, random: Random) -> None:
        self.db, self.postgres, self.caller, self.random = db, postgres, caller, random
        self.reads: dict[object, int] = {}

    def store(self, line: Line, entries: list[Entry]) -> None:
        """In chunks of any size, some of them twice."""
        rest = entries
        while rest:
            size = self.random.randint(1, 20)
            chunk, rest = rest[:size], rest[size:]
            for _ in range(self.random.choice((1, 1, 2))):
                assert store(self.db, line, chunk).held

    def lose(self, site: Site) -> Line:
        """Lose the worker; the next one gets the same file, and its read."""
        self.postgres.rows("update scrapersky.sitemap_files set lease_until = now() where lease_until is not null")
        return line_of(self.db, site)

    def rows(self) -> dict[object, tuple[object, ...]]:
        found = self.postgres.rows(
            "select url, lastmod, first_seen, last_seen, added_at, changed_at, removed_at from scrapersky.sitemap_urls"
        )
        return {
            url: (lastmod, *(None if time is None else self.reads[time] for time in times))
            for url, lastmod, *times in found
        }


def step(scans: Scans, model: Model, read: int) -> None:
    """One scan of the file, whatever becomes of it."""
    random = scans.random
    max_pages = random.choice((5, 25, 1000))
    site = scan_of(scans.db, scans.caller, max_pages=max_pages)
    line = line_of(scans.db, site)
    scans.reads[line.read_at] = read
    named = [random.randrange(PAGES) for _ in range(random.randint(0, 60))]
    entries = [entry for n in named for entry in pages(n, lastmod=random.choice(LASTMODS))]
    room = max_pages
    if random.random() < 0.3:
        half = entries[: len(entries) // 2]
        scans.store(line, half)
        room -= model.see(read, half, room)
        again = scans.lose(site)
        assert (again.read_at, again.url_count) == (line.read_at, max_pages - room)
        line = again
    scans.store(line, entries)
    model.see(read, entries, room)
    end = random.choice(("whole", "whole", "whole", "partial", "truncated", "failed", "cancelled"))
    if end == "failed":
        fail(scans.db, line)
    elif end == "cancelled":
        jobs.cancel(scans.db, site.tenant_id, site.job_id)
        leases.release(scans.db, [site.job_id], token=line.run_token)
    else:
        result: Read = {"whole": whole, "partial": partial, "truncated": truncated}[end]()
        assert finish(scans.db, line, result).ended is not None
        told = scans.postgres.one(
            "select url_count, added_count, changed_count, unchanged_count, removed_count"
            " from scrapersky.sitemap_files where id = %s",
            line.id,
        )
        assert told == model.end(read, is_whole=result.is_whole), (read, end)
    assert scans.rows() == model.rows(), (read, end)


@pytest.mark.parametrize("seed", range(6))
def test_reads_in_any_order_leave_what_the_model_says(
    postgres: TestDatabase, caller: Caller, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(sitemap_store, "COPY_FROM", 10)  # both ways of storing
    way = LosesAnswers if seed % 2 else Database
    with way(postgres.app_dsn) as db:
        scans, model = Scans(db, postgres, caller, Random(seed)), Model()
        for read in range(READS):
            step(scans, model, read)
    assert any(known.added for known in model.urls.values())


def test_control_a_model_that_forgets_that_a_url_was_gone_is_told(postgres: TestDatabase, caller: Caller) -> None:
    with Database(postgres.app_dsn) as db:
        scans, model = Scans(db, postgres, caller, Random(1)), Model()
        for read, numbers in enumerate([(1, 2), (1,), (1, 2)]):
            line = line_of(db, scan_of(db, caller))
            scans.reads[line.read_at] = read
            scans.store(line, pages(*numbers))
            model.see(read, pages(*numbers), 1000)
            finish(db, line)
            model.end(read, is_whole=True)
        assert scans.rows() == model.rows()
        model.urls[address("page/2").replace(".xml", "")].added = None
        assert scans.rows() != model.rows()
