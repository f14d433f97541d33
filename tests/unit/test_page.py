"""What one page says, from its bytes."""

import gc
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bs4.element import PageElement
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.scraping import events, gathered, identity, soup
from scrapersky.scraping.gathered import LAST_LINKS, MAX_LINKS, Link
from scrapersky.scraping.identity import SiteIdentity
from scrapersky.scraping.page import PageFacts, parse_page

PAGES = Path(__file__).parent.parent / "data" / "pages"
HTML = {"content-type": "text/html; charset=utf-8"}


def page(markup: str, url: str = "https://shop.example/", **headers: str) -> PageFacts:
    return parse_page(markup.encode(), url, HTML | headers)


def site(facts: PageFacts) -> SiteIdentity:
    """What a site of this page alone says of itself."""
    return identity.site_identity([identity.read(facts)])


def favicon_url(facts: PageFacts) -> str | None:
    found = site(facts).favicon
    return found.url if found else None


def logo_url(facts: PageFacts) -> str | None:
    found = site(facts).logo
    return found.url if found else None


def targets(facts: PageFacts, scheme: str) -> tuple[str, ...]:
    return tuple(link.href.removeprefix(scheme) for link in facts.links if link.href.startswith(scheme))


def test_a_whole_page() -> None:
    facts = parse_page((PAGES / "wordpress.html").read_bytes(), "https://fen-field.example/", HTML)
    assert facts.title == "Fen & Field Bakery | Ely"
    assert facts.description == "Sourdough and rye from Ely."
    assert facts.language == "en-GB"
    assert facts.canonical_url == "https://fen-field.example/"
    assert favicon_url(facts) == "https://fen-field.example/wp-content/uploads/icon-192.png"
    assert logo_url(facts) == "https://fen-field.example/wp-content/uploads/logo.png"
    assert facts.open_graph == {
        "og:title": "Fen & Field",
        "og:image": "https://fen-field.example/wp-content/uploads/loaf.jpg",
    }
    assert [thing["@type"] for thing in facts.json_ld] == ["WebSite", ["Organization", "Bakery"]]
    assert [text.split()[0] for text in facts.generators] == ["WordPress", "Elementor"]
    assert targets(facts, "mailto:") == ("Hello@fen-field.example?subject=Bread",)
    assert targets(facts, "tel:") == ("+441632%20960123",)
    assert ("/contact/", "Visit us") in [(link.href, link.text) for link in facts.links]
    assert not facts.truncated


def test_text_is_what_a_reader_sees() -> None:
    facts = parse_page((PAGES / "imprint_de.html").read_bytes(), "https://zimmerei.example/", HTML)
    assert "Am Sägewerk 5\n83236 Übersee" in facts.text
    for hidden in ("stil@", "noscript@", "vorlage@", "skript@", "Impressum \u2013 Zimmerei"):
        assert hidden not in facts.text
    assert 'var m = "skript@zimmerei.example"' in facts.scripts


def test_image_named_logo_in_the_link_home_is_the_logo() -> None:
    facts = parse_page((PAGES / "imprint_de.html").read_bytes(), "https://zimmerei.example/impressum", HTML)
    assert logo_url(facts) == "https://zimmerei.example/bilder/hoelzl-logo.svg"
    assert favicon_url(facts) == "https://zimmerei.example/favicon.ico"


def test_latin_1_page_without_a_declaration() -> None:
    body = "<title>Pastelería Añil</title><a href='/menú'>Menú</a>".encode("latin-1")
    facts = parse_page(body, "https://anil.example/", {"content-type": "text/html"})
    assert facts.title == "Pastelería Añil"
    assert facts.links == (Link("/menú", None, "Menú"),)


def test_utf8_page_that_says_gb2312_keeps_title_and_links() -> None:
    body = '<meta charset="gb2312"><title>Möbel</title><a href="/küche">Küche 厨房</a>'.encode()
    facts = parse_page(body, "https://moebel.example/", {"content-type": "text/html"})
    assert (facts.title, facts.links) == ("Möbel", (Link("/küche", None, "Küche 厨房"),))


def test_nothing_found_is_none() -> None:
    facts = page("<p>hello")
    assert (facts.title, facts.description, facts.language, facts.canonical_url) == (None, None, None, None)
    assert (favicon_url(facts), logo_url(facts), facts.open_graph, facts.json_ld) == (None, None, {}, ())
    assert page("<title>  </title><meta name=description content=' '>").title is None


def test_first_value_wins_and_the_drawing_s_title_is_none_of_the_page_s() -> None:
    facts = page("<svg><title>Icon</title></svg><title>One</title><title>Two</title>")
    assert facts.title == "One"


def test_urls_are_resolved_against_the_base_element() -> None:
    facts = page('<base href="/de/"><link rel="canonical" href="start"><link rel="icon" href="//cdn.example/i.png">')
    assert facts.canonical_url == "https://shop.example/de/start"
    assert favicon_url(facts) == "https://cdn.example/i.png"


@pytest.mark.parametrize(
    "href", ["data:,x", "javascript:alert(1)", "http://[::1", "mailto:a@b.de", "https://", "x" * 3000]
)
def test_what_is_no_web_address_is_no_canonical_url(href: str) -> None:
    assert page(f'<link rel="canonical" href="{href}">').canonical_url is None


@pytest.mark.parametrize(
    ("icons", "best"),
    [
        ('<link rel="icon" href="/a.png" sizes="16x16"><link rel="icon" href="/b.png" sizes="64x64">', "/b.png"),
        (
            '<link rel="icon" href="/a.png" sizes="512x512"><link rel="icon" href="/b.svg" type="image/svg+xml">',
            "/b.svg",
        ),
        ('<link rel="SHORTCUT ICON" href="/a.ico"><link rel="icon" href="/b.ico">', "/b.ico"),
        ('<link rel="apple-touch-icon" href="/touch.png"><link rel="icon" href="/a.ico">', "/a.ico"),
        ('<link rel="apple-touch-icon" href="/touch.png"><link rel="mask-icon" href="/m.svg">', "/touch.png"),
    ],
)
def test_best_favicon(icons: str, best: str) -> None:
    assert favicon_url(page(icons)) == "https://shop.example" + best


@pytest.mark.parametrize(
    ("markup", "header", "language"),
    [
        ('<html lang="de-AT">', "fr", "de-AT"),
        ('<html xml:lang="it">', None, "it"),
        ('<meta http-equiv="content-language" content="nl">', None, "nl"),
        ("<p>", "fr", "fr"),
        ("<p>", "fr, de", None),
        ('<html lang="${lang}">', None, None),
    ],
)
def test_language(markup: str, header: str | None, language: str | None) -> None:
    headers = {"content-language": header} if header else {}
    assert parse_page(markup.encode(), "https://shop.example/", HTML | headers).language == language


@pytest.mark.parametrize(
    ("href", "is_home"),
    [
        ("/", True),
        ("https://shop.example/", True),
        ("http://www.shop.example", True),
        ("index.php", True),
        ("https://shop.example/Index.html", True),
        ("/tools/index.php", False),
        ("index.php?id=7", False),
        ("/brands", False),
        ("https://blog.shop.example/", False),
        ("https://other.example/index.html", False),
    ],
)
def test_link_home_is_one_however_it_is_written(href: str, is_home: bool) -> None:
    facts = parse_page(f'<a href="{href}"><img src="/logo.gif"></a>'.encode(), "https://www.shop.example/", HTML)
    assert logo_url(facts) == ("https://www.shop.example/logo.gif" if is_home else None)


@pytest.mark.parametrize(
    "markup",
    [
        "<header><a href='/'><img src='/img/acme.svg'></a></header>",
        "<nav><a class='navbar-brand' href='https://shop.example/index.html'><img src='/img/acme.svg'></a></nav>",
        "<table><tr><td><a href='index.php'><img src='/img/acme.svg'></a></td></tr></table><h1>Shop</h1>",
        "<header><a href='/'><img src='/de.png'></a><a href='/'><img src='/home.gif'></a>"
        "<h1><a href='/'><img src='/img/acme.svg'></a></h1><a href='/'><img src='/img/second.svg'></a></header>",
    ],
)
def test_first_image_in_a_link_home_may_be_the_logo(markup: str) -> None:
    facts = page(markup)
    assert logo_url(facts) == "https://shop.example/img/acme.svg"
    assert [logo.source for logo in facts.logos] == ["home-link"]
    assert (
        logo_url(page(markup + "<header><img src='/acme-logo.svg'></header>")) == "https://shop.example/acme-logo.svg"
    )


@pytest.mark.parametrize(
    "markup",
    [
        "<header><img src='/img/acme.svg'></header>",
        "<header><a href='/shoes'><img src='/img/shoe.jpg'></a></header>",
        "<header><a href='https://other.example/'><img src='/img/other.svg'></a></header>",
        "<header><a href='/?lang=de'><img src='/img/tongue.svg'></a><a href='#'><img src='/img/x.svg'></a></header>",
        "<header><a href='/'><img src='/flags/en.svg'></a><a href='/'><img src='/img/home-white.png'></a></header>",
        "<a href='/'><img src='/count.gif' width=1 height=1></a>",
        "<h1>Shop</h1><p><a href='/'><img src='/img/acme.svg'></a>",
    ],
)
def test_image_that_leads_elsewhere_or_is_a_sign_is_no_logo(markup: str) -> None:
    assert logo_url(page(markup)) is None


def test_logos_of_customers_are_not_the_site_s() -> None:
    assert logo_url(page('<header><a href="/x">Shop</a></header><img src="/customer-logo.png">')) is None
    assert logo_url(page('<footer><a href="https://pay.example/"><img src="/pay-logo.png"></a></footer>')) is None


@pytest.mark.parametrize(
    "script",
    [
        '<!-- {"@type":"Organization","name":"A"} -->',
        '//<![CDATA[\n{"@type":"Organization","name":"A"}\n//]]>',
        '{"@type":"Organization","name":"A",}',
        '{"@type":"Organization","name":"A"};',
        '[{"@type":"Organization","name":"A"}, "x", 3]',
        '{"@graph":[{"@type":"Organization","name":"A"}]}',
        '{"@type":"Organization",\n"name":"A","description":"two\nlines"}',
    ],
)
def test_json_ld_is_read_leniently(script: str) -> None:
    facts = page(f'<script type="application/ld+json">{script}</script>')
    assert [(thing["@type"], thing["name"]) for thing in facts.json_ld] == [("Organization", "A")]


@pytest.mark.parametrize("script", ["", "null", "{", "[" * 100_000, '{"a":' + "9" * 5000 + "}"])
def test_what_is_no_json_is_no_json_ld(script: str) -> None:
    assert page(f'<script type="application/ld+json">{script}</script>').json_ld == ()


def test_json_ld_holds_nothing_that_a_database_refuses() -> None:
    facts = page(
        '<script type="application/ld+json">{"a":"x\\u0000\\ud800y","b":NaN,"c":1e999,"d":"\\ud83d\\ude00"}</script>'
    )
    assert facts.json_ld == ({"a": "xy", "b": None, "c": None, "d": "😀"},)


@pytest.mark.parametrize(
    "body", [b"", b"   ", b"plain text", b"http://x.example", b"index.html", b"\x00\x00", b"\xff\xfe"]
)
def test_what_is_hardly_a_page_has_no_facts(body: bytes) -> None:
    facts = parse_page(body, "https://shop.example/", {})
    assert (facts.title, facts.links) == (None, ())


def test_nul_bytes_do_not_end_the_page() -> None:
    facts = page("<p>a\0b</p><a href='/x'>later</a>")
    assert facts.links == (Link("/x", None, "later"),)
    assert "\0" not in facts.text


@pytest.mark.parametrize(
    "make",
    [
        lambda: "<div>" * 300_000 + "</p>" * 300_000,
        lambda: "<b><i>" * 100_000 + "</b>" * 100_000,
        lambda: "<meta name=a content=b>" * 100_000,
        lambda: "<a href=x>" * 200_000,
        lambda: "<" * 2_000_000,
        lambda: "<!--" * 500_000,
        lambda: "<p " + "a=1 " * 300_000 + ">",
        lambda: "<title>" + "x" * 2_000_000,
        lambda: "a@" * 1_000_000,
        lambda: "<script type=application/ld+json>" + '{"a":' * 100_000,
    ],
    ids=["stray-ends", "misnested", "metas", "anchors", "angles", "comments", "attributes", "title", "ats", "json"],
)
def test_hostile_page_costs_bounded_time(make: Callable[[], str]) -> None:
    begun = time.process_time()
    page(make())
    assert time.process_time() - begun < 5  # seconds; each takes far less than one, and minutes if it grows squared


def test_page_deeper_than_the_limit_says_that_it_is_cut() -> None:
    facts = page("<title>T</title><a href=/before>x</a>" + "<div>" * (events.MAX_DEPTH + 1) + "<a href=/after>y</a>")
    assert facts.truncated
    assert facts.title == "T"
    assert [link.href for link in facts.links] == ["/before"]


def test_huge_page_is_read_to_its_end() -> None:
    row = "<tr><td>Überschrift</td><td><a href='/produkt'>Produkt</a></td></tr>\n"
    facts = page("<title>Katalog</title><table>" + row * 5_000 + "</table><a href='mailto:ende@shop.example'>Ende</a>")
    assert len(facts.links) == 5_001
    assert targets(facts, "mailto:") == ("ende@shop.example",)
    assert facts.text.count("Überschrift") == 5_000
    assert not facts.truncated


def test_the_last_links_of_a_page_are_kept_like_its_first() -> None:
    products = "".join(f"<a href=/p/{number}>p</a>" for number in range(MAX_LINKS))
    token = "<span data-cfemail={}>x</span>"
    tokens = "".join(token.format(f"{number:06x}") for number in range(MAX_LINKS))
    footer = (
        "<footer><a href=/get-in-touch/>Write</a><a href='mailto:a@b.de'>m</a><a href=tel:+41446681800>t</a></footer>"
    )
    facts = page(f"<a href=/first>f</a>{products}{footer}{tokens}{token.format('ffffff')}")
    hrefs = [link.href for link in facts.links]
    assert len(hrefs) == len(facts.cfemail) == MAX_LINKS
    assert hrefs[:2] == ["/first", "/p/0"]
    assert hrefs[-4:] == [f"/p/{MAX_LINKS - 1}", "/get-in-touch/", "mailto:a@b.de", "tel:+41446681800"]
    # One gap, and the order of the page on both sides of it.
    assert hrefs[MAX_LINKS - LAST_LINKS - 1 :][:2] == [
        f"/p/{MAX_LINKS - LAST_LINKS - 2}",
        f"/p/{MAX_LINKS - LAST_LINKS + 3}",
    ]
    assert (targets(facts, "mailto:"), targets(facts, "tel:")) == (("a@b.de",), ("+41446681800",))
    assert (facts.cfemail[0], facts.cfemail[-1]) == ("000000", "ffffff")
    assert facts.links[-1].place == "footer"
    assert facts.truncated


def test_a_page_of_just_as_many_links_as_are_kept_is_whole() -> None:
    facts = page("".join(f"<a href=/p/{number}>p</a>" for number in range(MAX_LINKS)))
    assert [link.href for link in facts.links] == [f"/p/{number}" for number in range(MAX_LINKS)]
    assert not facts.truncated


PIECES = (
    *("<a href=", "'x'", ">", "</a>", "<title>", "</title>", "<script", " type=application/ld+json", "{", "}"),
    *("<svg>", "</svg>", "<template>", "</template>", "<base href=//[>", "<meta name=generator content=x>", "<header>"),
    *("</nav>", "<img src=logo>", "<iframe>", "&#0;", "&#xD800;", "\0", "<link rel=icon href=x>"),
)


@given(st.text(max_size=400) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_markup_is_read(markup: str) -> None:
    facts = parse_page(markup.encode("utf-8", "surrogatepass"), "https://shop.example/", {})
    facts.text.encode("utf-8")


def test_a_page_that_was_read_leaves_nothing_for_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        facts = page("<title>Shop</title><meta name=description content=Tea><a href=/a>A</a>")
        kinds = soup.LeanBuilder | events.PageReader | PageElement
        left = [thing for thing in gc.get_objects() if isinstance(thing, kinds)]
    finally:
        gc.enable()
    assert facts.title == "Shop"
    assert all(vars(thing) == {} for thing in left)  # the parser's own knot holds the empty reader


@pytest.mark.parametrize(
    ("markup", "place"),
    [
        ("<header><nav><a href=/x>x</a></nav></header>", "nav"),
        ("<header><div><a href=/x>x</a></div></header>", "header"),
        ("<footer><p><a href=/x>x</a></footer>", "footer"),
        ("<div id=footer><div><a href=/x>x</a></div></div>", "footer"),
        ("<div role=navigation><a href=/x>x</a></div>", "nav"),
        ('<div class="wide Site-Footer"><a href=/x>x</a></div>', "footer"),
        ("<main><article><header><a href=/x>x</a></header></article></main>", None),
        ("<article><footer></footer></article><footer><a href=/x>x</a></footer>", "footer"),
        ("<header>top</header><div><a href=/x>x</a></div>", None),
    ],
)
def test_place_of_a_link(markup: str, place: str | None) -> None:
    assert [link.place for link in page(markup).links] == [place]


def test_label_of_a_link_without_text() -> None:
    facts = page(
        "<a href=/a aria-label='Call  us' title=no>x</a><a href=/b title=Mail></a>"
        "<a href=/c><img src=x.png alt=Insta></a><a href=/d><img src=y.png></a>"
    )
    assert [link.label for link in facts.links] == ["Call us", "Mail", "Insta", None]


@pytest.mark.parametrize(
    "markup",
    [
        "info<span>@</span>x.de",
        "in<b>f</b>o@<wbr>x.de",
        "in\u200bfo&shy;@\u2060x.de",
        "info<!-- no -->@x.de",
        "info<span style='display: none'>spam<b>not</b></span>@x.de",
        "\u202ainfo@x.de\u202c",
    ],
)
def test_what_nobody_sees_does_not_part_a_word(markup: str) -> None:
    assert page(f"<p>{markup}</p>").text.strip() == "info@x.de"


def test_forms_and_password_fields_are_seen() -> None:
    facts = page(
        "<form class=wpcf7-form action=' https://news.example/subscribe '><input type=Password></form><form></form>"
    )
    assert (facts.forms, facts.form_actions) == (2, ("https://news.example/subscribe",))
    assert facts.has_password_field
    assert not page("<p>password <input type=text></p>").has_password_field


def test_text_without_javascript() -> None:
    facts = page("<noscript>Please <b>enable</b> JavaScript<style>p{}</style> now</noscript><p>Hello</p>")
    assert facts.noscript == "Please enable JavaScript now"
    assert facts.text.strip() == "Hello"


def test_data_blocks_are_no_code_and_only_begun() -> None:
    facts = page(
        "<script>code()</script><script type=module>more()</script>"
        f"<script type=application/json>{{{'x' * 9_999}</script><script type=text/template>tail</script>"
    )
    assert facts.scripts == "code()more()"
    assert facts.data_blocks == "{" + "x" * (gathered.MAX_DATA_BLOCK_CHARS - 1) + "tail"


def test_text_that_is_not_visible_is_no_link_s() -> None:
    markup = (
        "<a href=/a>Our <noscript>hidden <a href=/b>image</a> </noscript>shop</a>"
        "<a href=/c>Write<script>track()</script> us</a>"
        "<a href=/d>info<span style='display:none'>no</span>@x.de</a>"
    )
    facts = page(markup)
    assert [(link.href, link.text) for link in facts.links] == [
        ("/a", "Our"),
        ("/b", None),
        ("/c", "Write us"),
        ("/d", "info@x.de"),
    ]
    assert facts.text.split() == ["Our", "shop", "Write", "us", "info@x.de"]
    assert facts.scripts == "track()"


def test_what_is_hidden_when_a_page_ends_early_stays_hidden() -> None:
    facts = page("<p>Hello</p><noscript>scripts</noscript><template>draft" + "<b>" * (events.MAX_DEPTH + 1))
    assert (facts.text.split(), facts.noscript, facts.truncated) == (["Hello"], "scripts", True)


def test_data_beyond_a_head_s_bound_is_no_text() -> None:
    data = "<script type='application/ld+json'>{}</script>" * (gathered.MAX_HEAD_TAGS + 1)
    assert page(f"{data}<p>Hello</p>").text.split() == ["Hello"]


def test_noscript_is_bounded() -> None:
    assert len(page("<noscript>" + "x " * 100_000).noscript) == gathered.MAX_NOSCRIPT_CHARS


def test_outermost_elements_are_marks_of_software() -> None:
    deep = "<div>" * gathered.SHALLOW_DEPTH
    facts = page(f"<body data-page=7><div id=root data-reactroot><i ng-version='17.1'></i>{deep}<b id=deep data-deep>")
    assert "root" in facts.body_ids
    assert (facts.marks["ng-version"], facts.marks["data-page"]) == ("17.1", "7")
    assert "data-reactroot" in facts.marks
    assert "deep" not in facts.body_ids
    assert "data-deep" not in facts.marks


def test_microdata_is_read_as_pairs_and_as_items() -> None:
    facts = page(
        "<div itemscope itemtype=https://schema.org/Store><span itemprop=name>Tea <b>Shop</b></span>"
        "<a itemprop='url sameAs' href=/tea>x</a><meta itemprop=telephone content='030 1234567'>"
        "<p itemprop=address itemscope itemtype=https://schema.org/PostalAddress>"
        "<span itemprop=addressLocality>Ely</span></p><span itemprop=telephone>030 7654321</span></div>"
        "<span itemprop=email>tea@shop.example</span>"
    )
    assert facts.microdata == (
        ("name", "Tea Shop"),
        ("url", "/tea"),
        ("sameAs", "/tea"),
        ("telephone", "030 1234567"),
        ("addressLocality", "Ely"),
        ("telephone", "030 7654321"),
        ("email", "tea@shop.example"),
    )
    assert facts.microdata_items == (
        {
            "@type": "https://schema.org/Store",
            "name": "Tea Shop",
            "url": "/tea",
            "sameAs": "/tea",
            "telephone": ["030 1234567", "030 7654321"],
            "address": {"@type": "https://schema.org/PostalAddress", "addressLocality": "Ely"},
        },
    )


def test_microdata_is_bounded() -> None:
    facts = page("<p itemscope><i itemprop=name>x</i>" * 5_000)
    assert len(facts.microdata) <= gathered.MAX_MICRODATA
    assert len(facts.microdata_items) <= gathered.MAX_MICRODATA
    facts = page("<div itemscope>" + "<p itemprop=part itemscope></p>" * 5_000 + "</div>")
    assert len(facts.microdata_items[0]["part"]) == gathered.MAX_MICRODATA - 1


def test_meta_with_both_a_name_and_a_property_counts_as_both() -> None:
    facts = page("<meta property=og:description name=description content=Tea><meta name='' property=og:type content=x>")
    assert facts.description == "Tea"
    assert facts.open_graph == {"og:description": "Tea", "og:type": "x"}


def test_cards_and_other_named_metas() -> None:
    facts = page(
        "<meta name=twitter:site content=@shop><meta property=twitter:site content=@late><meta name=author content=Ann>"
    )
    assert facts.twitter == {"twitter:site": "@shop"}
    assert facts.metas["author"] == "Ann"
    assert page("".join(f"<meta name=a{n} content=x>" for n in range(999))).metas.keys() == {
        f"a{n}" for n in range(200)
    }
