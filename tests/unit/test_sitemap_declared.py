"""What the Sitemap lines of a robots.txt mean, and which sitemaps are a site's own."""

import pytest
from protego import Protego

from scrapersky.scraping.sitemaps.declared import declared, is_of_site

ROBOTS = "https://shop.example/robots.txt"


def named(text: str) -> tuple[str, ...]:
    return declared(Protego.parse(text).sitemaps, ROBOTS)


@pytest.mark.parametrize(
    "line",
    [
        "Sitemap: https://shop.example/a.xml",
        "SITEMAP:https://shop.example/a.xml",
        "sitemap : https://shop.example/a.xml",
        "  site-map:\thttps://shop.example/a.xml  ",
        "Sitemap: https://shop.example/a.xml # ours",
        "Sitemap: https://shop.example/a.xml#part",
        "Sitemap: /a.xml",
        "Sitemap: a.xml",
        "Sitemap: //shop.example/a.xml",
        "Sitemap: shop.example/a.xml",
        "Sitemap: HTTPS://Shop.Example:443/a.xml",
        "Sitemap: <https://shop.example/a.xml>",
        'Sitemap: "https://shop.example/a.xml"',
        "Sitemap https://shop.example/a.xml",
        "User-agent: *\nDisallow: /\nSitemap: https://shop.example/a.xml",
        "Sitemap: https://shop.example/a.xml\r\nSitemap: /a.xml\rSitemap: a.xml\n",
        "Disallow: /x\n\n\nSitemap: https://shop.example/a.xml",
        "Sitemap: https://user:secret@shop.example/a.xml",
    ],
)
def test_a_sitemap_is_read_however_it_is_written(line: str) -> None:
    assert named(line) == ("https://shop.example/a.xml",)


@pytest.mark.parametrize(
    ("line", "urls"),
    [
        ("Sitemap: www.shop.example/a.xml", ("https://www.shop.example/a.xml",)),
        ("Sitemap: http://cdn.other.example/a.xml?x=1&y=2", ("http://cdn.other.example/a.xml?x=1&y=2",)),
        (
            "Sitemap: /b.xml\nSitemap: /a.xml\nSitemap: /b.xml",
            ("https://shop.example/b.xml", "https://shop.example/a.xml"),
        ),
        ("Sitemap: /a.xml https://shop.example/b.xml", ("https://shop.example/a.xml", "https://shop.example/b.xml")),
        ("Sitemap: https://münchen.example/ä.xml", ("https://xn--mnchen-3ya.example/%C3%A4.xml",)),
    ],
)
def test_several_and_others_are_read_too(line: str, urls: tuple[str, ...]) -> None:
    assert named(line) == urls


@pytest.mark.parametrize(
    "line",
    [
        "Sitemap:",
        "Sitemap: none",
        "Sitemap Kontakt Impressum",
        "#Sitemap: https://shop.example/a.xml",
        "Sitemap: ftp://shop.example/a.xml",
        "Sitemap: javascript:alert(1)//a.xml",
        "Sitemap: https://",
        "Sitemap: http://[::1/a.xml",
        "Sitemap: https://shop.example/" + "a" * 3000,
    ],
)
def test_what_names_no_file_of_the_web_is_no_sitemap(line: str) -> None:
    assert named(line) == ()


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/a.xml",
        "http://www.shop.example/a.xml",
        "https://maps.shop.example/a.xml",
        "https://a.b.shop.example/a.xml",
        "https://SHOP.example:8443/a.xml",
        "https://files.cdn.example/a.xml",
        "https://www.files.cdn.example/a.xml",
        "https://old.example/a.xml",
    ],
)
def test_the_site_is_its_domain_what_is_below_it_and_what_it_names(url: str) -> None:
    assert is_of_site(url, "shop.example", {"files.cdn.example", "www.old.example"})


@pytest.mark.parametrize(
    "url",
    [
        "https://bookshop.example/a.xml",
        "https://shop.example.org/a.xml",
        "https://example/a.xml",
        "https://cdn.example/a.xml",
        "https://other.files.cdn.example/a.xml",
        "/a.xml",
        "https://[::1/a.xml",
        "mailto:shop.example",
    ],
)
def test_what_only_looks_like_it_is_another_site(url: str) -> None:
    assert not is_of_site(url, "shop.example", {"files.cdn.example"})


def test_a_subdomain_has_no_say_over_its_neighbour() -> None:
    assert not is_of_site("https://b.example.com/a.xml", "a.example.com")
