"""The answer about a site as its sitemaps know it. No two models of the API share a name."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from scrapersky.api.result_schemas import Time
from scrapersky.api.schemas import Answer
from scrapersky.domain.sitemap_views import SiteSummary

Count = Annotated[int, Field(ge=0)]


class LastmodFigures(Answer):
    """How many of the counted URLs say when they were changed, and when that was."""

    count: Count = Field(description="URLs with a lastmod.")
    readable: Count = Field(description="Those of them whose lastmod is a time.")
    share: float = Field(ge=0, le=1, description="`count` of all counted URLs; 0 when there is none.")
    oldest: Time | None
    newest: Time | None


class Freshness(Answer):
    """The counted URLs by the age of their lastmod: each in one of these."""

    future: Count = Field(description="It is yet to come.")
    last_7_days: Count
    last_30_days: Count = Field(description="But not of the last 7.")
    last_90_days: Count = Field(description="But not of the last 30.")
    last_365_days: Count = Field(description="But not of the last 90.")
    older: Count
    none: Count = Field(description="Without a lastmod that is a time.")


class PriorityCount(Answer):
    """URLs of one priority."""

    priority: float | None = Field(description="To the tenth; null when none is given.")
    count: Count


class UrlCluster(Answer):
    """URLs that are built alike."""

    template: str = Field(description="Such as `/blog/{slug}`, `/products/{id}`, `/{lang}/about`; without the host.")
    count: Count = Field(description="Of the sampled URLs.")
    example: str = Field(description="One of them.")


class SitemapSummary(Answer):
    """A site by the files of its last complete scan: all that they are known to name, whichever scan read it.

    A URL that two files name counts twice.
    """

    domain: str
    job_id: UUID = Field(description="The last complete scan.")
    scanned_at: Time = Field(description="When that ended.")
    total_sitemaps: Count
    sitemaps_by_status: dict[str, int] = Field(description="Files by `complete`, `failed` and `cancelled`.")
    sitemaps_by_type: dict[str, int] = Field(
        description="Files by `sitemap_type`; those of no known type are left out."
    )
    total_urls: Count = Field(description="Exact when it is the same as `counted_urls`; else reckoned from them.")
    counted_urls: Count = Field(description="That the figures are of: all of a million and less, else as many of them.")
    lastmod: LastmodFigures
    freshness: Freshness
    changefreq: dict[str, int] = Field(description="Counted URLs by word; `none` is without one.")
    priority: list[PriorityCount] = Field(description="Counted URLs by priority, the highest first.")
    image_count: Count
    video_count: Count
    news_count: Count
    alternate_count: Count = Field(description="Pages in other languages (hreflang).")
    sampled_urls: Count = Field(
        description="That the clusters are told from: all of 50,000 and less but those longer than 500 characters, else"
        " as many, picked by a hash."
    )
    clusters: list[UrlCluster] = Field(description="The fifty with the most URLs.")

    @classmethod
    def of(cls, summary: SiteSummary) -> Self:
        site, figures = summary.site, summary.figures
        priorities = sorted(
            figures.priority.items(), key=lambda item: -1.0 if item[0] is None else item[0], reverse=True
        )
        return cls(
            domain=summary.domain,
            job_id=site.job_id,
            scanned_at=site.finished_at,
            total_sitemaps=sum(site.statuses.values()),
            sitemaps_by_status={status.value: count for status, count in site.statuses.items()},
            sitemaps_by_type={name.value: count for name, count in site.types.items()},
            total_urls=summary.url_count,
            counted_urls=figures.urls,
            lastmod=LastmodFigures(
                count=figures.lastmod,
                readable=figures.readable_lastmod,
                share=round(figures.lastmod / figures.urls, 4) if figures.urls else 0.0,
                oldest=figures.oldest_lastmod,
                newest=figures.newest_lastmod,
            ),
            freshness=Freshness.model_validate(dict(figures.freshness)),
            changefreq=dict(figures.changefreq),
            priority=[PriorityCount(priority=priority, count=count) for priority, count in priorities],
            image_count=figures.images,
            video_count=figures.videos,
            news_count=figures.news,
            alternate_count=figures.alternates,
            sampled_urls=summary.sampled_urls,
            clusters=[UrlCluster.model_validate(one) for one in summary.templates],
        )
