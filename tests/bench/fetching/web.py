"""The fixture web: any number of sites on loopback, each with a robots.txt and one or more pages of some 165 kB.

A site's home page links to its further pages, and these to each other. Each site has a loopback address of its own;
all share one port, and the first one also answers for any host name. Pages are made and compressed before the first
request. Prints the port when it listens, and ends with its input.
"""

import asyncio
import gzip
import random
import sys

from bench.fetching.measure import FURTHER_PAGES, SHOPS, address, page_count, site_count
from bench.fetching.pages import WORDS, make_page

SIZES = [30_000, 60_000, 90_000, 130_000, 160_000, 220_000, 300_000, 330_000]
"""Bytes; the mean is 165 kB. Of the same 102 real home pages, the median had 155 kB and the mean 252 kB."""

ROBOTS = b"User-agent: *\nDisallow: /admin/\nDisallow: /*?session=\nSitemap: /sitemap.xml\n"


def answer(body: bytes, content_type: str, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("ascii") + body


NOT_FOUND = answer(b"", "text/plain", status="404 Not Found")


def shop_pages(shop: int) -> dict[bytes, bytes]:
    """The answer for each path of a site. Every crawler here takes gzip."""
    paths = ["/", *(f"{FURTHER_PAGES}{WORDS[number]}/" for number in range(1, page_count(shop)))]
    answers = {}
    for number, path in enumerate(paths):
        page = make_page(
            f"shop{shop}",
            SIZES[(shop + 3 * number) % len(SIZES)],
            random.Random(1000 * number + shop),
            path=path,
            menu=paths[1:],
            desk=f"desk{number}",
        )
        answers[path.encode()] = answer(gzip.compress(page, 6), "text/html; charset=utf-8", "Content-Encoding: gzip")
    return answers


PAGES = [shop_pages(shop) | {b"/robots.txt": answer(ROBOTS, "text/plain")} for shop in range(min(SHOPS, site_count()))]
"""A site's pages are chosen by its host, so that all crawlers read the same ones."""


class Site(asyncio.Protocol):
    """A kept connection to one site."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._head = b""

    def data_received(self, data: bytes) -> None:
        self._head += data
        while b"\r\n\r\n" in self._head:
            head, _, self._head = self._head.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            self._transport.write(PAGES[_site(head) % len(PAGES)].get(path, NOT_FOUND))


def _site(head: bytes) -> int:
    """Which site a request is for: `site17.example`, or its address."""
    host = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"host:")).split(b":")[1].strip()
    if host.startswith(b"site"):
        return int(host[4:].partition(b".")[0])
    *_, third, fourth = map(int, host.split(b"."))
    return (third - 1) * 250 + fourth - 1


async def serve() -> None:
    loop = asyncio.get_running_loop()
    first = await loop.create_server(Site, address(0), 0, backlog=512)
    port: int = first.sockets[0].getsockname()[1]
    for site in range(1, site_count()):
        await loop.create_server(Site, address(site), port, backlog=64)
    print(port, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
