"""Large pages as sites of today send them, made here: what makes a page large is seldom its text.

Together they come near the measures of 102 large pages of real sites: 252 kB in the mean and 155 kB in the median, 212
links, 54,000 characters of visible text, 85 us of BeautifulSoup with lxml a kilobyte, which is about 7 elements. The
same seed makes the same pages.
"""

import json
import math
import random
from collections.abc import Callable
from html import escape
from statistics import NormalDist

_ENGLISH = (
    "harbour lantern granite almond tide parish archive brewery nursery radio booking workshop delivery garden "
    "the of and to in for with from your our every since family made by hand fresh daily open price service"
)
_GERMAN = (
    "Übersicht Größe Möbel Küche Straße Gärten Lieferung Öffnung für über können größer schöne Bäcker Häuser "
    "der die das und mit von unser seit jeder Familie Handwerk täglich frisch Angebot Preis Termin Beratung"
)
ENGLISH, GERMAN = _ENGLISH.split(), _GERMAN.split()


def words(rng: random.Random, count: int, stock: list[str]) -> str:
    return " ".join(rng.choices(stock, k=count))


def head(rng: random.Random, stock: list[str]) -> str:
    title, text = words(rng, 5, stock), words(rng, 20, stock)
    graph = [
        {"@type": "WebSite", "@id": "#site", "name": title, "publisher": {"@id": "#org"}},
        {
            "@type": ["Organization", "LocalBusiness"],
            "@id": "#org",
            "name": title,
            "email": "info@shop.example",
            "telephone": "+49 30 23125140",
            "logo": {"@type": "ImageObject", "url": "/logo.png"},
            "address": {"@type": "PostalAddress", "streetAddress": "Quay 1", "addressLocality": "Berlin"},
            "sameAs": ["https://www.instagram.com/shop/", "https://www.linkedin.com/company/shop/"],
        },
        {"@type": "BreadcrumbList", "itemListElement": [{"@type": "ListItem", "position": n} for n in range(6)]},
    ]
    metas = "".join(
        f'<meta property="og:{name}" content="{escape(text)}">' for name in ("title", "description", "type")
    )
    icons = "".join(f'<link rel="icon" sizes="{n}x{n}" href="/icon-{n}.png">' for n in (16, 32, 192))
    styles = "".join(
        f'<link rel="stylesheet" id="s{n}-css" media="all" '
        f'href="/wp-content/plugins/{rng.choice(ENGLISH)}/css/style.min.css?ver=1.{n}.2">'
        for n in range(18)
    )
    scripts = "".join(
        f'<script src="/wp-includes/js/dist/{rng.choice(ENGLISH)}.min.js?ver={n}f3" id="j{n}-js" defer></script>'
        for n in range(18)
    )
    tags = (
        "<script>(function(w,d,s,l,i){w[l]=w[l]||[];var j=d.createElement(s);"
        "j.src='https://www.googletagmanager.com/gtm.js?id='+i;})(window,document,'script','dataLayer','GTM-X1');</script>"
    )
    return (
        f'<meta charset="utf-8"><title>{title}</title><meta name="description" content="{escape(text)}">{metas}{icons}'
        f'<meta name="generator" content="WordPress 6.8.2"><link rel="canonical" href="https://shop.example/">{styles}'
        f'{scripts}{tags}<script type="application/ld+json">{json.dumps({"@graph": graph})}</script>'
    )


def frame(rng: random.Random, stock: list[str], main: str) -> bytes:
    menu = "".join(
        f'<li class="menu-item menu-item-{n}"><a href="/{rng.choice(ENGLISH)}/{n}/">{words(rng, 2, stock)}</a></li>'
        for n in range(45)
    )
    logo = '<a href="/" class="site-logo"><img src="/logo.png" alt="Shop" width="180" height="60"></a>'
    foot = (
        '<a href="mailto:info@shop.example">info@shop.example</a> Tel. <a href="tel:+493023125140">030 231 25-140</a>'
        "<p>Fax: 030 231 25-149 · Quay 1, 10115 Berlin</p>"
        '<a href="https://www.instagram.com/shop/">Instagram</a> <a href="/contact/">Contact</a>'
    )
    return (
        f'<!doctype html><html lang="de" class="no-js"><head>{head(rng, stock)}</head><body class="home page">'
        f'<header id="masthead">{logo}<nav><ul>{menu}</ul></nav></header><main>{main}</main><footer>{foot}</footer>'
        f"</body></html>"
    ).encode()


def filled(size: int, make: Callable[[], str]) -> str:
    pieces: list[str] = []
    length = 0
    while length < size:
        pieces.append(make())
        length += len(pieces[-1])
    return "".join(pieces)


def script(rng: random.Random, size: int) -> str:
    """Inline code as plugins and tag managers leave it."""
    code = filled(
        size,
        lambda: (
            f"window.{rng.choice(ENGLISH)}=window.{rng.choice(ENGLISH)}"
            f"||function(e,t){{return e&&t?e.get({rng.randrange(999)}"
            f"):t<0}};var {rng.choice(ENGLISH)}="
            f'{{"ajax_url":"\\/wp-admin\\/ajax.php","nonce":"{rng.getrandbits(40):x}"}};\n'
        ),
    )
    return f"<script id='inline-{rng.randrange(99)}-js-after'>{code}</script>"


def drawing(rng: random.Random) -> str:
    path = " ".join(
        f"{rng.randrange(24)}.{rng.randrange(99)}c{rng.randrange(9)}-1.{rng.randrange(9)}" for _ in range(12)
    )
    return (
        '<svg aria-hidden="true" class="e-font-icon-svg" viewBox="0 0 448 512" xmlns="http://www.w3.org/2000/svg">'
        f'<path fill="currentColor" d="M{path}z"></path></svg>'
    )


def builder(rng: random.Random, size: int) -> bytes:
    """A theme with its styles and plugins' code inline, then texts as page builders box them."""
    rules = filled(
        size // 4,
        lambda: (
            f".elementor-42 .elementor-element.elementor-element-{rng.getrandbits(28):x} > .elementor-widget-container"
            f"{{--gap:{rng.randrange(60)}px;padding:{rng.randrange(40)}px 0 0 0;margin:0 auto}}\n"
        ),
    )

    def widget() -> str:
        name = f"{rng.getrandbits(28):x}"
        return (
            f'<div class="elementor-element elementor-element-{name} e-con-full e-flex e-con e-child" data-id="{name}" '
            'data-element_type="container" data-settings="{&quot;background&quot;:&quot;classic&quot;}">\n'
            f'<div class="elementor-element elementor-widget elementor-widget-heading" data-id="{name}" '
            'data-element_type="widget" data-widget_type="heading.default"><div class="elementor-widget-container">'
            f'<h3 class="elementor-heading-title elementor-size-default">{words(rng, 4, GERMAN)}</h3></div></div>\n'
            f'<div class="elementor-element elementor-widget elementor-widget-text-editor" data-id="{name}">'
            f'<div class="elementor-widget-container"><p>{words(rng, 50, GERMAN)}'
            f" <strong>{words(rng, 2, GERMAN)}</strong>"
            f" ab {rng.randrange(2000)} €</p><ul><li>{words(rng, 4, GERMAN)}</li><li>{words(rng, 4, GERMAN)}</li></ul>"
            f'</div></div><a class="elementor-button elementor-button-link elementor-size-sm" '
            f'href="https://shop.example/{rng.choice(ENGLISH)}/"><span class="elementor-button-content-wrapper">'
            f'<span class="elementor-button-icon">{drawing(rng)}</span><span class="elementor-button-text">'
            f"{words(rng, 2, GERMAN)}</span></span></a></div>\n"
        )

    main = filled(size // 2, widget)
    return frame(rng, GERMAN, f"<style id='elementor-inline-css'>{rules}</style>{main}{script(rng, size // 6)}")


def portal(rng: random.Random, size: int) -> bytes:
    """Teasers and lists of links, as newspapers and towns have them."""

    def teaser() -> str:
        links = "".join(
            '<li class="m-list__item"><a class="m-list__link" '
            f'href="/{rng.choice(ENGLISH)}/{words(rng, 3, ENGLISH).replace(" ", "-")}'
            f'-{rng.randrange(10**6)}.html">{words(rng, 6, GERMAN)}</a></li>\n'
            for _ in range(2)
        )
        return (
            f'<article class="m-teaser m-teaser--standard" data-teaser-id="{rng.randrange(10**6)}">'
            '<figure class="m-teaser__media"><picture><source type="image/webp" media="(min-width: 640px)" '
            f'srcset="/image/{rng.randrange(10**6)}/16x9/640/teaser.webp 1x, /image/16x9/1280/teaser.webp 2x">'
            '<img class="m-teaser__image" loading="lazy" '
            f'width="640" height="360" src="/image/{rng.randrange(10**6)}.jpg" '
            f'alt="{words(rng, 6, GERMAN)}"></picture></figure><div class="m-teaser__body">'
            f'<h2 class="m-teaser__title"><a href="/{rng.choice(ENGLISH)}/{rng.randrange(10**6)}.html">'
            f"{words(rng, 7, GERMAN)}"
            f'</a></h2><p class="m-teaser__text">{words(rng, 45, GERMAN)}</p>'
            f'<time class="m-teaser__date" datetime="2025-03-{rng.randrange(10, 29)}">'
            f"{rng.randrange(1, 29)}.03.2025</time>"
            f'</div><ul class="m-list">{links}</ul></article>\n'
        )

    state = filled(size // 5, lambda: f'{{"id":{rng.randrange(10**6)},"tag":"{words(rng, 2, ENGLISH)}"}},')
    main = filled(size // 2, teaser)
    return frame(rng, GERMAN, f"{main}<script type='application/json'>[{state}0]</script>{script(rng, size // 5)}")


def shop(rng: random.Random, size: int) -> bytes:
    """Products as cards with drawn icons, and once more as JSON for the script."""

    def card() -> str:
        price, name = f"{rng.randrange(9, 900)},{rng.randrange(100):02}", words(rng, 4, ENGLISH)
        path = f"/products/{name.replace(' ', '-')}-{rng.randrange(9999)}"
        return (
            '<li class="grid__item scroll-trigger animate--slide-in" data-cascade>'
            '<div class="card-wrapper product-card">'
            f'<div class="card card--standard card--media" style="--ratio-percent: 100%;"><a href="{path}" '
            f'class="full-unstyled-link" id="CardLink-{rng.randrange(10**9)}"><img loading="lazy" width="533" '
            f'src="//shop.example/cdn/shop/files/{rng.randrange(99999)}.jpg?v=17{rng.randrange(10**8)}&amp;width=533" '
            f'sizes="(min-width: 1200px) 267px, 50vw" alt="{name}"></a></div><div class="card__information">'
            f'<h3 class="card__heading h5"><a href="{path}">{name}</a></h3>'
            f'<p>{words(rng, 18, ENGLISH)}</p><div class="price"><span class="visually-hidden">'
            f'Regular price</span><span class="price-item price-item--regular">€{price} EUR</span></div></div>'
            '<button type="submit" name="add" class="quick-add__submit '
            'button button--full-width" aria-haspopup="dialog">'
            f"<span>{words(rng, 2, ENGLISH)}</span>{drawing(rng)}</button></div></li>\n"
        )

    def product() -> str:
        return json.dumps(
            {
                "id": rng.randrange(10**13),
                "sku": f"{rng.randrange(10**6)}-{rng.randrange(99)}",
                "title": words(rng, 5, ENGLISH),
            }
        )

    state, main = filled(size // 4, lambda: product() + ","), filled(size // 2, card)
    return frame(
        rng,
        ENGLISH,
        f"<ul>{main}</ul><script type='application/json'>[{state}{{}}]</script>{script(rng, size // 8)}",
    )


def application(rng: random.Random, size: int) -> bytes:
    """A page that a framework rendered, with its state behind it."""

    def block() -> str:
        boxes = "".join(
            '<div class="flex items-start gap-x-3 rounded-xl border border-gray-200 bg-white p-6 shadow-sm"><div '
            'class="flex h-10 w-10 shrink-0 items-center justify-center rounded-lg bg-indigo-600">'
            f'{drawing(rng)}</div><div><dt class="text-base font-semibold leading-7 text-gray-900">'
            f"{words(rng, 3, ENGLISH)}"
            f'</dt><dd class="mt-2 text-base leading-7 text-gray-600">{words(rng, 30, ENGLISH)}</dd></div></div>'
            for _ in range(3)
        )
        return (
            '<section class="mx-auto max-w-7xl px-6 py-24 lg:px-8">'
            '<div class="flex flex-col gap-4 md:grid md:grid-cols-2">'
            '<h2 class="text-2xl font-semibold tracking-tight">'
            f"{words(rng, 6, ENGLISH)}</h2><p class='text-base leading-7 text-gray-600'>{words(rng, 90, ENGLISH)}</p>"
            f'<a class="inline-flex items-center rounded-md px-3" href="/{rng.choice(ENGLISH)}">'
            f"{words(rng, 2, ENGLISH)}</a></div><dl>{boxes}</dl></section>"
        )

    state = filled(size * 2 // 5, lambda: f'{{"key":"{rng.getrandbits(64):x}","text":"{words(rng, 12, ENGLISH)}"}},')
    return frame(
        rng,
        ENGLISH,
        f'<div id="__next">{filled(size // 2, block)}</div>'
        f'<script id="__NEXT_DATA__" type="application/json">{{"props":[{state}0]}}</script>'
        "<script src='/_next/static/chunks/main-1f.js' async></script>",
    )


def table(rng: random.Random, size: int) -> bytes:
    """A catalogue in a table: numbers that look like phones."""

    def row() -> str:
        return (
            f'<tr class="{rng.choice(("odd", "even"))}" valign="top"><td class="artnr" width="12%">'
            f'{rng.randrange(10**7)}</td><td class="bezeichnung"><a href="/artikel.php?nr={rng.randrange(10**7)}&amp;'
            f'gruppe={rng.randrange(99)}">{words(rng, 3, GERMAN)}</a></td>'
            f'<td class="masse">{rng.randrange(99)} x {rng.randrange(99)} x {rng.randrange(99)} mm</td>'
            f'<td class="beschreibung"><font face="Arial" size="2">{words(rng, 12, GERMAN)}</font></td>'
            f'<td class="preis" align="right">{rng.randrange(99)}.{rng.randrange(1000):03},00</td></tr>\n'
        )

    return frame(rng, GERMAN, f"<table border=0 cellpadding=2>{filled(size * 4 // 5, row)}</table>")


def article(rng: random.Random, size: int) -> bytes:
    """Long text with comments below it."""

    def part() -> str:
        text = words(rng, 130, GERMAN)
        return (
            f'<h2 class="wp-block-heading">{words(rng, 5, GERMAN)}</h2>\n<p>{text[:300]} '
            f'<a href="https://other.example/{rng.randrange(999)}" rel="noopener">{words(rng, 3, GERMAN)}</a> '
            f'{text[300:]}</p>\n<div class="comment even thread-even depth-1" id="comment-{rng.randrange(9999)}">'
            '<div class="comment-author vcard"><img alt="" '
            f'src="https://avatars.example/avatar/{rng.getrandbits(128):x}?s=48" '
            f'class="avatar photo" height="48" width="48"><cite class="fn">{words(rng, 2, GERMAN)}</cite></div>'
            f'<div class="comment-meta"><a href="#comment-{rng.randrange(9999)}"><time>{rng.randrange(1, 29)}.'
            f"{rng.randrange(1, 13)}.2025, {rng.randrange(24)}:15</time></a></div>"
            f"<p>{words(rng, 40, GERMAN)}</p></div>\n"
        )

    return frame(rng, GERMAN, f"<article>{filled(size * 3 // 5, part)}</article>{script(rng, size // 3)}")


KINDS = (builder, shop, application, portal, article, table)
_ORDER = (*KINDS[:-1], *KINDS[:-1], table)
MEDIAN_BYTES, MEAN_BYTES = 155_000, 252_000


def pages(count: int, seed: int = 7) -> list[bytes]:
    """`count` pages, tables half as many as each other kind, their sizes log-normal."""
    rng = random.Random(seed)
    spread = math.sqrt(2 * math.log(MEAN_BYTES / MEDIAN_BYTES))
    sizes = [MEDIAN_BYTES * math.exp(spread * NormalDist().inv_cdf((n + 0.5) / count)) for n in range(count)]
    rng.shuffle(sizes)
    return [_ORDER[number % len(_ORDER)](rng, int(size)) for number, size in enumerate(sizes)]
