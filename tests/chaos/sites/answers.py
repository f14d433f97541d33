"""Kinds of sites by how they answer when their sitemap is asked for."""

import gzip
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count

from chaos.sites.fixture import ELSEWHERE, File, Made, Outcome, Request, Site, cut, kind, read, refused, whole
from chaos.sites.limits import FILE_SECONDS, MAX_BYTES, WIRE_BYTES
from scrapersky.domain.status import ErrorCode
from support.loopback import Reset, redirect, response
from support.sitemap_site import entry, urlset, xml

HTTP_ERROR, TIMEOUT = ErrorCode.HTTP_ERROR, ErrorCode.TIMEOUT
OPEN = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n"
CHUNKED = OPEN.replace(b"Connection: close", b"Transfer-Encoding: chunked")
HEAD = urlset([]).replace(b"</urlset>\n", b"")
DRIP_SECONDS = 0.5  # between two entries
MANY = 9 * WIRE_BYTES  # bytes: more than is read of any file


def endless(site: Site) -> Iterator[bytes]:
    """A file without an end."""
    yield HEAD
    for number in count():
        yield entry(site.url(f"/page/{number}")).encode()


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


@kind("a file with more URLs than are asked for")
def huge_urls(site: Site) -> Made:
    return site.named(xml(site.file(n=1500))), cut(File(urls=1000, cut="urls"), max_pages=1000)


@kind("a file of more bytes than are read")
def huge_bytes(site: Site) -> Made:
    def page(_: Request) -> Iterator[bytes]:
        yield OPEN
        sent = 0
        for piece in endless(site):
            yield piece
            sent += len(piece)
            if sent > MANY:
                return

    return site.named(page), _cut_by_bytes(site)


@kind("a fast stream without an end")
def stream_endless(site: Site) -> Made:
    def page(_: Request) -> Iterator[bytes]:
        yield OPEN
        yield from endless(site)

    return site.named(page), _cut_by_bytes(site)


def _cut_by_bytes(site: Site) -> Outcome:
    """The head of the answer counts as sent, and httpx may take a piece less at a time."""
    body = b"".join(piece for piece, _ in zip(endless(site), range(WIRE_BYTES // 100), strict=False))
    return cut(File(urls=whole(body[: WIRE_BYTES - 1000]), most=whole(body[: WIRE_BYTES + 1]), cut="bytes"))


@kind("a small gzip file that inflates to more than is read")
def bomb_gzip(site: Site) -> Made:
    body = urlset(site.urls()) + b" " * (4 * MAX_BYTES)
    return site.named(xml(gzip.compress(body))), cut(File(urls=site.n, cut="bytes", gzip=True))


@kind("a file of which an entry comes now and then, for ever")
def drip_endless(site: Site) -> Made:
    def page(_: Request) -> Iterator[bytes]:
        yield OPEN
        for piece in endless(site):
            yield piece
            time.sleep(DRIP_SECONDS)

    return site.named(page), cut(File(urls=1, most=int(2 * FILE_SECONDS / DRIP_SECONDS), cut="seconds"))


@kind("a file that comes slowly, and ends")
def drip_to_the_end(site: Site) -> Made:
    def page(_: Request) -> Iterator[bytes]:
        yield OPEN + HEAD
        for url in site.urls():
            yield entry(url).encode()
            time.sleep(3.0 / site.n)
        yield b"</urlset>"

    return site.named(page), read(File(urls=site.n))


@kind("a file in chunks of a byte each")
def chunks_tiny(site: Site) -> Made:
    def page(_: Request) -> Iterator[bytes]:
        yield CHUNKED + b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in site.file()) + b"0\r\n\r\n"

    return site.named(page), read(File(urls=site.n))


@kind("a file whose beginning comes byte by byte, and goes on so")
def drip_bytes(site: Site) -> Made:
    def page(_: Request) -> Iterator[bytes]:
        yield OPEN
        for byte in b"<urlset>" + b" " * 1000:
            yield bytes([byte])
            time.sleep(DRIP_SECONDS)

    return site.named(page), cut(File(cut="seconds"))


@kind("a file that begins after two seconds")
def slow_start(site: Site) -> Made:
    def page(_: Request) -> Iterator[bytes]:
        time.sleep(2.0)
        yield xml(site.file())

    return site.named(page), read(File(urls=site.n))


@kind("a file that never begins")
def slow_for_ever(site: Site) -> Made:
    def page(_: Request) -> Iterator[bytes]:
        time.sleep(3 * FILE_SECONDS)
        yield b""

    return site.named(page), refused(TIMEOUT)


@kind("a connection that is reset in the middle of a file")
def reset_in_file(site: Site) -> Made:
    sent = site.file()[: len(site.file()) // 2]

    def page(_: Request) -> Iterator[bytes]:
        yield response(sent, content_type="application/xml", length=len(site.file()))
        time.sleep(1.0)  # what was sent is read before the reset
        raise Reset

    return site.named(page), read(File(urls=whole(sent), partial=True))


def stops_after(*pieces: bytes, reset: bool) -> Callable[[Request], Iterator[bytes]]:
    """What of a file is sent, before its connection is silent, or reset."""

    def page(_: Request) -> Iterator[bytes]:
        yield from (OPEN, *pieces)
        time.sleep(1.0 if reset else 3 * FILE_SECONDS)
        if reset:
            raise Reset

    return page


@kind("a connection that is reset within the first word of a file")
def reset_in_word(site: Site) -> Made:
    return site.named(stops_after(b"<?xm", reset=True)), refused(HTTP_ERROR)


@kind("a file that stops within its first word")
def slow_word(site: Site) -> Made:
    return site.named(stops_after(b"<?xm", reset=False)), refused(TIMEOUT)


@kind("a gzip file that stops within its head")
def slow_gzip(site: Site) -> Made:
    return site.named(stops_after(gzip.compress(b"")[:6], reset=False)), refused(TIMEOUT)


@kind("a file that is broken, and then cut by its size")
def cut_and_broken(site: Site) -> Made:
    bad = HEAD + entry(site.url("/boats & oars")).encode()
    body = gzip.compress(bad + site.file().replace(HEAD, b"").replace(b"</urlset>\n", b"") + b" " * (4 * MAX_BYTES))
    return site.named(xml(body)), cut(File(urls=site.n, cut="bytes", partial=True, gzip=True))


@kind("a connection that is reset before a file")
def reset_before(site: Site) -> Made:
    def page(_: Request) -> Iterator[bytes]:
        raise Reset
        yield b""

    return site.named(page), refused(HTTP_ERROR)


@kind("a file that is shorter than its Content-Length")
def length_too_long(site: Site) -> Made:
    def page(_: Request) -> Iterator[bytes]:
        body = site.file()
        yield response(body, content_type="application/xml", length=len(body) + 999)

    return site.named(page), read(File(urls=site.n, partial=True))


@kind("a file that is longer than its Content-Length")
def length_too_short(site: Site) -> Made:
    body = site.file()
    length = len(body) // 2

    def page(_: Request) -> Iterator[bytes]:
        yield response(body, content_type="application/xml", length=length)

    return site.named(page), read(File(urls=whole(body[:length]), partial=True))


@kind("a chunked file that breaks off between two chunks")
def chunks_cut(site: Site) -> Made:
    body = site.file()

    def page(_: Request) -> Iterator[bytes]:
        yield CHUNKED + f"{len(body):x}\r\n".encode() + body + b"\r\n"

    return site.named(page), read(File(urls=site.n, partial=True))


@kind("an answer that is no HTTP")
def no_http(site: Site) -> Made:
    def page(_: Request) -> Iterator[bytes]:
        yield b"220 harbour.example ESMTP\r\n"

    return site.named(page), refused(HTTP_ERROR)


@kind("a file that is another at every request, named at two addresses")
def changes(site: Site) -> Made:
    def page(request: Request) -> Iterator[bytes]:
        yield xml(site.file(f"{request.path.strip('/')}-{request.seen}"))

    return {"/robots.txt": site.robots("/a.xml", "/b.xml"), "/a.xml": page, "/b.xml": page}, read(
        File(urls=site.n), File(urls=site.n)
    )


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
