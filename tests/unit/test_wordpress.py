"""Which folders of WordPress are the site's own, and what only looks so."""

import pytest

from scrapersky.scraping.page import PageFacts, parse_page
from scrapersky.scraping.wordpress import MAX_FOLDERS, MAX_IN_SCRIPTS, paths, theme


def page(markup: str) -> PageFacts:
    return parse_page(markup.encode(), "https://www.shop.example/", {"content-type": "text/html; charset=utf-8"})


def plugins(markup: str) -> list[str]:
    return [folder for kind, folder in paths(page(markup)) if kind == "plugins"]


def test_script_of_the_network_that_serves_the_theme_is_the_site_s() -> None:
    theme_file = "<link rel=stylesheet href='//cdn-7.example/x/wp-content/themes/leaf/style.css'>"
    script = "<script src='//cdn-7.example/x/wp-content/plugins/tide-table/t.js'></script>"
    assert plugins(theme_file + script) == ["tide-table"]
    assert plugins(script) == []


def test_script_of_the_network_that_serves_most_code_is_the_site_s() -> None:
    own = "".join(f"<script src='https://cdn-7.example/js/{name}.js'></script>" for name in "abc")
    image = "<img src='https://cdn-7.example/wp-content/plugins/lazy-pictures/1x1.gif'>"
    assert plugins(own + image) == ["lazy-pictures"]
    assert plugins(image) == []


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (r'var a = {"url":"https:\/\/www.shop.example\/wp-content\/plugins\/tide-table\/img\/"};', ["tide-table"]),
        ("fetch('/wp-content/plugins/tide-table/vary.php')", ["tide-table"]),
        ("fetch('/sub/wp-content/plugins/tide-table/vary.php')", ["tide-table"]),
        ("s.src = 'https://cdn.shop.example/wp-content/plugins/tide-table/t.js'", ["tide-table"]),
        ("s.src = 'https://partner.example/wp-content/plugins/tide-table/t.js'", []),
        ("s.src = '//partner.example/wp-content/plugins/tide-table/t.js'", []),
        ("// taken from wp-content/plugins/tide-table/t.js", []),
        ("// see https://partner.example/x y/wp-content/plugins/tide-table/t.js", []),
        ("prefetch('/wp-content/plugins/*')", []),
    ],
)
def test_folder_that_an_inline_script_loads_from(script: str, found: list[str]) -> None:
    assert plugins(f"<script>{script}</script>") == found


def test_theme_that_only_the_icon_comes_from() -> None:
    assert theme(paths(page("<link rel='shortcut icon' href='/wp-content/themes/leaf/favicon.ico'>"))) == "leaf"
    assert (
        theme(paths(page("<link rel='shortcut icon' href='https://partner.example/wp-content/themes/leaf/i.ico'>")))
        is None
    )


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("pub/leaf/style.css", "leaf"),
        ("vip/leaf/css/a.css", "leaf"),
        ("pub/style.css", "pub"),
        ("leaf/pub/a.css", "leaf"),
    ],
)
def test_theme_in_the_folders_of_wordpress_com(path: str, found: str | None) -> None:
    assert theme(paths(page(f"<link rel=stylesheet href='https://s1.wp.example/wp-content/themes/{path}'>"))) == found


def test_folders_and_what_is_read_of_scripts_are_bounded() -> None:
    many = "".join(f"'/wp-content/plugins/p{number}/';" for number in range(MAX_FOLDERS + 5))
    assert len(plugins(f"<script>{many}</script>")) == MAX_FOLDERS
    repeated = "'/wp-content/plugins/same/';" * MAX_IN_SCRIPTS
    assert plugins(f"<script>{repeated}'/wp-content/plugins/late/'</script>") == ["same"]
