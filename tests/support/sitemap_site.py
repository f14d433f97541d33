"""A site whose sitemaps are made while they are sent: an index of so many files, each with so many URLs.

    python -m support.sitemap_site FILES URLS FIRST_BYTE_FILE plain|gzip

As a program it says its port on standard output and serves until it is killed. Every URL is its file's alone, so that
what a scan must have stored is known without keeping any of it.
"""

import gzip
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

from support.loopback import Answer, Listener, response

HOST = "shop.example"
SITE = f"http://{HOST}"
INDEX = f"{SITE}/sitemap.xml"
PIECE_URLS = 1_000

_SCHEMA = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
_HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {_SCHEMA}>\n'.encode()
_TAIL = b"</urlset>\n"

Page = bytes | Iterable[bytes]
"""A whole answer (see `support.loopback.response`), or its pieces as they are made."""


def file_url(number: int) -> str:
    return f"{SITE}/sitemap-{number}.xml"


def page_url(number: int, place: int) -> str:
    return f"{SITE}/department-{number}/product-{place}.html"


def entry(url: str, lastmod: str = "2026-03-04T05:06:07+01:00") -> str:
    return (
        f"<url><loc>{url}</loc><lastmod>{lastmod}</lastmod>"
        "<changefreq>weekly</changefreq><priority>0.5</priority></url>\n"
    )


def urlset(urls: Iterable[str], lastmod: str = "2026-03-04T05:06:07+01:00") -> bytes:
    return _HEAD + "".join(entry(url, lastmod) for url in urls).encode() + _TAIL


def index(urls: Iterable[str]) -> bytes:
    named = "".join(f"<sitemap><loc>{url}</loc></sitemap>\n" for url in urls)
    return f'<?xml version="1.0"?>\n<sitemapindex {_SCHEMA}>\n{named}</sitemapindex>\n'.encode()


def xml(body: bytes, *headers: str) -> bytes:
    return response(body, content_type="application/xml", headers=headers)


def robots(*sitemaps: str, rules: str = "") -> bytes:
    lines = ["User-agent: *", *([rules] if rules else ["Disallow:"]), *(f"Sitemap: {url}" for url in sitemaps)]
    return response("\n".join(lines).encode(), content_type="text/plain")


def pieces(number: int, urls: int) -> Iterator[bytes]:
    """File `number`, a thousand URLs at a time."""
    yield _HEAD
    for first in range(0, urls, PIECE_URLS):
        places = range(first, min(first + PIECE_URLS, urls))
        yield "".join([entry(page_url(number, place)) for place in places]).encode()
    yield _TAIL


@dataclass(slots=True)
class Table:
    """A site that is a table of answers by path; whatever is not in it is a 404. It remembers what was asked when."""

    pages: Mapping[str, Page]
    seen: list[tuple[float, str]] = field(default_factory=list)  # on the monotonic clock
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, path: str) -> Iterable[bytes]:
        with self._lock:
            self.seen.append((time.monotonic(), path))
        page = self.pages.get(path, response(b"nothing here", status="404 Not Found"))
        return [page] if isinstance(page, bytes) else page

    def asked(self) -> list[str]:
        return [path for _, path in self.seen]


def page_urls(number: int, count: int = 3) -> list[str]:
    """What file `number` names, as far as `site_of` makes it."""
    return [page_url(number, place) for place in range(count)]


class Anew:
    """An answer that is made each time that it is asked for."""

    def __init__(self, make: Callable[[], Iterator[bytes]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[bytes]:
        return self._make()


def site_of(*numbers: int, count: int = 3, rules: str = "", pause: float = 0.0) -> dict[str, Page]:
    """A site with an index of these files, each of `count` URLs, and of `pause` seconds before it comes."""

    def file(number: int) -> Iterator[bytes]:
        time.sleep(pause)
        yield xml(urlset(page_urls(number, count)))

    return {
        "/robots.txt": robots(INDEX, rules=rules),
        "/sitemap.xml": xml(index(map(file_url, numbers))),
        **{f"/sitemap-{number}.xml": Anew(partial(file, number)) for number in numbers},
    }


def generated(files: int, urls: int, *, is_gzip: bool = False, first_byte: Path | None = None) -> Answer:
    """A site with an index of `files` files of `urls` URLs. Writes to `first_byte` when the first file began."""
    begun = Lock()

    def answer(path: str) -> Iterator[bytes]:
        if path == "/robots.txt":
            yield robots(INDEX)
        elif path == "/sitemap.xml":
            yield xml(index(file_url(number) for number in range(files)))
        elif path.startswith("/sitemap-") and path.endswith(".xml"):
            body = b"".join(pieces(int(path[9:-4]), urls))
            sent = xml(gzip.compress(body, 1) if is_gzip else body)
            if first_byte is not None and begun.acquire(blocking=False):
                first_byte.write_text(repr(time.time()))
            yield sent
        else:
            yield response(b"nothing here", status="404 Not Found")

    return answer


def main(files: int, urls: int, first_byte: Path, form: str) -> None:
    answer = generated(files, urls, is_gzip=form == "gzip", first_byte=first_byte)
    with Listener(answer, keep_alive=True) as listener:
        print(listener.port, flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
