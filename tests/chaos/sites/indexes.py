"""Kinds of sites by what their index leads to."""

from chaos.sites.fixture import (
    ELSEWHERE,
    HTML,
    NOT_FOUND,
    File,
    Made,
    Outcome,
    Pages,
    Site,
    cut,
    kind,
    packed,
    read,
    text,
)
from chaos.sites.limits import MAX_FILES
from scrapersky.domain.status import ErrorCode
from support.loopback import redirect, response
from support.sitemap_site import index, xml

INDEX = File("index")
CHILD = "sitemap_index"


def child(urls: int = 0, type: str | None = "urlset", **more: object) -> File:
    return File(type, urls, how=CHILD, **more)  # type: ignore[arg-type]


def chain(site: Site, depth: int) -> Pages:
    """An index below an index, so many of them, and a urlset below the last."""
    pages = {f"/map-{level}.xml": site.index(f"/map-{level + 1}.xml") for level in range(depth)}
    return {"/robots.txt": site.robots("/map-0.xml"), **pages, f"/map-{depth}.xml": xml(site.file())}


def nested(site: Site, depth: int) -> Made:
    return chain(site, depth), read(INDEX, *[child(type="index")] * (depth - 1), child(site.n))


@kind("an index of three files, one of them gzip")
def index_flat(site: Site) -> Made:
    pages = site.named(site.index("/a.xml", "/b.xml", "/c.xml.gz"))
    files = {f"/{name}.xml": xml(site.file(name)) for name in "ab"} | {"/c.xml.gz": xml(packed(site.file("c")))}
    return {**pages, **files}, read(INDEX, child(site.n), child(site.n), child(site.n, gzip=True))


@kind("an index that is gzip itself")
def index_gzip(site: Site) -> Made:
    named = xml(packed(index([site.url("/a.xml")])))
    return {**site.named(named, "/map.xml.gz"), "/a.xml": xml(site.file())}, read(
        File("index", gzip=True), child(site.n)
    )


@kind("an index with relative addresses")
def index_relative(site: Site) -> Made:
    pages = site.named(xml(index(["a.xml", "/maps/b.xml"])), "/maps/map.xml")
    return {**pages, "/maps/a.xml": xml(site.file("a")), "/maps/b.xml": xml(site.file("b"))}, read(
        INDEX, child(site.n), child(site.n)
    )


@kind("an index below an index")
def index_nested_2(site: Site) -> Made:
    return nested(site, 2)


@kind("an index three deep")
def index_nested_3(site: Site) -> Made:
    return nested(site, 3)


@kind("an index five deep")
def index_nested_5(site: Site) -> Made:
    return nested(site, 5)


@kind("an index deeper than is followed")
def index_too_deep(site: Site) -> Made:
    last = child(type="index", cut="depth")
    return chain(site, 7), cut(INDEX, *[child(type="index")] * 4, last)


@kind("an index that names itself")
def index_of_itself(site: Site) -> Made:
    return {**site.named(site.index("/map.xml", "/a.xml")), "/a.xml": xml(site.file())}, read(INDEX, child(site.n))


@kind("three indexes in a circle")
def index_circle(site: Site) -> Made:
    around = {"/map.xml": "/map-1.xml", "/map-1.xml": "/map-2.xml", "/map-2.xml": "/map.xml"}
    pages = {path: site.index(to, "/a.xml") for path, to in around.items()}
    return {"/robots.txt": site.robots("/map.xml"), "/a.xml": xml(site.file()), **pages}, read(
        INDEX, *[child(type="index")] * 2, child(site.n)
    )


@kind("an index that names one file a hundred times")
def index_of_the_same(site: Site) -> Made:
    return {**site.named(site.index(*["/a.xml"] * 100)), "/a.xml": xml(site.file())}, read(INDEX, child(site.n))


@kind("an index that names nothing")
def index_empty(site: Site) -> Made:
    return site.named(site.index()), read(INDEX)


@kind("an index with files of another site")
def index_off_site(site: Site) -> Made:
    named = index([site.url("/a.xml"), f"http://{ELSEWHERE}/map.xml"])
    return {**site.named(xml(named)), "/a.xml": xml(site.file())}, read(
        INDEX, child(site.n), child(type=None, error=ErrorCode.OFF_SITE)
    )


@kind("an index some of whose files are not there")
def index_of_404(site: Site) -> Made:
    lost = child(type=None, error=ErrorCode.HTTP_ERROR)
    return {**site.named(site.index("/a.xml", "/b.xml", "/c.xml")), "/b.xml": xml(site.file())}, read(
        INDEX, lost, child(site.n), lost
    )


@kind("an index whose files are all broken, each in its own way")
def index_of_broken(site: Site) -> Made:
    pages = {
        "/html.xml": text(HTML, "text/html"),
        "/error.xml": response(b"broken", status="500 Internal Server Error"),
        "/gone.xml": NOT_FOUND,
        "/type.xml": xml(b"<!DOCTYPE x [<!ENTITY a 'b'>]><urlset/>"),
    }
    wrong = [ErrorCode.INVALID_SITEMAP, ErrorCode.HTTP_ERROR, ErrorCode.HTTP_ERROR, ErrorCode.FORBIDDEN_XML]
    return {**site.named(site.index(*pages)), **pages}, read(INDEX, *[child(type=None, error=code) for code in wrong])


@kind("an index whose files lead to each other and to itself")
def index_of_redirects(site: Site) -> Made:
    pages = {
        "/a.xml": redirect(site.url("/b.xml"), "301 Moved Permanently"),
        "/b.xml": xml(site.file()),
        "/c.xml": redirect(site.url("/map.xml"), "301 Moved Permanently"),
    }
    return {**site.named(site.index(*pages)), **pages}, read(INDEX, child(site.n), duplicates=2)


@kind("an index with more files than a scan reads")
def index_of_many(site: Site) -> Made:
    paths = [f"/part-{number}.xml" for number in range(MAX_FILES + 20)]
    pages = {path: xml(site.file(path.strip("/"), 1)) for path in paths}
    return {**site.named(site.index(*paths)), **pages}, Outcome(
        (File("index", cut="files"), *[child(1)] * (MAX_FILES - 1)), truncated=True
    )


@kind("an index with more URLs than are asked for")
def index_of_too_much(site: Site) -> Made:
    pages = {f"/{name}.xml": xml(site.file(name)) for name in "abcdef"}
    # One lane, so that it is the first file that fills the scan.
    named = {"/robots.txt": site.robots("/map.xml", rules="Crawl-delay: 1"), "/map.xml": site.index(*pages)}
    return {**named, **pages}, cut(
        INDEX, child(site.n), *[child(type=None, status="cancelled", cut="urls")] * 5, max_pages=site.n
    )
