"""Kinds of sites by how they answer when their sitemap is asked for."""

import time
from collections.abc import Callable, Iterator
from itertools import count

from chaos.sites.fixture import File, Made, Outcome, Request, Site, cut, kind, packed, read, refused, whole
from chaos.sites.limits import FILE_SECONDS, MAX_BYTES, WIRE_BYTES
from scrapersky.domain.status import ErrorCode
from support.loopback import Reset, response
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
    return site.named(xml(packed(body))), cut(File(urls=site.n, cut="bytes", gzip=True))


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
        yield CHUNKED + b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in site.file(n=4)) + b"0\r\n\r\n"

    return site.named(page), read(File(urls=4))


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
    return site.named(stops_after(packed(b"")[:6], reset=False)), refused(TIMEOUT)


@kind("a file that is broken, and then cut by its size")
def cut_and_broken(site: Site) -> Made:
    bad = HEAD + entry(site.url("/boats & oars")).encode()
    body = packed(bad + site.file().replace(HEAD, b"").replace(b"</urlset>\n", b"") + b" " * (4 * MAX_BYTES))
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

    then = File(urls=site.n, changes=(site.n, site.n, 0))
    return {"/robots.txt": site.robots("/a.xml", "/b.xml"), "/a.xml": page, "/b.xml": page}, Outcome(
        (File(urls=site.n),) * 2, then=read(then, then)
    )
