"""The SQL of a site's sitemaps as a whole: its last complete scan, figures over its URLs, a sample of them."""

from collections.abc import Sequence
from uuid import UUID

from scrapersky.db.connection import Cursor, Database
from scrapersky.domain.sitemap_views import KnownSite, SiteFigures
from scrapersky.domain.sitemaps import SitemapType
from scrapersky.domain.status import JobStatus

# A file's URLs are counted by each read; one that was cut saw less than there is. A few of the last tell enough.
_SITE = """
with job as (
  select id, finished_at from scrapersky.jobs
  where tenant_id = %(tenant_id)s and domain = %(domain)s and kind = 'sitemap_scan' and status = 'complete'
  order by created_at desc, id desc
  limit 1
), files as (
  select f.sitemap_id, f.status, f.sitemap_type, coalesce(seen.most, 0) as most
  from job
  join scrapersky.sitemap_files as f on f.tenant_id = %(tenant_id)s and f.job_id = job.id and not f.is_duplicate
  left join lateral (
    select max(last.url_count) as most
    from (
      select url_count from scrapersky.sitemap_files as r
      where r.tenant_id = f.tenant_id and r.sitemap_id = f.sitemap_id
      order by r.created_at desc
      limit 5
    ) as last
  ) as seen on true
)
select job.id, job.finished_at,
       (select coalesce(array_agg(distinct sitemap_id), '{}') from files) as sitemap_ids,
       (select coalesce(jsonb_object_agg(status, count), '{}')
        from (select status, count(*) from files group by status) as by_status) as statuses,
       (select coalesce(jsonb_object_agg(sitemap_type, count), '{}')
        from (select sitemap_type, count(*) from files where sitemap_type is not null group by sitemap_type) as by_type)
         as types,
       (select coalesce(sum(most), 0)::bigint from files) as known
from job
"""

# The hash of a URL is as good as chance: those below a bound are a fair sample of all.
_PRESENT = """
from scrapersky.sitemap_urls as u
where u.tenant_id = %(tenant_id)s and u.sitemap_id = any (%(sitemap_ids)s) and u.removed_at is null
  and (%(below)s::uuid is null or u.url_hash < %(below)s::uuid)
"""
_FIGURES = (
    """
select count(*) as urls, count(lastmod) as lastmod, count(lastmod_at) as readable,
       min(lastmod_at) as oldest, max(lastmod_at) as newest,
       count(*) filter (where lastmod_at > now()) as future,
       count(*) filter (where lastmod_at > now() - interval '7 days') as week,
       count(*) filter (where lastmod_at > now() - interval '30 days') as month,
       count(*) filter (where lastmod_at > now() - interval '90 days') as quarter,
       count(*) filter (where lastmod_at > now() - interval '365 days') as year,
       coalesce(sum(image_count), 0)::bigint as images, coalesce(sum(video_count), 0)::bigint as videos,
       coalesce(sum(news_count), 0)::bigint as news, coalesce(sum(alternate_count), 0)::bigint as alternates
"""
    + _PRESENT
)
_WORDS = (
    """
select changefreq, tenths, count(*) as count, grouping(changefreq) = 1 as is_priority
from (select changefreq, round(priority::float8 * 10)::integer as tenths
"""
    + _PRESENT
    + """
) as words
group by grouping sets ((changefreq), (tenths))
"""
)
_SAMPLE = (
    """
select string_agg(url, E'\\n') as urls, count(*) as count
"""
    + _PRESENT
    + """
  and length(u.url) <= %(characters)s
"""
)


def last_complete(db: Database, tenant_id: UUID, domain: str) -> KnownSite | None:
    """The site by its last complete scan; None when there is none."""
    rows = db.query(_SITE, {"tenant_id": tenant_id, "domain": domain}, tenant_id=tenant_id)
    if not rows:
        return None
    (row,) = rows
    return KnownSite(
        job_id=row["id"],
        finished_at=row["finished_at"],
        sitemap_ids=tuple(row["sitemap_ids"]),
        statuses={JobStatus(status): count for status, count in row["statuses"].items()},
        types={SitemapType(name): count for name, count in row["types"].items()},
        known_urls=row["known"],
    )


def figures(db: Database, tenant_id: UUID, sitemap_ids: Sequence[int], *, below: UUID | None) -> SiteFigures:
    """Figures over the URLs that the files name, all of them or those whose hash is `below`."""
    parameters = {"tenant_id": tenant_id, "sitemap_ids": list(sitemap_ids), "below": below}

    def work(cursor: Cursor) -> tuple[Cursor, Cursor]:
        words = cursor.connection.cursor()
        return cursor.execute(_FIGURES, parameters), words.execute(_WORDS, parameters)

    counted, words = db.run(work, tenant_id=tenant_id)
    (row,) = counted.fetchall()
    by_word = words.fetchall()
    return SiteFigures(
        urls=row["urls"],
        lastmod=row["lastmod"],
        readable_lastmod=row["readable"],
        oldest_lastmod=row["oldest"],
        newest_lastmod=row["newest"],
        freshness={
            "future": row["future"],
            "last_7_days": row["week"] - row["future"],
            "last_30_days": row["month"] - row["week"],
            "last_90_days": row["quarter"] - row["month"],
            "last_365_days": row["year"] - row["quarter"],
            "older": row["readable"] - row["year"],
            "none": row["urls"] - row["readable"],
        },
        changefreq={word["changefreq"] or "none": word["count"] for word in by_word if not word["is_priority"]},
        priority={
            None if word["tenths"] is None else word["tenths"] / 10: word["count"]
            for word in by_word
            if word["is_priority"]
        },
        images=row["images"],
        videos=row["videos"],
        news=row["news"],
        alternates=row["alternates"],
    )


def sample(
    db: Database, tenant_id: UUID, sitemap_ids: Sequence[int], *, below: UUID | None, characters: int
) -> list[str]:
    """The URLs that the files name, all of them or those whose hash is `below`, none longer than `characters`."""
    (row,) = db.query(
        _SAMPLE,
        {"tenant_id": tenant_id, "sitemap_ids": list(sitemap_ids), "below": below, "characters": characters},
        tenant_id=tenant_id,
    )
    return row["urls"].split("\n") if row["count"] else []
