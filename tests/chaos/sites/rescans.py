"""Kinds of sites whose sitemap is another, or says that it is not, when it is asked for again."""

from collections.abc import Iterable

from chaos.sites.fixture import (
    HTML,
    NOT_FOUND,
    File,
    Made,
    Outcome,
    Page,
    Request,
    Site,
    kind,
    packed,
    read,
    refused,
    text,
    whole,
)
from scrapersky.domain.status import ErrorCode
from support.loopback import response
from support.sitemap_site import urlset, xml

NOT_MODIFIED = response(status="304 Not Modified")
HOW = "sitemap_index"


def turning(first: bytes, then: bytes) -> Page:
    """One answer at the first scan, another from then on."""
    return lambda request: [then if request.seen else first]


def asking(body: bytes, header: str, validator: str, condition: str) -> Page:
    """An answer with a validator (RFC 9110 8.8), and 304 to whoever has it."""

    def page(request: Request) -> Iterable[bytes]:
        has_it = request.headers.get(condition) == validator
        yield NOT_MODIFIED if has_it else xml(body, f"{header}: {validator}")

    return page


def turned(site: Site, then: bytes, outcome: Outcome) -> Made:
    """A usual sitemap at first, and then another answer, of which `outcome` must come."""
    return site.named(turning(xml(site.file()), then)), Outcome((File(urls=site.n),), then=outcome)


@kind("a file that is not modified, by its ETag")
def again_etag(site: Site) -> Made:
    return site.named(asking(site.file(), "ETag", '"v1"', "if-none-match")), read(File(urls=site.n))


@kind("a file that is not modified, by its date")
def again_last_modified(site: Site) -> Made:
    date = "Tue, 03 Mar 2026 05:06:07 GMT"
    return site.named(asking(site.file(), "Last-Modified", date, "if-modified-since")), read(File(urls=site.n))


@kind("a gzip file that is not modified")
def again_etag_gzip(site: Site) -> Made:
    page = asking(packed(site.file()), "ETag", '"v1"', "if-none-match")
    return site.named(page), read(File(urls=site.n, gzip=True))


@kind("an index that is not modified, above a file that is")
def again_etag_index(site: Site) -> Made:
    named = site.index("/a.xml").partition(b"\r\n\r\n")[2]
    child = turning(xml(site.file()), xml(site.file(n=site.n + 3)))
    pages = {**site.named(asking(named, "ETag", '"v1"', "if-none-match")), "/a.xml": child}
    later = File(urls=site.n + 3, how=HOW, changes=(3, 0, 0))
    return pages, Outcome((File("index"), File(urls=site.n, how=HOW)), then=read(File("index").again, later))


@kind("a broken file with an ETag, which is asked for anew")
def again_etag_partial(site: Site) -> Made:
    body = site.file()[:-40]
    return site.named(asking(body, "ETag", '"v1"', "if-none-match")), read(File(urls=whole(body), partial=True))


@kind("a 304 that nobody asked for")
def again_unasked(site: Site) -> Made:
    return site.named(NOT_MODIFIED), refused(ErrorCode.HTTP_ERROR)


@kind("a file that is gone at the second scan (404)")
def again_404(site: Site) -> Made:
    return turned(site, NOT_FOUND, refused(ErrorCode.HTTP_ERROR))


@kind("a file that is an HTML page at the second scan")
def again_html(site: Site) -> Made:
    return turned(site, text(HTML, "text/html"), refused(ErrorCode.INVALID_SITEMAP))


@kind("a file that names nothing any more")
def again_empty(site: Site) -> Made:
    return turned(site, xml(urlset([])), read(File(changes=(0, site.n, 0))))


@kind("a file that names half of what it did")
def again_half(site: Site) -> Made:
    kept = site.n // 2
    return turned(site, xml(site.file(n=kept)), read(File(urls=kept, changes=(0, site.n - kept, 0))))


@kind("a file that names more than it did")
def again_more(site: Site) -> Made:
    return turned(site, xml(site.file(n=site.n + 5)), read(File(urls=site.n + 5, changes=(5, 0, 0))))


@kind("a file whose pages have other dates")
def again_dates(site: Site) -> Made:
    later = xml(urlset(site.urls(), lastmod="2026-05-06"))
    return turned(site, later, read(File(urls=site.n, changes=(0, 0, site.n))))


@kind("a file that is packed at the second scan")
def again_packed(site: Site) -> Made:
    return turned(site, xml(packed(site.file())), read(File(urls=site.n, gzip=True, changes=(0, 0, 0))))


@kind("a file that breaks off at the second scan: nothing of it is gone")
def again_partial(site: Site) -> Made:
    body = site.file()[: len(site.file()) // 2]
    return turned(site, xml(body), read(File(urls=whole(body), partial=True, changes=(0, None, 0))))


@kind("a site that names another file at the second scan")
def again_elsewhere(site: Site) -> Made:
    named = turning(site.robots("/a.xml"), site.robots("/b.xml"))
    pages = {"/robots.txt": named, "/a.xml": xml(site.file()), "/b.xml": xml(site.file())}
    return pages, Outcome((File(urls=site.n),), then=read(File(urls=site.n)))


@kind("a site whose robots.txt is broken at the second scan")
def again_robots_500(site: Site) -> Made:
    broken = response(b"broken", status="500 Internal Server Error")
    pages = {**site.named(xml(site.file())), "/robots.txt": turning(site.robots("/map.xml"), broken)}
    return pages, Outcome((File(urls=site.n),), then=Outcome(error=ErrorCode.HTTP_ERROR))
