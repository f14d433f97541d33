"""CPU per page of the lean parse against the usual way (bs4 over lxml, a find_all for each fact), in the same run.

    python tests/bench/bench_page.py [--pages 20] [--rounds 5]

Prints medians and their ratio; the pages are generated here. No timed test: a busy machine is no defect.
"""

import argparse
import random
import re
import statistics
import time
from collections.abc import Callable

from bs4 import BeautifulSoup

from scrapersky.scraping.contacts import find_contacts
from scrapersky.scraping.page import parse_page
from scrapersky.scraping.technology import find_technologies

HEADERS = {"content-type": "text/html; charset=utf-8"}
URL = "https://shop.example/"
WORDS = [
    "harbour",
    "lantern",
    "granite",
    "almond",
    "tide",
    "parish",
    "archive",
    "brewery",
    "nursery",
    "radio",
    "booking",
    "workshop",
    "delivery",
]
EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
PHONE = re.compile(r"(?<![\w.])\+?\(?\d[\d\s()./-]{6,}\d")


def make_page(chars: int, rng: random.Random) -> bytes:
    """A page of about this size: the head of a WordPress site, then teasers as themes nest them."""

    def words(count: int) -> str:
        return " ".join(rng.choice(WORDS) for _ in range(count))

    head = [f"<title>{words(5)}</title><meta name='description' content='{words(20)}'>"]
    head += [f"<meta property='og:{name}' content='{words(4)}'>" for name in ("title", "type", "image", "site_name")]
    head += [
        f"<link rel='stylesheet' href='/wp-content/plugins/{rng.choice(WORDS)}/style.css?ver=1.{i}'>" for i in range(20)
    ]
    head += [f"<script src='/wp-includes/js/{rng.choice(WORDS)}.min.js?ver=6.8'></script>" for _ in range(20)]
    head.append(
        '<script type="application/ld+json">{"@type":"Organization","name":"Shop","email":"a@shop.example"}</script>'
    )
    body: list[str] = []
    size = sum(map(len, head))
    while size < chars:
        body.append(
            f'<div class="row grid"><div class="col"><article class="post teaser"><h3 class="title">'
            f'<a href="/{words(1)}/{rng.randrange(999)}/" class="link">{words(4)}</a></h3>'
            f'<img src="/wp-content/uploads/{rng.randrange(999)}.jpg" alt="{words(2)}" width="300" height="200">'
            f'<p class="text">{words(25)} <strong>{words(2)}</strong> {words(10)} {rng.randrange(2000)}</p>'
            f'<ul class="meta"><li><span>{words(1)}</span></li><li><a href="/tag/{words(1)}/">{words(1)}</a></li></ul>'
            f"<script>var x{rng.randrange(99)} = {{'k': '{words(6)}'}};</script></article></div></div>\n"
        )
        size += len(body[-1])
    foot = (
        '<footer><a href="mailto:info@shop.example">Mail</a> Tel. 030 1234567 <a href="/contact">Contact</a></footer>'
    )
    return (
        f"<!doctype html><html lang='en'><head>{''.join(head)}</head><body>{''.join(body)}{foot}</body></html>".encode()
    )


def usual(body: bytes) -> int:
    """What a scraper's first version does; the number of things found keeps the work from being thrown away."""
    soup = BeautifulSoup(body, "lxml")
    title = soup.find("title")
    description = soup.find("meta", attrs={"name": "description"})
    og = soup.find_all("meta", attrs={"property": re.compile("^og:")})
    generators = soup.find_all("meta", attrs={"name": "generator"})
    canonical = soup.find("link", rel="canonical")
    links = [a["href"] for a in soup.find_all("a", href=True)]
    scripts = [script["src"] for script in soup.find_all("script", src=True)]
    styles = [link["href"] for link in soup.find_all("link", href=True)]
    images = [img["src"] for img in soup.find_all("img", src=True)]
    json_ld = [script.string for script in soup.find_all("script", type="application/ld+json")]
    for tag in soup.find_all(["script", "style", "noscript", "template"]):
        tag.decompose()
    text = soup.get_text(" ")
    found = (title, description, og, generators, canonical, links, scripts, styles, images, json_ld)
    return len(found) + len(EMAIL.findall(text)) + len(PHONE.findall(text))


def lean(body: bytes) -> int:
    page = parse_page(body, URL, HEADERS)
    return len(page.links) + len(find_contacts(page).emails)


def lean_with_technology(body: bytes) -> int:
    page = parse_page(body, URL, HEADERS)
    return len(find_contacts(page).emails) + len(find_technologies(page, HEADERS))


def cpu_ms(work: Callable[[bytes], int], body: bytes) -> float:
    begun = time.process_time()
    work(body)
    return (time.process_time() - begun) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rng = random.Random(7)
    pages = [make_page(rng.choice([30_000, 100_000, 150_000, 250_000, 500_000]), rng) for _ in range(options.pages)]
    ways: tuple[Callable[[bytes], int], ...] = (usual, lean, lean_with_technology)
    for way in ways:  # imports, caches and compiled patterns are paid once in a process
        way(pages[0])
    costs: dict[str, list[float]] = {way.__name__: [] for way in ways}
    for _ in range(options.rounds):
        for body in pages:
            for way in ways:  # interleaved, so that a busy moment hits all alike
                costs[way.__name__].append(cpu_ms(way, body) / (len(body) / 100_000))
    base = statistics.median(costs["usual"])
    print(f"{options.pages} pages, mean {sum(map(len, pages)) // len(pages) // 1000} kB, {options.rounds} rounds")
    for name, values in costs.items():
        cost = statistics.median(values)
        print(f"{name:22} {cost:7.2f} ms CPU per 100 kB   {base / cost:5.1f} x usual")


if __name__ == "__main__":
    main()
