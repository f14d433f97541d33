"""Which links are pages of a site, which are one page, and which lead into traps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.scraping.page_urls import SiteUrls

SITE = SiteUrls("shop.example", "https://www.shop.example/")
HOME = "https://www.shop.example/"


def url_of(href: str, base: str = HOME, site: SiteUrls = SITE) -> str | None:
    page = site.page(base, href)
    return page.url if page else None


@pytest.mark.parametrize(
    "href",
    [
        "/contact",
        "contact",
        "http://shop.example/contact",
        "//shop.example/contact#map",
        "https://WWW.SHOP.EXAMPLE/contact?utm_source=x&gclid=1",
        "https://www.shop.example:443/contact?PHPSESSID=0123456789abcdef",
        "/contact;jsessionid=0A1B2C",
        "/x/../contact",
    ],
)
def test_spellings_of_one_page_are_one_address_where_the_home_page_is(href: str) -> None:
    assert url_of(href) == "https://www.shop.example/contact"


def test_what_says_which_page_is_meant_is_kept_in_one_order() -> None:
    one, other = SITE.page(HOME, "/index.php?page=contact&lang=de"), SITE.page(HOME, "/?lang=de&utm_id=3&page=contact")
    assert one is not None
    assert other is not None
    assert one.key == other.key
    assert one.url == "https://www.shop.example/index.php?lang=de&page=contact"


@pytest.mark.parametrize("query", ["name=%E4", "contact", "x=1;name=2", "x=a%20b", "x=a+b", "x=*(1)", "x==1", "%E4=1"])
def test_what_a_query_says_is_asked_for_as_it_stands(query: str) -> None:
    assert url_of(f"/page?{query}&utm_source=x") == f"https://www.shop.example/page?{query}"


def test_a_slash_at_the_end_and_an_index_make_no_other_page() -> None:
    keys = {
        page.key for href in ("/de", "/de/", "/de/index.html", "/de/Default.aspx") if (page := SITE.page(HOME, href))
    }
    assert len(keys) == 1


@pytest.mark.parametrize(
    "href",
    [
        "#top",
        "mailto:info@shop.example",
        "tel:+12065550142",
        "javascript:void(0)",
        "https://blog.shop.example/contact",
        "https://shop.example.evil.example/contact",
        "https://shopexample/",
        "https://other.example/contact",
        "https://shop.example:8443/contact",
        "https://user:pass@shop.example/contact",
        "ftp://shop.example/contact",
        "http://[broken/",
    ],
)
def test_what_is_no_page_of_the_site(href: str) -> None:
    assert url_of(href) is None


@pytest.mark.parametrize(
    "href",
    [
        "/menu.pdf",
        "/Photo.JPG",
        "/download/setup.exe?v=2",
        "/feed.xml",
        "/en/en/en/contact",
        "/a/b/c/d/e/f/g/h",
        "/shop?color=red",
        "/shop?filter_size=3",
        "/shop?orderby=price",
        "/shop?a=1&b=2&c=3&d=4",
        "/events?tribe-bar-date=2026-05",
        "/calendar?month=5",
        "/?s=contact",
        "/?add-to-cart=12",
        "/post?replytocom=7",
        "/go?url=https://other.example/",
        "/" + "x" * 500,
    ],
)
def test_files_and_traps_are_left_alone(href: str) -> None:
    assert url_of(href) is None


@pytest.mark.parametrize("href", ["/v1.2/notes", "/about.us", "/dr.pdfox", "/?p=12", "/shop?id=4", "/a/b/c/d"])
def test_what_only_looks_like_one_is_none(href: str) -> None:
    assert url_of(href) is not None


def test_a_subdomain_is_the_site_when_the_home_page_is_there() -> None:
    site = SiteUrls("shop.example", "https://en.shop.example/start")
    assert url_of("/contact", "https://en.shop.example/start", site) == "https://en.shop.example/contact"
    assert url_of("http://www.shop.example/contact", HOME, site) == "http://www.shop.example/contact"
    assert url_of("https://de.shop.example/contact", HOME, site) is None


def test_pages_that_are_made_alike_have_one_template() -> None:
    def template(href: str) -> str:
        page = SITE.page(HOME, href)
        assert page is not None
        return page.template

    assert template("/products/red-shoe") == template("/products/green-hat")
    assert template("/2024/05/01") == template("/2025/11/30")
    assert template("/item-12") == template("/item-345")
    assert template("/view?id=4") == template("/view?id=99")
    assert template("/contact") != template("/item-12")
    assert template("/products/red-shoe") != template("/services/red-shoe")


@pytest.mark.parametrize(
    ("href", "is_counted"),
    [
        *((href, True) for href in ("/2026/11", "/2026/11/03", "/blog/2026-11", "/20261103", "/2026/november/3")),
        *((href, True) for href in ("/page/7", "/blog/seite-7", "/list?page=7", "/list?start=20", "/c/list?offset=9")),
        *((href, True) for href in ("/calendar/2026/w45", "/calendar/17", "/days?id=4", "/kalender?n=2026-11-03")),
        *((href, False) for href in ("/product/123", "/product/red-shoe-2", "/item-12", "/p/2026", "/product/2000123")),
        *((href, False) for href in ("/2026/11/a-headline", "/view?id=4", "/?p=12", "/calendar", "/page/about", "/")),
        *((href, False) for href in ("/calendar/2026-summer-fair", "/list?page=first")),
    ],
)
def test_days_of_calendars_and_pages_of_listings_are_counted_and_products_are_not(href: str, is_counted: bool) -> None:
    page = SITE.page(HOME, href)
    assert page is not None
    assert page.is_counted is is_counted


@given(st.text(max_size=60), st.sampled_from(["", "/", "//shop.example/", "https://shop.example", "?", "/a?"]))
def test_any_link_is_a_page_of_the_site_or_none(text: str, before: str) -> None:
    page = SITE.page(HOME, before + text)
    if page is not None:
        assert page.url.startswith("https://www.shop.example/")
        again = SITE.page(HOME, page.url)
        assert again is None or again.key == SITE.key(page.url) == page.key
