"""Path templates: what a site's addresses have in common."""

import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.domain.url_templates import MAX_NAMES, Template, templates

SITE = "https://shop.example"
WORDS = ["".join(letters) for letters in product("bdfg", "aeio", "klmn", "aeio")]  # 256 words without a meaning


def counted(*paths: str) -> dict[str, int]:
    """Template to count, of URLs with these paths."""
    return {found.template: found.count for found in templates([SITE + path for path in paths], limit=1000)}


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("", "/"),
        ("/", "/"),
        ("/about", "/about"),
        ("/about/", "/about/"),
        ("//about", "/about"),
        ("/about.html", "/about.html"),
        ("/about#team", "/about"),
        ("/4711", "/{id}"),
        ("/a/007/", "/a/{id}/"),
        ("/4711.html", "/{id}.html"),
        ("/page-7", "/page-{id}"),
        ("/p4711.html", "/p{id}.html"),
        ("/2024/10/19/x", "/{year}/{month}/{day}/x"),
        ("/2024/13/x", "/{year}/{id}/x"),
        ("/10/19/x", "/{id}/{id}/x"),
        ("/1989", "/{id}"),
        ("/news/2026-03-02", "/news/{date}"),
        ("/news/20260302.pdf", "/news/{date}.pdf"),
        ("/news/2026-03/", "/news/{date}/"),
        ("/3f0c9a52-7d1e-4f6b-9a38-0f2d5c1b7e64", "/{uuid}"),
        ("/9f86d081884c7d65", "/{hash}"),
        ("/v/dQw4w9WgXcQ4w9WgX", "/v/{hash}"),
        ("/deadbeef", "/deadbeef"),  # a word as well
        ("/blog/how-to-mend-a-bicycle", "/blog/{slug}"),
        ("/blog/how_to_mend.php", "/blog/{slug}.php"),
        ("/contact-us", "/contact-us"),
        ("/frequently-asked-questions/x", "/frequently-asked-questions/x"),  # a section, no page
        ("/search?q=bicycle&page=2", "/search{?page,q}"),
        ("/search?page=2&q=bell", "/search{?page,q}"),
        ("/search?", "/search"),
        ("/search?a=1&b=1&c=1&d=1&e=1&f=1&g=1", "/search{?query*}"),
        ("/search?%20=1", "/search{?query*}"),
        ("/a/b/c/d/e/f/g/h/i/j", "/a/b/c/d/e/f/g/h{/rest*}"),
        ("/en/about", "/en/about"),  # one language is a name like any other
    ],
)
def test_a_path_by_itself(path: str, template: str) -> None:
    assert counted(path) == {template: 1}


def test_two_languages_make_a_place_for_languages() -> None:
    assert counted("/en/about", "/de/about", "/pt-BR/about", "/en/", "/tv/about") == {
        "/{lang}/about": 3,
        "/{lang}/": 1,
        "/tv/about": 1,
    }
    assert counted("/en/about", "/en-GB/about") == {"/en/about": 1, "/en-GB/about": 1}


def test_many_names_at_one_place_are_one() -> None:
    assert counted(*(f"/c/{word}" for word in WORDS[:MAX_NAMES])) == {f"/c/{word}": 1 for word in WORDS[:MAX_NAMES]}
    assert counted(*(f"/c/{word}" for word in WORDS[: MAX_NAMES + 1])) == {"/c/{slug}": MAX_NAMES + 1}


def test_sections_below_many_names_come_together() -> None:
    users = [f"/users/{word}/{section}" for word in WORDS for section in ("", "photos", "photos/17")]
    assert counted(*users) == {"/users/{slug}/": 256, "/users/{slug}/photos": 256, "/users/{slug}/photos/{id}": 256}


def test_what_stands_out_among_many_keeps_its_name() -> None:
    shops = [f"/{word}/offers" for word in WORDS[:40]]
    posts = [f"/blog/{number}" for number in range(400)]
    assert counted(*shops, *posts) == {"/blog/{id}": 400, "/{slug}/offers": 40}


def test_short_names_beside_many_slugs_are_slugs() -> None:
    posts = [f"/blog/the-{word}-of-{word}" for word in WORDS]
    assert counted(*posts, "/blog/hello") == {"/blog/{slug}": 257}
    assert counted(posts[0], "/blog/hello") == {"/blog/{slug}": 1, "/blog/hello": 1}


def test_a_number_among_numbers_is_no_year() -> None:
    assert counted("/item/1999", "/item/4711", "/item/4712") == {"/item/{id}": 3}
    assert counted("/archive/1999", "/archive/2004") == {"/archive/{year}": 2}


def test_the_most_frequent_come_first_each_with_its_first_url() -> None:
    urls = [f"{SITE}/b/1", f"{SITE}/a/1", f"{SITE}/b/2", f"{SITE}/c/1"]
    assert templates(urls, limit=2) == [Template("/b/{id}", 2, urls[0]), Template("/a/{id}", 1, urls[1])]
    assert templates([], limit=2) == []


texts = st.text(max_size=60)


@given(st.lists(texts))
def test_whatever_stands_there_is_counted_once(urls: list[str]) -> None:
    found = templates(urls, limit=1000)
    assert sum(one.count for one in found) == len(urls)
    assert all(one.example in urls for one in found)
    assert len({one.template for one in found}) == len(found)


@pytest.mark.parametrize(
    "url",
    ["https://s.example/" + "a-" * 50_000, "https://s.example" + "/1" * 50_000, "https://s.example/?" + "a&" * 50_000]
    + ["https://s.example/" + text * 50_000 for text in ("0a", "aA1", "_", ".", "1", "aA", "2024/")],
)
def test_a_url_made_to_be_slow_is_not(url: str) -> None:
    began = time.process_time()
    templates([url], limit=1)
    assert time.process_time() - began < 1
