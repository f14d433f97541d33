"""Large pages as sites of today send them, made here: what makes a page large is seldom its text.

A shop sends its products once more as JSON, an application its whole state, a WordPress theme its styles, an old site
tables; the same seed makes the same pages.
"""

import json
import random
from collections.abc import Callable
from html import escape

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


def wordpress(rng: random.Random, size: int) -> bytes:
    """A theme with its styles inline, then teasers as builders nest them."""
    rules = filled(size * 2 // 5, lambda: f".e-{rng.randrange(9999)} .col{{--gap:{rng.randrange(60)}px;margin:0 auto}}")

    def teaser() -> str:
        return (
            '<div class="elementor-element elementor-widget" data-id="3f1" data-element_type="widget">'
            '<div class="elementor-widget-container">'
            f'<article class="post type-post status-publish"><h3 class="entry-title"><a href="/{rng.choice(ENGLISH)}/">'
            f'{words(rng, 5, GERMAN)}</a></h3><img loading="lazy" decoding="async" width="300" height="200" '
            f'src="/wp-content/uploads/2025/{rng.randrange(99)}.jpg" alt="{words(rng, 3, GERMAN)}" '
            'srcset="/wp-content/uploads/a-300x200.jpg 300w, /wp-content/uploads/a-768x512.jpg 768w" '
            f'sizes="(max-width: 300px) 100vw"><p>{words(rng, 45, GERMAN)} <strong>{words(rng, 3, GERMAN)}</strong> '
            f"{words(rng, 20, GERMAN)} {rng.randrange(2000)} €</p></article></div></div>\n"
        )

    return frame(rng, GERMAN, f"<style>{rules}</style>{filled(size * 2 // 5, teaser)}")


def shop(rng: random.Random, size: int) -> bytes:
    """Products as cards with drawn icons, and once more as JSON for the script."""
    icon = (
        '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="'
        + "M12 2l3.1 6.3 6.9 1-5 4.9 " * 12
        + '"/></svg>'
    )

    def card() -> str:
        price = f"{rng.randrange(9, 900)},{rng.randrange(100):02}"
        return (
            f'<li class="product"><a href="/products/{rng.choice(ENGLISH)}-{rng.randrange(9999)}" class="card__link">'
            f'<img src="/cdn/shop/files/{rng.randrange(99999)}.jpg?v=17{rng.randrange(10**8)}&width=533" '
            f'alt="{words(rng, 3, ENGLISH)}">'
            f'<h3 class="card__heading">{words(rng, 4, ENGLISH)}</h3></a>{icon}'
            f'<span class="price-item">€{price} EUR</span>'
            '<button type="submit" name="add" class="quick-add__submit" aria-haspopup="dialog">'
            f"{words(rng, 2, ENGLISH)}</button></li>\n"
        )

    def product() -> str:
        return json.dumps(
            {
                "id": rng.randrange(10**13),
                "sku": f"{rng.randrange(10**6)}-{rng.randrange(99)}",
                "title": words(rng, 5, ENGLISH),
            }
        )

    state = filled(size // 2, lambda: product() + ",")
    return frame(
        rng, ENGLISH, f"<ul>{filled(size // 3, card)}</ul><script type='application/json'>[{state}{{}}]</script>"
    )


def application(rng: random.Random, size: int) -> bytes:
    """A page that a framework rendered, with its state behind it."""

    def block() -> str:
        return (
            '<div class="flex flex-col gap-4 md:grid md:grid-cols-2 lg:px-8">'
            '<h2 class="text-2xl font-semibold tracking-tight">'
            f"{words(rng, 6, ENGLISH)}</h2><p class='text-base leading-7 text-gray-600'>{words(rng, 60, ENGLISH)}</p>"
            f'<a class="inline-flex items-center rounded-md px-3" href="/{rng.choice(ENGLISH)}">'
            f"{words(rng, 2, ENGLISH)}</a></div>"
        )

    state = filled(size * 3 // 5, lambda: f'{{"key":"{rng.getrandbits(64):x}","text":"{words(rng, 12, ENGLISH)}"}},')
    return frame(
        rng,
        ENGLISH,
        f'<div id="__next">{filled(size * 3 // 10, block)}</div>'
        f'<script id="__NEXT_DATA__" type="application/json">{{"props":[{state}0]}}</script>'
        "<script src='/_next/static/chunks/main-1f.js' async></script>",
    )


def table(rng: random.Random, size: int) -> bytes:
    """A catalogue in a table: numbers that look like phones, and few attributes."""

    def row() -> str:
        return (
            f'<tr><td>{rng.randrange(10**7)}</td><td><a href="/artikel.php?nr={rng.randrange(10**7)}">'
            f"{words(rng, 3, GERMAN)}</a></td>"
            f"<td>{rng.randrange(99)} x {rng.randrange(99)} x {rng.randrange(99)} mm</td>"
            f"<td>{words(rng, 12, GERMAN)}</td>"
            f"<td>{rng.randrange(99)}.{rng.randrange(1000):03},00</td></tr>\n"
        )

    return frame(rng, GERMAN, f"<table border=0 cellpadding=2>{filled(size * 9 // 10, row)}</table>")


def article(rng: random.Random, size: int) -> bytes:
    """Long text with comments below it."""

    def part() -> str:
        text = words(rng, 120, GERMAN)
        return (
            f"<h2>{words(rng, 5, GERMAN)}</h2><p>{text[:300]} "
            f'<a href="https://other.example/{rng.randrange(999)}">{words(rng, 3, GERMAN)}</a> {text[300:]}</p>'
            f'<div class="comment" id="c-{rng.randrange(9999)}"><cite>{words(rng, 2, GERMAN)}</cite> '
            f"<time>{rng.randrange(1, 29)}.{rng.randrange(1, 13)}.2025, {rng.randrange(24)}:15</time>"
            f"<p>{words(rng, 30, GERMAN)}</p></div>"
        )

    return frame(rng, GERMAN, f"<article>{filled(size * 9 // 10, part)}</article>")


KINDS = (wordpress, shop, application, table, article)
SIZES = (90_000, 120_000, 160_000, 220_000, 400_000)


def pages(count: int, seed: int = 7) -> list[bytes]:
    """`count` pages, each kind and size as often as the others; their mean is above 150 kB."""
    rng = random.Random(seed)
    return [
        KINDS[number % len(KINDS)](rng, SIZES[(number // len(KINDS) + number) % len(SIZES)]) for number in range(count)
    ]
