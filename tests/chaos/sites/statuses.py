"""Kinds of sites by the status with which they answer when their sitemap is asked for."""

from collections.abc import Callable, Iterable

from chaos.sites.fixture import ELSEWHERE, File, Made, Request, Site, kind, read, refused
from scrapersky.domain.status import ErrorCode
from support.loopback import redirect, response
from support.sitemap_site import xml

HTTP_ERROR = ErrorCode.HTTP_ERROR


def status(line: str, *headers: str) -> bytes:
    return response(b"not now", status=line, content_type="text/plain", headers=headers)


def first(before: bytes, then: bytes) -> Callable[[Request], Iterable[bytes]]:
    """One answer to the first request, and another from then on."""
    return lambda request: [then if request.seen else before]


@kind("a sitemap for which one must log in (401)")
def status_401(site: Site) -> Made:
    return site.named(status("401 Unauthorized", "WWW-Authenticate: Basic")), refused(HTTP_ERROR)


@kind("a sitemap that is denied (403)")
def status_403(site: Site) -> Made:
    return site.named(status("403 Forbidden")), refused(HTTP_ERROR)


@kind("a sitemap that is not there (404)")
def status_404(site: Site) -> Made:
    return site.named(status("404 Not Found")), refused(HTTP_ERROR)


@kind("a sitemap that is put off by a second (429)")
def status_429_brief(site: Site) -> Made:
    page = first(status("429 Too Many Requests", "Retry-After: 1"), xml(site.file()))
    return site.named(page), read(File(urls=site.n))


@kind("a sitemap that is put off by a year (429)")
def status_429_long(site: Site) -> Made:
    return site.named(status("429 Too Many Requests", "Retry-After: 31536000")), refused(HTTP_ERROR)


@kind("a sitemap whose server is broken (500)")
def status_500(site: Site) -> Made:
    return site.named(status("500 Internal Server Error")), refused(HTTP_ERROR)


@kind("a sitemap whose server is put off by a second, and then works (503)")
def status_503_brief(site: Site) -> Made:
    page = first(status("503 Service Unavailable", "Retry-After: 1"), xml(site.file()))
    return site.named(page), read(File(urls=site.n))


@kind("a sitemap whose server is away (503)")
def status_503(site: Site) -> Made:
    return site.named(status("503 Service Unavailable")), refused(HTTP_ERROR)


@kind("a file that was moved twice")
def redirect_twice(site: Site) -> Made:
    pages = {"/b.xml": redirect("/c.xml", "301 Moved Permanently"), "/c.xml": xml(site.file())}
    return {**site.named(redirect(site.url("/b.xml"))), **pages}, read(File(urls=site.n))


@kind("a file that redirects to itself")
def redirect_loop(site: Site) -> Made:
    return site.named(redirect(site.url("/map.xml"))), refused(ErrorCode.TOO_MANY_REDIRECTS)


@kind("a file that redirects on and on")
def redirect_endless(site: Site) -> Made:
    pages = {f"/map-{n}.xml": redirect(f"/map-{n + 1}.xml") for n in range(20)}
    return {**site.named(redirect("/map-0.xml")), **pages}, refused(ErrorCode.TOO_MANY_REDIRECTS)


@kind("a file that redirects into a private network")
def redirect_private(site: Site) -> Made:
    return site.named(redirect("http://10.0.0.1/map.xml")), refused(ErrorCode.BLOCKED_ADDRESS)


@kind("a file that redirects to where machines keep their secrets")
def redirect_metadata(site: Site) -> Made:
    return site.named(redirect("http://169.254.169.254/latest/meta-data/")), refused(ErrorCode.BLOCKED_ADDRESS)


@kind("a file that was moved to another host")
def redirect_elsewhere(site: Site) -> Made:
    return site.named(redirect(f"http://{ELSEWHERE}/map.xml")), read(File(urls=1))
