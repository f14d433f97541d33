"""Which software shows itself in a page, and what does not count as showing."""

from pathlib import Path

import pytest

from scrapersky.domain.facts import Technology
from scrapersky.scraping.page import PageFacts, parse_page
from scrapersky.scraping.technology import find_technologies, signatures, wordpress_theme

PAGES = Path(__file__).parent.parent / "data" / "pages"


def page(markup: str | bytes, url: str = "https://shop.example/") -> PageFacts:
    body = markup if isinstance(markup, bytes) else markup.encode()
    return parse_page(body, url, {"content-type": "text/html; charset=utf-8"})


def names(facts: PageFacts, **headers: str) -> dict[str, str | None]:
    return {found.name: found.version for found in find_technologies(facts, headers)}


def test_wordpress_site_with_its_plugins_and_their_versions() -> None:
    facts = page((PAGES / "wordpress.html").read_bytes(), "https://fen-field.example/")
    assert names(facts) == {
        "WordPress": "6.8.2",
        "Elementor": "3.30.3",  # and not 5.43.0, the version of its icon library
        "WooCommerce": "9.9.5",
        "Contact Form 7": "6.1.1",
        "WPForms": "1.9.7",
        "Yoast SEO": "25.6",
        "hello-elementor-child": None,
        "cake-counter": None,  # its `ver=` is WordPress's
    }
    assert wordpress_theme(facts) == "hello-elementor-child"


def test_each_technology_carries_what_gave_it_away() -> None:
    facts = page((PAGES / "wordpress.html").read_bytes(), "https://fen-field.example/")
    found = {technology.name: technology for technology in find_technologies(facts, {})}
    assert found["WordPress"] == Technology("WordPress", "CMS", "6.8.2", "generator: WordPress 6.8.2")
    assert found["Yoast SEO"].evidence.startswith("comment: This site is optimized with the Yoast SEO plugin v25.6")
    assert found["cake-counter"].category == "WordPress plugin"
    assert "/wp-content/plugins/cake-counter/count.js" in found["cake-counter"].evidence


def test_site_whose_assets_are_merged_shows_itself_by_classes_and_its_emoji_script() -> None:
    facts = page((PAGES / "divi_wpforms.html").read_bytes(), "https://ridge.example/")
    assert names(facts) == {"WordPress": "6.7.1", "Divi": "4.27.4", "WPForms": None, "Contact Form 7": None}
    assert wordpress_theme(facts) is None


def test_words_and_other_sites_files_are_no_evidence() -> None:
    facts = page((PAGES / "shop.html").read_bytes(), "https://harbour.example/")
    assert names(facts) == {"Shopify": None, "Google Analytics": None}


def test_plugin_implies_what_it_runs_on() -> None:
    found = {technology.name: technology for technology in find_technologies(page("<form class=wpcf7-form>"), {})}
    assert found["WordPress"].evidence == "implied by Contact Form 7"


def test_stylesheet_of_a_theme_counts_from_any_host_and_a_script_only_from_the_site_s_own() -> None:
    assert names(page('<link rel=stylesheet href="https://cdn.example/wp-content/themes/leaf/style.css">')) == {
        "WordPress": None,
        "leaf": None,
    }
    assert names(page('<script src="https://cdn.shop.example/wp-content/plugins/x/x.js">')) == {
        "WordPress": None,
        "x": None,
    }
    assert names(page('<script src="https://partner.example/wp-content/plugins/x/x.js">')) == {}
    assert names(page('<script src="http://[broken/wp-content/plugins/x/x.js">')) == {}


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"server": "nginx/1.27.0", "x-powered-by": "PHP/8.3.6"}, {"nginx": "1.27.0", "PHP": "8.3.6"}),
        ({"server": "cloudflare", "cf-ray": "8f-FRA"}, {"Cloudflare": None}),
        ({"server": "Apache"}, {"Apache HTTP Server": None}),
        ({"server": "ApacheBench"}, {}),
        ({"link": '<https://shop.example/wp-json/>; rel="https://api.w.org/"'}, {"WordPress": None}),
        ({"x-generator": "Drupal 10 (https://www.drupal.org)"}, {"Drupal": "10"}),
    ],
)
def test_response_headers_are_evidence(headers: dict[str, str], found: dict[str, str | None]) -> None:
    assert names(page("<p>"), **headers) == found


@pytest.mark.parametrize(
    ("markup", "found"),
    [
        ('<meta name="generator" content="Joomla! - Open Source Content Management">', {"Joomla": None}),
        ('<meta name="generator" content="TYPO3 CMS">', {"TYPO3": None}),
        ('<meta name="generator" content="Hugo 0.148.1">', {"Hugo": "0.148.1"}),
        ('<meta name="generator" content="I love WordPress">', {}),
        ('<script src="/_next/static/chunks/main.js">', {"Next.js": None}),
        ('<script src="https://code.jquery.com/jquery-3.7.1.min.js">', {"jQuery": "3.7.1"}),
        ("<script>(function(){ /* https://www.googletagmanager.com/gtm.js?id= */ })()", {"Google Tag Manager": None}),
        ("<pre>Shopify.theme wp-emoji-release.min.js?ver=6.1</pre>", {}),
    ],
)
def test_other_software(markup: str, found: dict[str, str | None]) -> None:
    assert names(page(markup)) == found


def test_signatures_are_sound() -> None:
    known = {signature.name for signature in signatures()}
    assert len(known) == len(signatures())
    for signature in signatures():
        assert set(signature.implies) <= known
        # A pattern that finds a version says which part of it that is, by one group.
        for pattern in (signature.asset_version, signature.script_version):
            assert pattern is None or pattern.groups == 1
