"""Kinds of sites by where they say, or do not say, that they have a sitemap; and sites that are not to be reached."""

import time
from collections.abc import Iterator

from chaos.sites.fixture import (
    ELSEWHERE,
    HTML,
    File,
    Made,
    Outcome,
    Pages,
    Request,
    Site,
    kind,
    packed,
    read,
    refused,
    text,
)
from chaos.sites.limits import ROBOTS_SECONDS
from scrapersky.domain.status import ErrorCode
from support.loopback import redirect, response
from support.sitemap_site import robots, xml

NONE = Outcome()
DENIED, BROKEN = response(b"denied", status="403 Forbidden"), response(b"broken", status="500 Internal Server Error")
WALL = response(
    b"<!doctype html><title>Just a moment...</title>", status="403 Forbidden", headers=["cf-mitigated: challenge"]
)
BY_PATH = "common_path"


def failed(error: ErrorCode) -> Outcome:
    """A scan of a site that could not be asked."""
    return Outcome(error=error)


def home(more: str, in_head: str = "") -> bytes:
    page = HTML.decode().replace("</body>", f"{more}</body>").replace("</head>", f"{in_head}</head>")
    return text(page.encode(), "text/html; charset=utf-8")


def silent(_: Request) -> Iterator[bytes]:
    time.sleep(3 * ROBOTS_SECONDS)
    yield b""


def at(site: Site, path: str, page: bytes | None = None) -> Pages:
    """A site with a sitemap that nothing names."""
    return {path: page or xml(site.file())}


@kind("neither robots.txt nor sitemap")
def nothing(site: Site) -> Made:
    return {}, NONE


@kind("a robots.txt that names no sitemap, and none")
def robots_names_none(site: Site) -> Made:
    return {"/robots.txt": site.robots(rules="Disallow: /cart")}, NONE


@kind("robots.txt is denied (403), which denies nothing")
def robots_403(site: Site) -> Made:
    return {**at(site, "/sitemap.xml"), "/robots.txt": DENIED}, read(File(urls=site.n, how=BY_PATH))


@kind("robots.txt is broken (500): nothing may be asked for")
def robots_500(site: Site) -> Made:
    return {**at(site, "/sitemap.xml"), "/robots.txt": BROKEN}, failed(ErrorCode.HTTP_ERROR)


@kind("robots.txt does not come")
def robots_silent(site: Site) -> Made:
    return {**at(site, "/sitemap.xml"), "/robots.txt": silent}, failed(ErrorCode.TIMEOUT)


@kind("an HTML page of success at every path")
def soft_404(site: Site) -> Made:
    return {"*": text(HTML, "text/html")}, NONE


@kind("an HTML page at every path that is called XML")
def soft_404_as_xml(site: Site) -> Made:
    return {"*": xml(HTML), "/": text(HTML, "text/html")}, NONE


@kind("a redirect to the home page at every path")
def soft_404_by_redirect(site: Site) -> Made:
    return {"*": redirect("/"), "/": text(HTML, "text/html")}, NONE


@kind("robots.txt names three")
def robots_three(site: Site) -> Made:
    pages = {f"/{name}.xml": xml(site.file(name)) for name in "abc"}
    return {"/robots.txt": site.robots(*pages), **pages}, read(*[File(urls=site.n)] * 3)


@kind("robots.txt names thirty")
def robots_thirty(site: Site) -> Made:
    pages = {f"/{number}.xml": xml(site.file(str(number), 2)) for number in range(30)}
    return {"/robots.txt": site.robots(*pages), **pages}, read(*[File(urls=2)] * 30)


@kind("robots.txt names a relative address")
def robots_relative(site: Site) -> Made:
    return {**at(site, "/maps/a.xml"), "/robots.txt": robots("/maps/a.xml")}, read(File(urls=site.n))


@kind("a robots.txt with byte order mark, CRLF and capitals as they come")
def robots_odd(site: Site) -> Made:
    body = (
        f"\ufeffsItEmAp : {site.url('/a.xml')}\r\nUSER-AGENT: *\r\nDISALLOW:\r\nSITEMAP:{site.url('/b.xml')} # two\r\n"
    )
    pages = {"/a.xml": xml(site.file("a")), "/b.xml": xml(site.file("b")), "/robots.txt": text(body.encode())}
    return pages, read(*[File(urls=site.n)] * 2)


@kind("robots.txt names one five times, in several spellings")
def robots_repeats(site: Site) -> Made:
    urls = [site.url("/a.xml")] * 3 + [site.url("/a.xml").replace("http", "https"), f"http://www.{site.host}/a.xml"]
    return {**at(site, "/a.xml"), "/robots.txt": robots(*urls)}, read(File(urls=site.n))


@kind("robots.txt names two, one of which leads to the other")
def robots_redirects(site: Site) -> Made:
    pages = {"/a.xml": redirect("/b.xml"), "/b.xml": xml(site.file())}
    return {**pages, "/robots.txt": site.robots(*pages)}, read(File(urls=site.n), duplicates=1)


@kind("robots.txt names two that lead to each other")
def robots_circle(site: Site) -> Made:
    pages = {"/a.xml": redirect("/b.xml"), "/b.xml": redirect("/a.xml")}
    error = ErrorCode.TOO_MANY_REDIRECTS
    return {**pages, "/robots.txt": site.robots(*pages)}, Outcome((File(None, error=error),) * 2, error)


@kind("robots.txt names one at another host, which speaks for it")
def robots_elsewhere(site: Site) -> Made:
    return {"/robots.txt": robots(f"http://{ELSEWHERE}/map.xml")}, read(File(urls=1))


@kind("robots.txt forbids the sitemap that it names")
def robots_forbids_file(site: Site) -> Made:
    pages = at(site, "/maps/a.xml")
    return {**pages, "/robots.txt": site.robots("/maps/a.xml", rules="Disallow: /maps/")}, refused(
        ErrorCode.ROBOTS_DENIED
    )


@kind("robots.txt forbids everything")
def robots_forbids_all(site: Site) -> Made:
    return {**at(site, "/sitemap.xml"), "/robots.txt": site.robots(rules="Disallow: /")}, failed(
        ErrorCode.ROBOTS_DENIED
    )


@kind("robots.txt asks for a second between two pages")
def robots_crawl_delay(site: Site) -> Made:
    pages = {f"/{name}.xml": xml(site.file(name)) for name in "ab"}
    named = {"/robots.txt": site.robots("/map.xml", rules="Crawl-delay: 1"), "/map.xml": site.index(*pages)}
    return {**pages, **named}, read(File("index"), *[File(urls=site.n, how="sitemap_index")] * 2)


@kind("the home page's head names it")
def link_tag(site: Site) -> Made:
    tag = '<link rel="sitemap" type="application/xml" href="/maps/a.xml">'
    return {**at(site, "/maps/a.xml"), "/": home("", tag)}, read(File(urls=site.n, how="link_tag"))


@kind("the home page's head names one of another site")
def link_tag_elsewhere(site: Site) -> Made:
    return {"/": home("", f'<link rel="sitemap" href="http://{ELSEWHERE}/map.xml">')}, NONE


@kind("the home page's footer links to it")
def page_link(site: Site) -> Made:
    footer = '<footer><a href="/about">About</a> <a href="/maps/a.xml">Sitemap</a></footer>'
    return {**at(site, "/maps/a.xml"), "/": home(footer)}, read(File(urls=site.n, how="page_link"))


@kind("the home page's footer links to a sitemap for people")
def page_link_for_people(site: Site) -> Made:
    pages = {"/": home('<footer><a href="/sitemap">Sitemap</a></footer>'), "/sitemap": text(HTML, "text/html")}
    return pages, NONE


@kind("WordPress has it where WordPress has it")
def path_of_wordpress(site: Site) -> Made:
    page = home("", '<meta name="generator" content="WordPress 6.5">')
    return {**at(site, "/wp-sitemap.xml"), "/": page}, read(File(urls=site.n, how=BY_PATH))


@kind("Joomla's extension has it in the query of an address")
def path_of_joomla(site: Site) -> Made:
    page = home("", '<meta name="generator" content="Joomla! - Open Source Content Management">')
    path = "/index.php?option=com_osmap&view=xml&id=1"
    return {**at(site, path), "/": page}, read(File(urls=site.n, how=BY_PATH))


@kind("a gzip file where nobody named it")
def path_of_gzip(site: Site) -> Made:
    page = text(packed(site.file()), "application/gzip")
    return at(site, "/sitemap.xml.gz", page), read(File(urls=site.n, gzip=True, how=BY_PATH))


@kind("a list of addresses where nobody named it")
def path_of_text(site: Site) -> Made:
    pages = at(site, "/sitemap.txt", text("\n".join(site.urls()).encode()))
    return pages, read(File("text", site.n, how=BY_PATH))


@kind("the last of the usual places")
def path_last(site: Site) -> Made:
    return at(site, "/news-sitemap.xml"), read(File(urls=site.n, how=BY_PATH))


@kind("robots.txt names one, and there is another in the usual place")
def path_beside_named(site: Site) -> Made:
    pages = {**site.named(xml(site.file("a"))), "/sitemap.xml": xml(site.file("b"))}
    return pages, read(File(urls=site.n), File(urls=site.n, how=BY_PATH))


@kind("a home page that is a wall, and a sitemap that robots.txt names")
def wall_before_named(site: Site) -> Made:
    return {**site.named(xml(site.file())), "/": WALL}, read(File(urls=site.n))


@kind("a wall before everything")
def wall_everywhere(site: Site) -> Made:
    return {"*": WALL, "/": WALL}, failed(ErrorCode.BLOCKED)


@kind("a broken home page, and a sitemap in the usual place")
def home_500(site: Site) -> Made:
    return {**at(site, "/sitemap.xml"), "/": BROKEN}, read(File(urls=site.n, how=BY_PATH))


@kind("everything but robots.txt is broken (500)")
def everything_500(site: Site) -> Made:
    return {"/robots.txt": site.robots(), "*": BROKEN, "/": BROKEN}, failed(ErrorCode.HTTP_ERROR)


@kind("everything but robots.txt is put off by a year (429)")
def everything_429(site: Site) -> Made:
    page = response(b"later", status="429 Too Many Requests", headers=["Retry-After: 31536000"])
    return {"/robots.txt": site.robots(), "*": page, "/": page}, failed(ErrorCode.HTTP_ERROR)


@kind("everything but robots.txt wants a login (401)")
def everything_401(site: Site) -> Made:
    page = response(b"who?", status="401 Unauthorized", headers=["WWW-Authenticate: Basic"])
    return {"/robots.txt": site.robots(), "*": page, "/": page}, failed(ErrorCode.LOGIN_REQUIRED)


@kind("everything but robots.txt does not come")
def everything_silent(site: Site) -> Made:
    return {"/robots.txt": site.robots(), "*": silent, "/": silent}, failed(ErrorCode.TIMEOUT)


@kind("a site that moved under www.")
def home_moved(site: Site) -> Made:
    def page(request: Request) -> Iterator[bytes]:
        is_there = request.host.startswith("www.")
        yield text(HTML, "text/html") if is_there else redirect(f"http://www.{site.host}/", "301 Moved Permanently")

    return {**site.named(xml(site.file())), "/": page}, read(File(urls=site.n))


@kind("a name that leads nowhere", zone="nowhere.example")
def host_unknown(site: Site) -> Made:
    return {}, failed(ErrorCode.DNS_FAILURE)


@kind("a host that refuses every connection", zone="refused.example")
def host_refuses(site: Site) -> Made:
    return {}, failed(ErrorCode.CONNECT_FAILURE)


@kind("a host whose TLS is broken, without a port for plain HTTP", zone="bad-tls.example")
def host_bad_tls(site: Site) -> Made:
    return {}, failed(ErrorCode.TLS_FAILURE)


@kind("a host whose TLS is broken, with a port for plain HTTP", zone="half-tls.example")
def host_half_tls(site: Site) -> Made:
    return site.named(xml(site.file())), read(File(urls=site.n))


@kind("an address of the inner network", zone="inner.example")
def host_private(site: Site) -> Made:
    return {}, failed(ErrorCode.BLOCKED_ADDRESS)
