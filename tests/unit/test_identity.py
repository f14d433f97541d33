"""Who a site says that it is, over its pages, with the page that each value was read from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.scraping import identity
from scrapersky.scraping.identity import IconOf, LogoOf, PageIdentity, Stated, site_identity
from scrapersky.scraping.page import parse_page

HOME = "https://inn.example/"
CONTACT = "https://inn.example/contact"


def read(markup: str, url: str = HOME) -> PageIdentity:
    return identity.read(parse_page(markup.encode(), url, {"content-type": "text/html; charset=utf-8"}))


def test_title_description_and_canonical_are_the_home_page_s() -> None:
    site = site_identity([read("<title>Inn</title>"), read("<title>Contact</title><meta name=description content=C>")])
    assert site.title == Stated("Inn", "title", HOME)
    assert (site.description, site.canonical_url) == (None, None)


def test_what_stands_only_in_a_card_says_so() -> None:
    site = site_identity(
        [read("<html lang=en><meta property=og:title content=Inn><meta name=twitter:description content=Rooms>")]
    )
    assert site.title == Stated("Inn", "og:title", HOME)
    assert site.description == Stated("Rooms", "twitter:description", HOME)
    assert site.language == Stated("en", "lang", HOME)
    assert site.open_graph == {"og:title": "Inn"}
    assert site.twitter == {"twitter:description": "Rooms"}


@pytest.mark.parametrize(
    ("markup", "name"),
    [
        ("<meta property=og:site_name content=Inn>", Stated("Inn", "og:site_name", HOME)),
        ("<meta name=application-name content=Inn>", Stated("Inn", "application-name", HOME)),
        (
            '<script type="application/ld+json">{"@type":"WebSite","name":"Inn"}</script>',
            Stated("Inn", "json-ld", HOME),
        ),
        ("<title>Inn</title>", None),
    ],
)
def test_name_of_the_site(markup: str, name: Stated | None) -> None:
    assert site_identity([read(markup)]).site_name == name


def test_icons_are_ranked_and_none_is_assumed() -> None:
    home = read(
        "<link rel=mask-icon href=/mask.svg><link rel=apple-touch-icon sizes=180x180 href=/touch.png>"
        "<link rel=icon sizes=16x16 href=/16.png><link rel=icon sizes=32x32 href=/32.png><link rel=manifest href=/m>"
    )
    manifest = identity.manifest_icons(b'{"icons":[{"src":"512.png","sizes":"512x512"}]}', "https://inn.example/app/m")
    site = site_identity([home], manifest=manifest, favicon_ico_url="https://inn.example/favicon.ico")
    assert [(icon.url.rpartition("/")[2], icon.source, icon.width) for icon in site.icons] == [
        ("32.png", "icon", 32),
        ("16.png", "icon", 16),
        ("touch.png", "apple-touch-icon", 180),
        ("512.png", "manifest", 512),
        ("favicon.ico", "/favicon.ico", None),
        ("mask.svg", "mask-icon", 0),
    ]
    assert site.favicon == IconOf("https://inn.example/32.png", "icon", 32, HOME)
    assert site_identity([read("<title>Inn</title>")]).icons == ()
    assert site_identity([read("<link rel=mask-icon href=/mask.svg>")]).favicon is None


def test_manifest_is_where_the_page_says() -> None:
    page = parse_page(b'<base href="/app/"><link rel="manifest" href="site.webmanifest">', HOME, {})
    assert identity.manifest_url(page) == "https://inn.example/app/site.webmanifest"
    assert identity.manifest_url(parse_page(b"<p>", HOME, {})) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"<!doctype html>", b"[]", b'{"icons":{}}', b'{"icons":[1,{"src":1},{"src":"data:,"}]}', b"[" * 99_999],
)
def test_what_is_no_manifest_has_no_icons(body: bytes) -> None:
    assert identity.manifest_icons(body, HOME) == ()


def test_manifest_icon_of_one_colour_is_left_out() -> None:
    body = b'\xef\xbb\xbf{"icons":[{"src":"/a.svg","purpose":"monochrome"},{"src":"/b.svg","purpose":"any maskable"}]}'
    assert [icon.url for icon in identity.manifest_icons(body, HOME)] == ["https://inn.example/b.svg"]


def test_stated_logo_precedes_one_in_the_header_and_a_picture_to_share_is_only_a_candidate() -> None:
    home = read('<header><img src="/img/inn-logo.png"></header><meta property=og:image content="/house.jpg">')
    contact = read(
        '<div itemscope itemtype="https://schema.org/Hotel"><b itemprop="name">Inn</b>'
        '<i itemprop="address">Quay 1</i><link itemprop="logo" href="/logo.svg"></div>',
        CONTACT,
    )
    site = site_identity([home, contact])
    assert site.logos == (
        LogoOf("https://inn.example/logo.svg", "microdata", CONTACT),
        LogoOf("https://inn.example/img/inn-logo.png", "header", HOME),
        LogoOf("https://inn.example/house.jpg", "og:image", HOME),
    )
    assert site.logo == site.logos[0]
    assert site_identity([read('<meta property=og:image content="/house.jpg">')]).logo is None


def organization(text: str) -> str:
    return f'<script type="application/ld+json">{{"@type":"Hotel","address":"Quay 1, Ely",{text}}}</script>'


def test_organisation_is_filled_from_pages_that_name_the_same_one() -> None:
    home = read(organization('"name":"The Inn","url":"https://www.inn.example/","sameAs":["https://x.com/inn"]'))
    contact = read(organization('"name":"THE INN","telephone":"+44 1353 496 0123"'), CONTACT)
    other = read(organization('"name":"Partner","email":"p@partner.example"'), "https://inn.example/partner")
    found = site_identity([home, contact, other]).organization
    assert found is not None
    assert (found["name"], found["telephone"], found["email"]) == ("The Inn", "+4413534960123", None)
    assert found["evidence"]["name"] == {"page_url": HOME, "method": "json-ld"}
    assert found["evidence"]["telephone"] == {"page_url": CONTACT, "method": "json-ld"}
    assert "email" not in found["evidence"]


def test_organisation_at_another_address_does_not_speak_for_the_site() -> None:
    agency = organization('"name":"Agency","url":"https://agency.example/","email":"a@agency.example","vatID":"GB1"')
    own = organization('"name":"The Inn"')
    found = site_identity([read(agency + own)]).organization
    assert found is not None
    assert found["name"] == "The Inn"


def test_microdata_serves_where_there_is_no_json_ld() -> None:
    contact = read(
        '<div itemscope itemtype="http://schema.org/LocalBusiness"><h1 itemprop="name">Inn &amp; Oak</h1>'
        '<p itemprop="address" itemscope itemtype="http://schema.org/PostalAddress">'
        '<span itemprop="streetAddress">3 Quay <b>Lane</b></span>, <span itemprop="addressLocality">Ely</span></p>'
        '<a itemprop="url" href="/">home</a><meta itemprop="telephone" content="+44 1353 496 0123">'
        '<time itemprop="openingHours" datetime="Mo-Fr 09:00-17:00">weekdays</time></div>',
        CONTACT,
    )
    site = site_identity([read("<title>Inn</title>"), contact])
    assert site.organization is not None
    assert site.organization["name"] == "Inn & Oak"
    assert site.organization["url"] == HOME
    assert site.organization["telephone"] == "+4413534960123"
    assert site.organization["opening_hours"][0]["opens"] == "09:00"
    assert site.organization["evidence"]["name"] == {"page_url": CONTACT, "method": "microdata"}
    (address,) = site.addresses
    assert (address["text"], address["page_url"], address["method"]) == ("3 Quay Lane, Ely", CONTACT, "microdata")


def test_address_on_every_page_is_one() -> None:
    pages = [read(organization('"name":"Inn"')), read(organization('"name":"Inn"').replace("Ely", "ELY"), CONTACT)]
    assert [address["page_url"] for address in site_identity(pages).addresses] == [HOME]


def test_no_page_says_nothing() -> None:
    assert site_identity([]) == identity.SiteIdentity()
    empty = site_identity([read("")])
    assert (empty.title, empty.organization, empty.logo, empty.favicon) == (None, None, None, None)


@given(st.binary(max_size=200))
def test_any_bytes_are_no_fault_of_a_manifest(body: bytes) -> None:
    identity.manifest_icons(body, HOME)
