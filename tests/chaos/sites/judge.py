"""What came of a scan, beside what must have."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg

from chaos.sites.fixture import File, Outcome
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.services import jobs

_JOB = """
select j.status, j.error_code, j.error_message, (j.result ->> 'total_urls')::bigint,
       (j.result ->> 'truncated')::boolean, (j.result ->> 'total_sitemaps')::bigint
from scrapersky.jobs as j where j.id = %s
"""
_FILES = """
select f.status, f.sitemap_type, f.url_count, f.error_code, f.truncated_by, f.is_partial, f.is_gzip, f.skipped_count,
       f.discovery_method, f.is_unchanged, f.added_count, f.removed_count, f.changed_count, f.is_duplicate, f.url,
       (select count(*) from scrapersky.sitemap_urls as u
        where u.tenant_id = f.tenant_id and u.sitemap_id = f.sitemap_id and u.last_seen >= f.read_at) as rows
from scrapersky.sitemap_files as f where f.job_id = %s order by f.position
"""
_EXTRAS = """
select coalesce(sum(image_count), 0), coalesce(sum(video_count), 0), coalesce(sum(news_count), 0),
       coalesce(sum(alternate_count), 0)
from scrapersky.sitemap_files where job_id = %s
"""


def judge(
    stored: psycopg.Connection, db: Database, caller: Caller, job_id: UUID, expected: Outcome
) -> tuple[list[str], str]:
    """(what is not as it must be, what came of the scan)."""
    job = stored.execute(_JOB, [job_id]).fetchone()
    lines = stored.execute(_FILES, [job_id]).fetchall()
    extras = stored.execute(_EXTRAS, [job_id]).fetchone()
    assert job is not None
    status, code, message, total, truncated, listed = job
    faults = []

    def hold(what: str, got: object, wanted: object) -> None:
        if got != wanted:
            faults.append(f"{what}: {got}, and not {wanted}")

    hold("job", (status, code), ("failed" if expected.error else "complete", expected.error))
    got = [line for line in lines if not line[13]]
    hold("duplicates", len(lines) - len(got), expected.duplicates)
    faults += compared([file_of(line) for line in got], list(expected.files))
    for line in lines:
        hold(f"rows of {line[14]}", line[15], line[2])
    if not expected.error:
        hold("files told", listed, len(got))
        hold("URLs told", total, sum(line[2] for line in got))
        hold("truncated", truncated, expected.truncated)
    if expected.extras is not None:
        hold("extras", tuple(int(number) for number in extras or ()), expected.extras)
    seen = jobs.get(db, caller.tenant_id, job_id)
    hold("the job as its owner sees it", (seen.status.value, seen.error and seen.error.code), (status, code))
    return faults, told(status, code, message, [file_of(line) for line in got])


def file_of(line: Sequence[Any]) -> File:
    """A line of the database, as an expectation is written."""
    status, sitemap_type, urls, error, by, partial, is_gzip, skipped, how, unchanged, *changes = line[:13]
    compared = None if changes == [None] * 3 else tuple(changes)
    return File(sitemap_type, urls, error, by, partial, is_gzip, skipped, how, status, None, compared, unchanged)


def compared(got: list[File], wanted: list[File]) -> list[str]:
    """Each file beside one that is wanted: what is left over on either side."""
    left = list(got)
    missing = []
    for file in sorted(wanted, key=lambda file: file.most is not None):
        match = next((one for one in left if is_as(one, file)), None)
        if match is None:
            missing.append(file)
        else:
            left.remove(match)
    return [f"file that must not be: {short(file)}" for file in left] + [
        f"file that must be: {short(file)}" for file in missing
    ]


def is_as(got: File, wanted: File) -> bool:
    """Whether a file is what it must be. How a drip changed from scan to scan, nobody knows."""
    if wanted.most is not None:
        exact = replace(wanted, urls=got.urls, most=None, changes=got.changes)
        return wanted.urls <= got.urls <= wanted.most and got == replace(exact, status=wanted.ends)
    return got == replace(wanted, status=wanted.ends)


def short(file: File) -> str:
    """A file in a few words."""
    urls = f"{file.urls}" if file.most is None else f"{file.urls}-{file.most}"
    words = [file.ends, file.error or "", file.type or "", f"{urls} URLs", file.how]
    words += [f"cut by {file.cut}" if file.cut else "", "partial" if file.partial else "", "gzip" if file.gzip else ""]
    words += [f"{file.skipped} skipped" if file.skipped else "", "unchanged" if file.unchanged else ""]
    words += ["added {}, removed {}, changed {}".format(*file.changes) if file.changes else ""]
    return " ".join(word for word in words if word)


def told(status: str, code: str | None, message: str | None, files: list[File]) -> str:
    """What came of a scan, in a line."""
    counted = Counter(
        f"{file.type or 'file'} {file.error or file.ends}"
        + (" partial" if file.partial else "")
        + (f" cut by {file.cut}" if file.cut else "")
        for file in files
    )
    what = ", ".join(f"{number} {name}" for name, number in counted.items()) or "no sitemap"
    reason = f" ({message})" if message else ""
    return f"{status} {code or ''}{reason}: {what}, {sum(file.urls for file in files)} URLs".replace(" :", ":")
