"""A scan of several pages over real sockets: how many at once, how far apart, and what is not read to its end."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_network
from itertools import pairwise

from scrapersky.domain.facts import SiteScan
from scrapersky.scraping.fetch import Fetcher
from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule
from scrapersky.scraping.site import scan_site
from support.fetching import AGENT
from support.loopback import CLOSED_PORT, Listener, response

PATIENCE = 20.0
BESIDE = ("/robots.txt", "/sitemap.xml", "/favicon.ico", "/.well-known/security.txt")


def page(title: str, *links: str) -> bytes:
    anchors = "".join(f'<a href="{link}">{link}</a>' for link in links)
    return response(f"<title>{title}</title><nav>{anchors}</nav><p>{f'This page is about {title}. ' * 12}</p>".encode())


class Site:
    """Answers by path, a list of them in turn, and remembers how many pages were under way at the same time.

    A page in `together` is answered when all of them have been asked for, or after PATIENCE.
    """

    def __init__(self, pages: Mapping[str, bytes | list[bytes]], *, together: Iterable[str] = ()) -> None:
        self._pages = {path: list(found) if isinstance(found, list) else [found] for path, found in pages.items()}
        self._missing = set(together)
        self._all_asked = threading.Event()
        self._lock = threading.Lock()
        self._under_way = 0
        self.most_at_once = 0
        self.times: list[tuple[str, float, float]] = []

    def __call__(self, path: str) -> Iterator[bytes]:
        with self._under_way_now(path):
            if path in self._missing:
                with self._lock:
                    self._missing.discard(path)
                    if not self._missing:
                        self._all_asked.set()
                self._all_asked.wait(PATIENCE)
            left = self._pages.get(path, [response(status="404 Not Found")])
            answer = left.pop(0) if len(left) > 1 else left[0]
        yield answer

    @contextmanager
    def _under_way_now(self, path: str) -> Iterator[None]:
        begun = time.monotonic()
        with self._lock:
            self._under_way += path not in BESIDE
            self.most_at_once = max(self.most_at_once, self._under_way)
        yield
        with self._lock:
            self._under_way -= path not in BESIDE
            self.times.append((path, begun, time.monotonic()))

    def let_go(self) -> None:
        """Answer whoever still waits."""
        self._all_asked.set()


def scan(site: Site, *, seconds: float = 30) -> SiteScan:
    """Scans shop.example, by http alone."""
    with Listener(site, keep_alive=True) as listener:
        rules = (f"shop.example:443=127.0.0.1:{CLOSED_PORT}", f"shop.example:80=127.0.0.1:{listener.port}")
        policy = NetworkPolicy(
            allowed_networks=(ip_network("127.0.0.0/8"),), resolve=tuple(map(parse_resolve_rule, rules))
        )
        try:
            return scan_site(
                "shop.example",
                max_pages=10,
                fetcher=Fetcher(policy=policy, user_agent=AGENT),
                deadline=time.monotonic() + seconds,
                should_stop=lambda: False,
                on_progress=lambda _: None,
            )
        finally:
            site.let_go()


def read(result: SiteScan) -> list[str]:
    return [found.url.removeprefix("http://shop.example") for found in result.pages if found.skipped_reason is None]


def test_two_pages_are_under_way_at_a_time_and_never_three() -> None:
    links = [f"/{name}" for name in ("a", "b", "c", "d", "e", "f")]
    site = Site({"/": page("home", *links)} | {link: page(link) for link in links}, together=["/a", "/b"])
    result = scan(site)
    assert result.error is None
    assert read(result) == ["/", *links]
    assert site.most_at_once == 2
    begun = {path: (start, end) for path, start, end in site.times}
    assert max(begun["/a"][0], begun["/b"][0]) <= min(begun["/a"][1], begun["/b"][1])


def test_with_a_crawl_delay_pages_come_one_by_one_and_that_far_apart() -> None:
    links = ["/a", "/b", "/c"]
    robots = response(b"User-agent: *\nCrawl-delay: 0.3", content_type="text/plain")
    site = Site({"/robots.txt": robots, "/": page("home", *links)} | {link: page(link) for link in links})
    assert read(scan(site)) == ["/", *links]
    assert site.most_at_once == 1
    pages = [(start, end) for path, start, end in site.times if path not in BESIDE]
    assert all(later[0] - sooner[1] >= 0.29 for sooner, later in pairwise(pages))


def test_what_turns_out_to_be_a_file_is_not_read() -> None:
    film = response(b"\x00" * 3_000_000, content_type="video/mp4")
    result = scan(Site({"/": page("home", "/film", "/b", "/c"), "/film": film, "/b": page("b"), "/c": page("c")}))
    _, skipped = (found for found in result.pages if found.skipped_reason)  # the first is the home page by https
    assert (skipped.url, skipped.skipped_reason) == ("http://shop.example/film", "not_html")
    assert skipped.bytes == 0
    assert result.bytes_fetched < 10_000


def test_a_page_that_asks_for_a_pause_gets_it_and_so_do_all_others() -> None:
    busy = response(status="429 Too Many Requests", headers=["Retry-After: 1"])
    links = ["/a", "/b", "/c"]
    site = Site({"/": page("home", *links)} | {link: page(link) for link in links} | {"/a": [busy, page("a")]})
    assert read(scan(site)) == ["/", *links]
    first, again = ((start, end) for path, start, end in site.times if path == "/a")
    assert again[0] - first[1] >= 0.99
    between = [path for path, start, _ in site.times if first[1] + 0.2 < start < again[0] - 0.2]
    assert between == []


def test_a_silent_page_holds_the_scan_up_until_its_deadline_and_not_longer() -> None:
    begun = time.monotonic()
    site = Site({"/": page("home", "/a", "/b", "/c"), "/b": page("b"), "/c": page("c")}, together=["/a", "/never"])
    result = scan(site, seconds=6)
    assert time.monotonic() - begun < PATIENCE
    assert result.error is None
    assert set(read(result)) == {"/", "/b", "/c"}
    assert {found.url: found.skipped_reason for found in result.pages if found.skipped_reason} == {
        "https://shop.example/": "connect_failure",
        "http://shop.example/a": "timeout",
    }
