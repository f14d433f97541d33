"""No input breaks an extractor, keeps it for more than a second, or costs it more than its length."""

import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scrapersky.domain.texts import UNSTORABLE
from scrapersky.scraping import (
    emails,
    findings,
    first_sitemap,
    icons,
    jsonld,
    organization,
    page_choice,
    phones,
    robots,
    security_txt,
    social,
    walls,
)
from scrapersky.scraping.charset import to_utf8
from scrapersky.scraping.fetch import Fetched
from scrapersky.scraping.jsonld import Graph
from scrapersky.scraping.page import PageFacts, parse_page
from support.cpu import cpu_seconds
from support.naughty import texts

DATA = Path(__file__).parent.parent / "data"
URL = "https://shop.example/"
HTML = {"content-type": "text/html; charset=utf-8"}
MIB = 1024 * 1024
PROBE = MIB // 4  # what is tried first; a whole MiB only of what a quarter shows to be slow
MAX_SECONDS = 1.0  # of CPU, for 1 MiB
TRIES = 3  # one of which is to be within: what else the machine does takes the caches away, and can only add
MAX_GROWTH = 2.5  # of CPU, for twice the input
# Seconds for the probe: less than this may even grow with the square and stay below MAX_SECONDS for 1 MiB.
TOO_SHORT_TO_MATTER = 0.05

Extractor = Callable[[str], object]


def read_page(body: bytes, headers: dict[str, str] = HTML) -> tuple[PageFacts, Any]:
    """Everything that is read of a page, and the facts of a site of it alone."""
    page = parse_page(body, URL, headers)
    answer = Fetched(URL, 200, headers, body, len(body), 1, datetime(2026, 1, 1, tzinfo=UTC), set_cookies=("a=b",))
    walls.find_wall(page, 200, headers, domain="shop.example")
    walls.is_empty_frame(page)
    for link in page.links[:100]:
        page_choice.kind_of_text(link.text)
        page_choice.kind_of_path(link.href)
    return page, findings.site_data([findings.read(page, answer)], "shop.example")


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


EXTRACTORS: dict[str, Extractor] = {
    "page": lambda text: read_page(b"<p>Tel. " + encoded(text)),
    "attributes": lambda text: read_page(
        b'<title x="' + encoded(text) + b'"></title><a href="' + encoded(text) + b'">'
    ),
    "charset": lambda text: to_utf8(encoded(text) + b"\xff", None, URL),
    "e-mails": lambda text: list(emails.addresses_in(text)),
    "phones": lambda text: list(phones.numbers_in(text)),
    "profile": lambda text: social.profile(text),
    "json-ld": lambda text: organization.organizations(Graph(tuple(jsonld.read(text[: jsonld.MAX_SCRIPT_CHARS]))), URL),
    "manifest": lambda text: icons.manifest_icons(encoded(text)[: icons.MAX_MANIFEST_BYTES], URL),
    "security.txt": lambda text: security_txt.parse(encoded(text)[: security_txt.MAX_BYTES], URL, {}),
    "robots.txt": lambda text: robots.rule_copies(text),
    "sitemap": lambda text: first_sitemap.read(encoded(text)),
}

# One letter or the beginning of something, over and over: what regular expressions and parsers go back for.
STARTERS = (
    *(
        "a",
        "A",
        "0",
        " ",
        "\n",
        "\t",
        "\0",
        "@",
        ".",
        "-",
        "_",
        "+",
        "(",
        "/",
        "<",
        "&",
        '"',
        "\\",
        "é",
        "日",
        "\u200b",
    ),
    *("a@", "a.", "1 ", "0.", "+1 (", "(0) ", "mailto:", "tel:+", "[at]", " (at) ", "Tel. ", "fax ", "\\/", "//a."),
    *("<a href=", "<a>", "<p>", "</p>", "<!--", "<script>", "<meta ", "<span itemprop=a>", "<title>", "&#x", "<svg>"),
    *(
        '{"@type":',
        "[",
        '\\"',
        "/*",
        ",",
        "{'a':",
        "<?xml ",
        "User-agent: *\n",
        "Disallow: /*$\n",
        "Contact: ",
        "/wp-content/",
    ),
)


def is_too_slow(work: Callable[[], object]) -> bool:
    """Whether each try takes more than MAX_SECONDS; the first that does not is the last."""
    return all(cpu_seconds(work, 1) >= MAX_SECONDS for _ in range(TRIES))


def faults(extractor: Extractor, starter: str) -> list[str]:
    """What an extractor does wrong on much of `starter`, in words. Measured again before anything is said."""

    def work(size: int) -> Callable[[], object]:
        text = starter * (size // len(starter))
        return lambda: extractor(text)

    def seconds(size: int, runs: int) -> float:
        return cpu_seconds(work(size), runs)

    probe = seconds(PROBE, 1)
    if probe < TOO_SHORT_TO_MATTER:
        return []
    if probe > MAX_SECONDS / 5 and is_too_slow(work(MIB)):
        return [f"{starter!r}: more than {MAX_SECONDS} s for 1 MiB"]
    for runs in (1, 3, 9):
        half, full = seconds(PROBE // 2, runs), seconds(PROBE, runs)
        if full <= MAX_GROWTH * half:
            return []
    return [f"{starter!r}: {half:.3f} s for a half, {full:.3f} s for the whole"]


@pytest.mark.parametrize("name", EXTRACTORS)
def test_a_mebibyte_of_anything_is_soon_read_and_twice_as_much_takes_twice_as_long(name: str) -> None:
    assert [fault for starter in STARTERS for fault in faults(EXTRACTORS[name], starter)] == []


def test_the_measure_sees_what_is_slow_and_what_grows() -> None:
    def spin(seconds: float) -> None:
        until = time.process_time() + seconds
        while time.process_time() < until:
            pass

    assert "for 1 MiB" in faults(lambda text: spin(1.05 * len(text) / MIB), "a")[0]
    assert "for the whole" in faults(lambda text: spin(0.05 * (len(text) / PROBE) ** 3), "a")[0]
    assert faults(lambda text: spin(0.05 * len(text) / PROBE), "a") == []


def assert_storable(value: Any) -> None:
    """What Postgres takes: texts in it without U+0000 and halves of surrogate pairs, all of it JSON."""
    json.dumps(value, allow_nan=False)
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            assert not UNSTORABLE.search(item), repr(item)
        elif isinstance(item, dict):
            waiting += [*item, *item.values()]
        elif isinstance(item, list | tuple):
            waiting += item


def page_around(text: str) -> str:
    """A page that has the text wherever facts are read from."""
    script = json.dumps(
        {"@type": "Store", "name": text, "email": text, "telephone": text, "logo": text, "sameAs": text}
    )
    places = (
        '<html lang="¤" class="¤"><head><title>¤</title><meta name="description" content="¤">',
        '<link rel="icon" href="¤">',
        '<meta property="og:title" content="¤"><meta name="generator" content="¤"><link rel="canonical" href="¤">',
        f'<script type="application/ld+json">{script}</script><script>¤</script><script src="¤"></script></head>',
        '<body id="¤"><header><img src="¤" alt="logo"></header><a href="¤" aria-label="¤">¤</a>',
        '<a href="mailto:¤">x</a><a href="tel:¤">y</a><a data-cfemail="¤" href="#">z</a><!--¤--><p>¤</p>',
        '<div itemscope itemtype="¤"><b itemprop="name">¤</b></div><noscript>¤</noscript><form action="¤"></form>',
    )
    return "".join(places).replace("¤", text)


def test_naughty_texts_are_read_wherever_they_stand() -> None:
    naughty = list(texts())
    assert len(set(naughty)) > 300
    for text in naughty:
        _, facts = read_page(encoded(page_around(text)))
        assert_storable(facts.to_json())


def test_naughty_texts_are_no_fault_of_any_extractor_alone() -> None:
    for text in texts():
        for extractor in EXTRACTORS.values():
            extractor(text)


@pytest.mark.parametrize("tag", ["div", "b", "p", "table", "span itemscope itemprop=a", "svg", "a href=x", "template"])
def test_a_hundred_thousand_nested_tags(tag: str) -> None:
    assert not is_too_slow(lambda: read_page(f"<title>T</title><{tag}>".encode() + f"<{tag}>".encode() * 100_000))


def pages_of_tests() -> list[Path]:
    return sorted([*(DATA / "pages").glob("*.html"), *(DATA / "corpus").glob("*.html")])


def test_pages_that_break_off_anywhere() -> None:
    rng = random.Random(4)
    for path in pages_of_tests():
        body = path.read_bytes()
        for cut in rng.sample(range(len(body)), 3):
            _, facts = read_page(body[:cut])
            assert_storable(facts.to_json())


@pytest.mark.parametrize(
    "beginning",
    [b"", b"\x89PNG\r\n\x1a\n", b"\x1f\x8b\x08", b"%PDF-1.7\n", b"PK\x03\x04", b"\xff\xfe", b"\xef\xbb\xbf", b"<html>"],
    ids=["noise", "png", "gzip", "pdf", "zip", "utf-16", "utf-8", "html"],
)
def test_what_is_no_text(beginning: bytes) -> None:
    noise = random.Random(9).randbytes(64 * 1024)
    for headers in (HTML, {}, {"content-type": "text/html; charset=utf-16"}, {"content-type": "charset=\x00;=;"}):
        _, facts = read_page(beginning + noise, headers)
        assert_storable(facts.to_json())
