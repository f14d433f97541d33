"""The first addresses of a sitemap, whatever the file is."""

import pytest

from scrapersky.scraping import first_sitemap
from scrapersky.scraping.page_urls import SiteUrls

SITE = SiteUrls("shop.example", "https://shop.example/")
NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
URLS = f"""<?xml version="1.0" encoding="UTF-8"?>
<urlset {NAMESPACE} xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
  <url><loc> https://shop.example/a?x=1&amp;y=2 </loc><image:image><image:loc>https://shop.example/a.jpg</image:loc></image:image></url>
  <url><loc>https://shop.example/b</loc></url>
</urlset>"""


def test_addresses_of_pages_are_read_and_those_of_pictures_are_not() -> None:
    assert first_sitemap.read(URLS.encode()) == (["https://shop.example/a?x=1&y=2", "https://shop.example/b"], False)


def test_a_file_that_was_cut_has_what_came_before() -> None:
    cut = URLS.encode()[: URLS.index("</url>\n  <url>") + 30]
    assert first_sitemap.read(cut) == (["https://shop.example/a?x=1&y=2"], False)


def test_an_index_s_sitemap_of_pages_is_the_one_to_read() -> None:
    names = (
        "https://shop.example/post-sitemap.xml",
        "https://other.example/page.xml",
        "https://shop.example/page-sitemap.xml",
    )
    index = (
        f"<sitemapindex {NAMESPACE}>{''.join(f'<sitemap><loc>{name}</loc></sitemap>' for name in names)}</sitemapindex>"
    )
    urls, is_index = first_sitemap.read(index.encode())
    assert is_index
    assert first_sitemap.child(urls, SITE) == "https://shop.example/page-sitemap.xml"
    assert first_sitemap.child(urls[:1], SITE) == "https://shop.example/post-sitemap.xml"
    assert first_sitemap.child(["https://shop.example/pages.xml.gz"], SITE) is None


def test_no_more_addresses_than_are_looked_at() -> None:
    body = "<urlset>" + "<url><loc>https://shop.example/x</loc></url>" * (first_sitemap.MAX_URLS + 50)
    assert len(first_sitemap.read(body.encode())[0]) == first_sitemap.MAX_URLS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><title>Not found</title>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><urlset><url><loc>&a;</loc></url></urlset>',
        b"<a>" * 100_000,
        b"\x1f\x8b\x08\x00",
        b"\xff\xfe<",
        b'<?xml version="1.0" encoding="no-such"?><urlset/>',
    ],
)
def test_what_is_no_sitemap_has_no_addresses(body: bytes) -> None:
    assert first_sitemap.read(body) == ([], False)


def test_where_to_look() -> None:
    assert first_sitemap.address(SITE, []) == "https://shop.example/sitemap.xml"
    named = [
        "/relative.xml",
        "https://other.example/s.xml",
        "https://shop.example/s.xml.gz",
        "http://www.shop.example/s.xml",
    ]
    assert first_sitemap.address(SITE, named) == "http://www.shop.example/s.xml"
