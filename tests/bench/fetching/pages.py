"""Pages as dense as real home pages: of 102 that were measured, 1,000 bytes held 0.84 links and 210 characters of text.

What fills the rest is what fills it there: inline styles and scripts, `srcset`, the class names of page builders.
"""

import random
from collections.abc import Sequence

WORDS = [
    *("harbour", "lantern", "granite", "almond", "tide", "parish", "archive", "brewery", "nursery", "radio"),
    *("booking", "workshop", "delivery", "market", "autumn", "copper", "window", "garden", "ferry", "bakery"),
]
STYLE_SHARE, SCRIPT_SHARE = 0.15, 0.2
"""Of a page's bytes; the head's tags and the teasers are the rest."""


def make_page(
    name: str, size: int, rng: random.Random, *, path: str = "/", menu: Sequence[str] = (), desk: str = "info"
) -> bytes:
    """The page at `path` of `NAME.de`, of about `size` bytes, with links to the paths of its `menu`.

    Its title, description and icon are the generator's own, its canonical URL is its own path's, and one of its
    e-mail addresses is that of its `desk`: a crawler that mixes two pages up is found out.
    """
    parts = [f"<!doctype html><html lang='en-GB' class='no-js'><head>{_head(name, path, rng)}"]
    parts.append(f"<style id='global-styles-inline-css'>{_style(round(size * STYLE_SHARE), rng)}</style></head><body>")
    entries = "".join(f'<a class="menu-item" href="{link}">{_words(1, rng)}</a>' for link in menu)
    parts.append(f"<nav>{entries}</nav>")
    script = f"<script>window.config = {_script(round(size * SCRIPT_SHARE), rng)};</script>"
    left = size - sum(map(len, parts)) - len(script)
    while left > 0:
        parts.append(_teaser(rng))
        left -= len(parts[-1])
    return "".join([*parts, _foot(name, desk, menu[0] if menu else "/"), script, "</body></html>"]).encode()


def _words(count: int, rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=count))


def _head(name: str, path: str, rng: random.Random) -> str:
    home = f"https://www.{name}.de/"
    tags = [f"<meta charset='utf-8'><title>{_words(5, rng)}</title>"]
    tags.append(f"<meta name='description' content='{_words(20, rng)}'><link rel='canonical' href='{home}{path[1:]}'>")
    tags.append(f"<link rel='icon' href='/icon-{rng.randrange(99)}.png' sizes='32x32'>")
    tags += [f"<meta property='og:{key}' content='{_words(4, rng)}'>" for key in ("title", "type", "site_name")]
    for number in range(15):
        plugin = f"/wp-content/plugins/{rng.choice(WORDS)}/"
        tags.append(f"<link rel='stylesheet' id='{rng.choice(WORDS)}-css' href='{plugin}style.css?ver=1.{number}'>")
        tags.append(f"<script src='{plugin}js/view.min.js?ver=6.8' id='view-{number}-js' defer></script>")
    tags.append(
        f'<script type="application/ld+json">{{"@type":"Organization","name":"{name}","url":"{home}",'
        f'"email":"office@{name}.de","telephone":"+49 30 1234567"}}</script>'
    )
    return "\n".join(tags)


def _teaser(rng: random.Random) -> str:
    """One entry of a listing, as themes and page builders nest them: two links, an image, some 1,900 bytes."""
    image = f"/wp-content/uploads/2025/{rng.randrange(1, 13):02}/{rng.choice(WORDS)}-{rng.randrange(999)}"
    sizes = ", ".join(f"{image}-{width}x{width * 2 // 3}.jpg {width}w" for width in (300, 600, 768, 1024, 1536))
    link = f"/{rng.choice(WORDS)}/{rng.choice(WORDS)}-{rng.randrange(999)}/"
    element = f"{rng.randrange(16**7):07x}"
    return (
        f'<div class="elementor-element elementor-element-{element} elementor-widget elementor-widget-posts" '
        f'data-id="{element}" data-settings=\'{{"columns":"3","row_gap":{{"unit":"px","size":35,"sizes":[]}}}}\'>'
        f'<article class="elementor-post elementor-grid-item post-{rng.randrange(9999)} post type-post has-thumbnail">'
        f'<img src="{image}.jpg" srcset="{sizes}" sizes="(max-width: 768px) 100vw, 768px" alt="{_words(3, rng)}" '
        f'width="768" height="512" loading="lazy" decoding="async">'
        f'<h3 class="elementor-post__title"><a href="{link}">{_words(5, rng)}</a></h3>'
        f'<div class="elementor-post__excerpt"><p>{_words(54, rng)} <strong>{_words(2, rng)}</strong> '
        f"{_words(6, rng)} {rng.randrange(2000)}</p></div>"
        f'<a class="elementor-post__read-more" href="{link}" aria-label="Read more about {_words(4, rng)}" '
        f'tabindex="-1"><span>Read more</span></a></article></div>\n'
    )


def _style(size: int, rng: random.Random) -> str:
    rule = ":root{--wp--preset--color--%s: #%06x;--wp--preset--spacing--%d: clamp(1.5rem, 5vw, 2rem);}\n"
    return "".join(
        rule % (rng.choice(WORDS), rng.randrange(16**6), rng.randrange(90)) for _ in range(size // len(rule))
    )


def _script(size: int, rng: random.Random) -> str:
    entry = '{"id":%d,"selector":".%s > .%s","breakpoints":{"mobile":767,"tablet":1024},"lazy":true},'
    return f"[{''.join(entry % (n, *rng.choices(WORDS, k=2)) for n in range(size // len(entry)))}0]"


def _foot(name: str, desk: str, contact: str) -> str:
    return (
        f'<footer><p><a href="mailto:{desk}@{name}.de">Write to us</a> or to sales@{name}.de, Tel. 030 1234567.</p>'
        '<a href="https://www.facebook.com/harbour.shop">Facebook</a> <a href="https://github.com/harbour">GitHub</a>'
        f'<a href="{contact}">Contact</a></footer>'
    )
