"""CPU and memory of reading a sitemap of 50,000 URLs: ours, beside the usual readers, in one run.

    pip install -e '.[bench]'      # optional: the other readers; without one its line is left out
    python tests/bench/bench_sitemap.py [--urls 50000] [--rounds 5] [--way ours ...]

Each reader gets the file in memory, plain and gzip, through its own public function, and gives a list of what it reads;
advertools reads a `file:` address. Each runs in a process of its own. Printed are the least CPU of some rounds, URLs a
second, how many times as fast ours is, and the memory that one read takes beyond that of a process that has read a
small file, what was read being kept. `ours_streamed` keeps nothing, as a scan does. `ours_expat` is the same file with
a comment in its first entry: what anything but plain entries costs.
"""

import argparse
import gzip
import importlib
import importlib.util
import logging
import multiprocessing
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from scrapersky.scraping.sitemaps.entry import Entry
from scrapersky.scraping.sitemaps.reader import SitemapReader

PIECE: Final = 64 * 1024  # what a connection gives at a time
HOST: Final = "https://www.shop.example/"

Way = Callable[[bytes, str], int]
"""Reads a file's bytes, or the file at the address, and returns how many URLs it gave."""


def document(count: int, first: str = "") -> bytes:
    """As the sitemaps of shops are: 220 bytes an entry, few of which share a lastmod. The first has something more."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    entries = "".join(
        f"  <url>\n    <loc>{HOST}products/category-{n % 97}/some-item-with-a-name-{n}.html</loc>\n"
        f"    <lastmod>{(start + timedelta(seconds=607 * n)).isoformat()}</lastmod>\n"
        f"    <changefreq>{('daily', 'weekly', 'monthly')[n % 3]}</changefreq>\n"
        f"    <priority>0.{n % 10}</priority>\n{'' if n else first}  </url>\n"
        for n in range(count)
    )
    namespace = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{namespace}">\n{entries}</urlset>\n'.encode()


def _pieces(body: bytes) -> Iterator[list[Entry]]:
    reader = SitemapReader()
    for start in range(0, len(body), PIECE):
        yield reader.feed(body[start : start + PIECE])
    yield reader.close()


def ours(body: bytes, _: str) -> int:
    return len([entry for entries in _pieces(body) for entry in entries])


def ours_streamed(body: bytes, _: str) -> int:
    return sum(map(len, _pieces(body)))


def ours_expat(body: bytes, _: str) -> int:
    return ours(body, _)


def ultimate_sitemap_parser(body: bytes, _: str) -> int:
    tree = importlib.import_module("usp.tree").sitemap_from_str(_plain(body).decode())
    return len(list(tree.all_pages()))


def advertools(_: bytes, address: str) -> int:
    """A table, read by ElementTree."""
    return len(importlib.import_module("advertools").sitemap_to_df(address))


def trafilatura(body: bytes, _: str) -> int:
    """The addresses alone."""
    module = importlib.import_module("trafilatura.sitemaps")
    sitemap = module.SitemapObject(HOST, "shop.example", [])
    sitemap.current_url, sitemap.content = f"{HOST}sitemap.xml", _plain(body).decode()
    sitemap.process()
    return len(sitemap.urls)


def scrapy(body: bytes, _: str) -> int:
    return len(list(importlib.import_module("scrapy.utils.sitemap").Sitemap(_plain(body))))


def _plain(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


OWN: Final = (ours, ours_streamed, ours_expat)
PEERS: Final = {"usp": ultimate_sitemap_parser, "advertools": advertools, "trafilatura": trafilatura, "scrapy": scrapy}
WAYS: dict[str, Way] = {
    way.__name__: way for way in (*OWN, *(way for name, way in PEERS.items() if importlib.util.find_spec(name)))
}


def measure(name: str, count: int, packed: bool, rounds: int) -> tuple[float, float]:
    """(the least CPU in ms, MiB that one read takes on top), of this process alone (Linux, proc(5))."""
    logging.disable()
    warnings.simplefilter("ignore")
    way = WAYS[name]
    with tempfile.TemporaryDirectory() as folder:
        first = "<!-- -->" if way is ours_expat else ""
        body, address = _file(folder, document(count, first), packed)
        # Imports, caches and compiled patterns are paid once in a process.
        way(*_file(f"{folder}/small", document(1, first), packed))
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = _status_kib("VmRSS")
        read = way(body, address)
        growth = (_status_kib("VmHWM") - before) / 1024
        if read != count:
            raise SystemExit(f"{name} read {read} of {count} URLs")
        return min(_cpu_ms(way, body, address) for _ in range(rounds)), growth


def _file(folder: str, body: bytes, packed: bool) -> tuple[bytes, str]:
    Path(folder).mkdir(exist_ok=True)
    body = gzip.compress(body) if packed else body
    path = Path(folder) / ("sitemap.xml.gz" if packed else "sitemap.xml")
    path.write_bytes(body)
    return body, path.as_uri()


def _cpu_ms(way: Way, body: bytes, address: str) -> float:
    begun = time.process_time()
    way(body, address)
    return (time.process_time() - begun) * 1000


def _status_kib(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--urls", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--way", action="append", choices=WAYS, help="only these, and ours")
    options = parser.parse_args()
    chosen = [name for name in WAYS if name == "ours" or name in (options.way or WAYS)]
    context = multiprocessing.get_context("spawn")
    for packed in (False, True):
        body = document(options.urls)
        size = len(gzip.compress(body) if packed else body) / 1e6
        kind = "gzip" if packed else "plain"
        print(f"{options.urls} URLs, {kind}, {size:.2f} MB, best of {options.rounds} rounds")
        print(f"{'':26}{'CPU ms':>9}{'kURL/s':>9}{'ours is':>12}{'memory':>12}")
        base = 0.0
        for name in chosen:
            with context.Pool(1) as pool:
                ms, growth = pool.apply(measure, (name, options.urls, packed, options.rounds))
            base = base or ms
            print(f"{name:26}{ms:9.0f}{options.urls / ms:9.0f}{ms / base:11.1f}x{growth:8.1f} MiB")


if __name__ == "__main__":
    main()
