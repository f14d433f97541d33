"""Which software shows itself in a page, and what does not count as showing."""

import subprocess
import sys
from pathlib import Path

import pytest

from scrapersky.domain.facts import Technology
from scrapersky.scraping.page import PageFacts, parse_page
from scrapersky.scraping.signatures import compiled, table
from scrapersky.scraping.technology import find_technologies, merge
from scrapersky.scraping.wordpress import paths, theme

PAGES = Path(__file__).parent.parent / "data" / "pages"


def page(markup: str | bytes, url: str = "https://shop.example/") -> PageFacts:
    body = markup if isinstance(markup, bytes) else markup.encode()
    return parse_page(body, url, {"content-type": "text/html; charset=utf-8"})


def names(
    facts: PageFacts, headers: dict[str, str] | None = None, cookies: tuple[str, ...] = ()
) -> dict[str, str | None]:
    return {found.name: found.version for found in find_technologies(facts, headers or {}, cookies)}


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
    assert theme(paths(facts)) == "hello-elementor-child"


def test_each_technology_carries_what_gave_it_away() -> None:
    facts = page((PAGES / "wordpress.html").read_bytes(), "https://fen-field.example/")
    found = {technology.name: technology for technology in find_technologies(facts, {})}
    assert found["WordPress"] == Technology(
        "WordPress", "CMS", "6.8.2", "generator: WordPress 6.8.2", "https://fen-field.example/"
    )
    assert found["Yoast SEO"].evidence.startswith("comment: This site is optimized with the Yoast SEO plugin v25.6")
    assert found["cake-counter"].category == "WordPress plugin"
    assert "/wp-content/plugins/cake-counter/count.js" in found["cake-counter"].evidence


def test_site_whose_assets_are_merged_shows_itself_by_classes_and_its_emoji_script() -> None:
    facts = page((PAGES / "divi_wpforms.html").read_bytes(), "https://ridge.example/")
    assert names(facts) == {
        "WordPress": "6.7.1",
        "Divi": "4.27.4",
        "Contact Form 7": None,
        "WPForms": None,
        "Autoptimize": None,
    }
    assert theme(paths(facts)) is None


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
    assert names(page("<p>"), headers) == found


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
    known = [signature.name for signature in table().signatures]
    assert len(set(known)) == len(known)
    for signature in table().signatures:
        assert set(signature.implies) <= set(known), signature.name
        versions = (signature.version, signature.comment_version, signature.class_version, signature.script_version)
        for pattern in versions:
            assert pattern is None or compiled(pattern).groups >= 1, signature.name
        for pattern in (signature.generator, *signature.header.values(), *signature.meta.values()):
            assert pattern is None or compiled(pattern).groups <= 1, signature.name
        assert not any(host.startswith(("http", "/", ".")) for host in signature.host), signature.name
        assert all(name == name.lower() for name in (*signature.header, *signature.meta)), signature.name
        signs = (*signature.host, *signature.path, *signature.file, *signature.comment, *signature.script)
        assert all(len(sign) >= 6 for sign in signs), signature.name  # shorter ones are in everything


def wordpress(*assets: str) -> str:
    """A page of the site with these scripts, each named from /wp-content/ on."""
    return "".join(f'<script src="https://shop.example/wp-content/{asset}"></script>' for asset in assets)


@pytest.mark.parametrize(
    ("markup", "found"),
    [
        (wordpress("plugins/wp-smushit/app/assets/js/smush-lazy-load.min.js?ver=3.15.2"), {"Smush": "3.15.2"}),
        (wordpress("plugins/tablepress/css/build/default.css?ver=2.3"), {"TablePress": "2.3"}),
        (wordpress("plugins/woocommerce/assets/client/blocks/wc-blocks.js?ver=wc-9.9.5"), {"WooCommerce": "9.9.5"}),
        (wordpress("plugins/elementor/assets/lib/swiper/swiper.min.js?ver=8.4.5"), {"Elementor": None}),
        (wordpress("themes/astra/assets/js/minified/frontend.min.js?ver=4.11.5"), {"astra": "4.11.5"}),
        (wordpress("themes/own-child/main.js?ver=6.8.2"), {"own-child": None}),
        ('<meta name="generator" content="WPML ver:4.6.13 stt:1,3;">', {"WPML": "4.6.13"}),
        ('<meta name="generator" content="Powered by Slider Revolution 6.6.20 - x">', {"Slider Revolution": "6.6.20"}),
        ('<body class="wpb-js-composer js-comp-ver-7.5 vc_responsive">', {"WPBakery Page Builder": "7.5"}),
        ("<!-- Page generated by LiteSpeed Cache 6.1 on 2026-01-01 -->", {"LiteSpeed Cache": "6.1"}),
        ("<!-- Performance optimized by W3 Total Cache. -->", {"W3 Total Cache": None}),
        ("<!-- This site is optimized with the Yoast SEO Premium plugin v24.0 -->", {"Yoast SEO": "24.0"}),
        ("<!-- This site is optimized with the Yoast WordPress SEO plugin v1.4.13 -->", {"Yoast SEO": "1.4.13"}),
        ("<form class='mc4wp-form mc4wp-form-9'>", {"Mailchimp for WordPress": None}),
        ("<html data-rsssl=1>", {"Really Simple SSL": None}),
        ('<meta name="generator" content="AMP for WP 1.1.2"/>', {"AMP for WP": "1.1.2"}),
    ],
)
def test_wordpress_plugins_and_themes(markup: str, found: dict[str, str | None]) -> None:
    assert names(page(markup)) == {"WordPress": None, **found}


@pytest.mark.parametrize(
    ("markup", "found"),
    [
        ("<div><script>var disqus_shortname = 'x';</script>", {"Disqus": None}),
        ("<script src=//x.disqus.com/embed.js>", {"Disqus": None}),
        ("<script async src=https://cdn.ampproject.org/v0.js>", {"AMP": None}),
        ("<script src=http://s7.addthis.com/js/300/addthis_widget.js>", {"AddThis": None}),
        ("<app-root ng-version='17.3.1'>", {"Angular": "17.3.1"}),
        ("<div id=__next>", {"Next.js": None}),
        ("<div id=app data-v-7ba5bd90>", {"Vue.js": None}),
        ("<body x-data='{}'>", {"Alpine.js": None}),
        ("<body hx-boost=true>", {"htmx": None}),
        ("<meta name=csrf-param content=authenticity_token>", {"Ruby on Rails": None}),
        ("<form action='https://inn.us5.list-manage.com/subscribe/post?u=1'>", {"Mailchimp": None}),
        ("<iframe src='https://www.youtube-nocookie.com/embed/x'>", {"YouTube": None}),
        ("<iframe data-src='https://www.google.com/maps/embed?pb=1'>", {"Google Maps": None}),
        ("<noscript><img src='https://www.facebook.com/tr?id=1&ev=PageView'></noscript>", {"Meta Pixel": None}),
        ("<script>var s='https:\\/\\/embed.tawk.to\\/5f/default';</script>", {"Tawk.to": None}),
        ("<script>h.src='https://static.hotjar.com/c/hotjar-'+i</script>", {"Hotjar": None}),
        ("<a href='https://calendly.com/inn/30min'>Book</a>", {"Calendly": None}),
        ("<script src='https://unpkg.com/alpinejs@3.14.1/dist/cdn.min.js'>", {"Alpine.js": "3.14.1"}),
        ("<script src='/wp-includes/js/jquery/jquery.min.js?ver=3.7.1'>", {"jQuery": "3.7.1", "WordPress": None}),
    ],
)
def test_frameworks_and_services(markup: str, found: dict[str, str | None]) -> None:
    assert names(page(markup)) == found


@pytest.mark.parametrize(
    "markup",
    [
        "<p>We build with WordPress, Elementor and wp-content/plugins/elementor/</p>",
        "<a href='https://client.example/wp-content/plugins/elementor/x.js'>a plugin</a>",
        "<img src='https://partner.example/wp-content/uploads/badge.png'>",
        "<script src='https://widget.example/_next/static/chunks/main.js'></script>",
        "<a href='https://www.youtube.com/watch?v=1'>a video</a><a href='https://www.facebook.com/inn'>us</a>",
        "<a href='https://www.google.com/maps/embed?pb=1'>map</a>",
        "<script src='https://notstripe.com/v3/'></script><script src='https://js.stripe.com.evil.example/'></script>",
        "<img src='https://static.wixstatic.com/media/partner.png'><iframe src='https://app.ecwid.com/x'></iframe>",
        "<script type='application/json'>{'text': 'https://static.hotjar.com/c/hotjar-1.js'}</script>",
        "<script>// see hotjar.com and static.hotjar.com</script>",
        "<div><div><div><div><div><div><p id=__next ng-version=1>deep</p></div></div></div></div></div></div>",
        "<link rel=preconnect href=https://fonts.googleapis.com><link rel=dns-prefetch href=//js.stripe.com>",
    ],
)
def test_near_misses(markup: str) -> None:
    assert names(page(markup)) == {}


def test_network_that_serves_most_of_a_site_s_code_is_its_own() -> None:
    code = "".join(f"<script src='https://d111.cdn.example/_next/static/{n}.js'></script>" for n in range(3))
    assert names(page(code)) == {"Next.js": None}


@pytest.mark.parametrize(
    ("cookies", "found"),
    [
        (("laravel_session", "XSRF-TOKEN"), {"Laravel": None}),
        (("csrftoken",), {"Django": None}),
        (("PHPSESSID",), {"PHP": None}),
        (("wp_woocommerce_session_0af",), {"WooCommerce": None, "WordPress": None}),
        (("PrestaShop-1f",), {"PrestaShop": None}),
        (("session", "my_csrftoken"), {}),
    ],
)
def test_names_of_cookies_are_evidence(cookies: tuple[str, ...], found: dict[str, str | None]) -> None:
    assert names(page("<p>"), cookies=cookies) == found


def test_pages_of_a_site_are_merged_by_the_most_specific_version_and_where_that_was_seen() -> None:
    def seen(version: str | None, evidence: str, url: str) -> Technology:
        return Technology("WordPress", "CMS", version, evidence, url)

    implied, bare = seen(None, "implied by X", "https://a.example/1"), seen(None, "link", "https://a.example/2")
    short, full = seen("6.8", "generator", "https://a.example/3"), seen("6.8.2", "script", "https://a.example/4")
    later = seen("6.7.1", "generator", "https://a.example/5")
    assert merge([[implied], [bare]]) == (bare,)
    assert merge([[bare], [implied]]) == (bare,)
    assert merge([[bare, short], [full], [later]]) == (full,)
    assert merge([[full], [short], [bare]]) == (full,)
    other = Technology("nginx", "web server", None, "header", "https://a.example/")
    assert merge([[other], [full]]) == (other, full)
    assert merge([]) == ()


@pytest.mark.parametrize(
    ("markup", "headers", "found"),
    [
        ('<meta name="generator" content="SPIP 4.2.8" />', {}, {"SPIP": "4.2.8"}),
        ("<link rel=stylesheet href='local/cache-css/9f.css?1700000000'>", {}, {"SPIP": None}),
        ('<meta name="generator" content="MediaWiki 1.41.0"/>', {}, {"MediaWiki": "1.41.0"}),
        ('<meta name="generator" content="Government Site Builder"/>', {}, {"Government Site Builder": None}),
        ('<meta name="generator" content="InterRed V17.4.0, InterRed GmbH" />', {}, {"InterRed": "17.4.0"}),
        ("<script src=/bitrix/js/main/core/core.js></script>", {}, {"Bitrix": None}),
        ("<p>Welcome", {"x-flow-powered": "Neos/8.3"}, {"Neos": "8.3"}),
    ],
)
def test_more_content_management(markup: str, headers: dict[str, str], found: dict[str, str | None]) -> None:
    assert names(page(markup), headers) == found


def test_the_evidence_is_the_same_in_every_process() -> None:
    classes = (
        "elementor-kit-1 elementor-page elementor-default woocommerce-page woocommerce wp-block-group et_pb_section"
    )
    program = (
        "from scrapersky.scraping.page import parse_page\n"
        "from scrapersky.scraping.technology import find_technologies\n"
        f"page = parse_page(b'<body class=\"{classes}\">', 'https://acme.example/', {{}})\n"
        "print([(one.name, one.evidence) for one in find_technologies(page, {}, ())])\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2", "3", "4", "5")
    }
    assert len(said) == 1
