"""CPU and memory of reading one page: all our facts of it, beside the usual ways, in one run.

    pip install -e '.[bench]'      # optional: extruct and trafilatura; without them their lines are left out
    python tests/bench/bench_page.py [--pages 60] [--rounds 3] [--way ours ...]

Prints the mean and the 95th percentile of CPU per page, how many times cheaper than BeautifulSoup's parse with lxml
that is (a parse alone: nothing is looked for in it), and the memory that the largest page takes on top. The pages are
generated. No timed test: `tests/unit/test_page_cost.py` holds the
ratio.
"""

import argparse
import importlib
import importlib.util
import multiprocessing
import re
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.generated_pages import pages
from scrapersky.scraping import findings
from scrapersky.scraping.fetch import Fetched
from scrapersky.scraping.page import parse_page

HEADERS = {"content-type": "text/html; charset=utf-8", "server": "nginx"}
URL = "https://shop.example/"
EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
PHONE = re.compile(r"(?<![\w.])\+?\(?\d[\d\s()./-]{6,}\d")

Way = Callable[[bytes], object]


def ours(body: bytes) -> object:
    """Every fact that a scan reads of a page, and those of a site of this page alone."""
    answer = Fetched(URL, 200, HEADERS, body, len(body), 1, datetime(2026, 1, 1, tzinfo=UTC))
    return findings.site_data([findings.read(parse_page(body, URL, HEADERS), answer)], "shop.example")


def ours_parse(body: bytes) -> object:
    return parse_page(body, URL, HEADERS)


def bs4_lxml_alone(body: bytes) -> object:
    return BeautifulSoup(body, "lxml")


def bs4_lxml(body: bytes) -> object:
    return _field_by_field(BeautifulSoup(body, "lxml"))


def bs4_html_parser(body: bytes) -> object:
    return _field_by_field(BeautifulSoup(body, "html.parser"))


def extruct(body: bytes) -> object:
    """JSON-LD, microdata, Open Graph and RDFa: the organisation, but neither contacts nor software."""
    return importlib.import_module("extruct").extract(body.decode(), base_url=URL)


def trafilatura(body: bytes) -> object:
    """Title, description, site name and the like."""
    return importlib.import_module("trafilatura").extract_metadata(body.decode())


WAYS: dict[str, Way] = {
    way.__name__: way
    for way in (bs4_lxml_alone, bs4_html_parser, bs4_lxml, extruct, trafilatura, ours_parse, ours)
    if way.__name__ not in ("extruct", "trafilatura") or importlib.util.find_spec(way.__name__)
}


def _field_by_field(soup: BeautifulSoup) -> object:
    """What a scraper's first version does: one search of the tree for each fact."""
    found: list[object] = [
        soup.find("title"),
        soup.find("meta", attrs={"name": "description"}),
        soup.find_all("meta", attrs={"property": re.compile("^og:")}),
        soup.find_all("meta", attrs={"name": "generator"}),
        soup.find("link", rel="canonical"),
        soup.find_all("link", rel=re.compile("icon")),
        [a["href"] for a in soup.find_all("a", href=True)],
        [a["href"] for a in soup.find_all("a", href=re.compile("^(mailto|tel):"))],
        [script["src"] for script in soup.find_all("script", src=True)],
        [link["href"] for link in soup.find_all("link", href=True)],
        [img["src"] for img in soup.find_all("img", src=True)],
        [script.string for script in soup.find_all("script", type="application/ld+json")],
        "wp-content" in str(soup),
    ]
    for tag in soup.find_all(["script", "style", "noscript", "template"]):
        tag.decompose()
    text = soup.get_text(" ")
    return found, EMAIL.findall(text), PHONE.findall(text)


def cpu_ms(way: Way, body: bytes) -> float:
    begun = time.process_time()
    way(body)
    return (time.process_time() - begun) * 1000


def peak_mb(name: str, body: bytes) -> float:
    """Memory that one page takes beyond that of a process that has read a small one (Linux, proc(5))."""
    WAYS[name](b"<!doctype html><title>x</title><p>x")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status_kb("VmRSS")
    WAYS[name](body)
    return (_status_kb("VmHWM") - before) / 1024


def _status_kb(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", action="append", choices=WAYS, help="only these, and the parse that they are held to")
    options = parser.parse_args()
    chosen = {name: way for name, way in WAYS.items() if name == "bs4_lxml_alone" or name in (options.way or WAYS)}
    bodies = pages(options.pages)
    for way in chosen.values():  # imports, caches and compiled patterns are paid once in a process
        way(bodies[0])
    costs: dict[str, list[float]] = {name: [float("inf")] * len(bodies) for name in chosen}
    for _ in range(options.rounds):
        for number, body in enumerate(bodies):
            for name, way in chosen.items():  # interleaved, so that a busy moment hits all alike; and the best counts
                costs[name][number] = min(costs[name][number], cpu_ms(way, body))
    largest = max(bodies, key=len)
    print(
        f"{len(bodies)} pages, mean {sum(map(len, bodies)) // len(bodies) // 1000} kB, best of {options.rounds} rounds"
    )
    print(f"{'':18}{'mean ms':>9}{'p95 ms':>9}{'cheaper':>9}   memory for {len(largest) // 1000} kB")
    base = statistics.mean(costs["bs4_lxml_alone"])
    context = multiprocessing.get_context("spawn")
    for name, values in costs.items():
        with context.Pool(1) as pool:
            memory = pool.apply(peak_mb, (name, largest))
        mean, p95 = statistics.mean(values), statistics.quantiles(values, n=20)[-1]
        print(f"{name:18}{mean:9.2f}{p95:9.2f}{base / mean:8.1f}x{memory:9.1f} MB")


if __name__ == "__main__":
    main()
