"""The order in which a site's pages are chosen."""

import gc
import tracemalloc
from collections.abc import Sequence
from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.scraping import frontier
from scrapersky.scraping.frontier import Frontier
from scrapersky.scraping.page import parse_page
from scrapersky.scraping.page_urls import SiteUrls

HOME = "https://shop.example/"


def known(body: str, *, max_pages: int = 10, url: str = HOME) -> Frontier:
    made = Frontier(SiteUrls("shop.example", HOME), max_pages)
    made.take(HOME)
    add(made, body, url=url)
    return made


def add(made: Frontier, body: str, *, kind: str | None = None, steps: int = 0, url: str = HOME) -> None:
    made.add_page(parse_page(body.encode(), url, {}), kind=kind, steps=steps)


def order(made: Frontier) -> list[str]:
    chosen = []
    while candidate := made.choose():
        chosen.append(candidate.page.path)
    return chosen


def links(paths: Sequence[str]) -> str:
    return " ".join(f'<a href="{path}">{path.strip("/")}</a>' for path in paths)


def test_kinds_come_by_their_worth_and_the_rest_by_how_shallow_it_is() -> None:
    body = links(["/x/y/z", "/x", "/datenschutz", "/team", "/standorte", "/ueber-uns", "/impressum", "/kontakt"])
    assert order(known(body)) == [
        *("/kontakt", "/impressum", "/ueber-uns", "/standorte", "/team", "/datenschutz", "/x", "/x/y/z"),
    ]


def test_menu_and_footer_come_before_the_text_and_among_equals_the_first() -> None:
    body = '<p><a href="/a">a</a></p><footer><a href="/b">b</a></footer><nav><a href="/c">c</a><a href="/d">d</a></nav>'
    assert order(known(body)) == ["/c", "/d", "/b", "/a"]


def test_a_second_page_of_a_kind_waits_for_the_first_of_the_next() -> None:
    body = links(["/contact/a", "/contact", "/contact/b", "/imprint", "/contact/c", "/plain"])
    chosen = order(known(body))
    assert chosen[:2] == ["/contact", "/imprint"]
    assert chosen.index("/plain") < chosen.index("/contact/c")


def test_ten_branches_come_before_plain_pages_and_after_who_is_behind_them() -> None:
    towns = ["berlin", "bonn", "essen", "fulda", "goslar", "halle", "jena", "kiel", "mainz", "ulm"]
    branches = [f"/standorte/{town}" for town in towns]
    made = known("<nav>" + links(["/standorte", "/kontakt", "/impressum", "/team"]) + "</nav>", max_pages=20)
    add(made, links([f"/plain-{letter}" for letter in "abcdefghijklmnop"]), steps=0)
    add(made, links(branches), kind="locations", steps=1)
    chosen = order(made)
    assert set(chosen[:4]) == {"/standorte", "/kontakt", "/impressum", "/team"}
    assert set(chosen[4:14]) == set(branches)


def test_branches_without_number_leave_room_for_other_pages() -> None:
    made = known("<nav>" + links(["/shop", "/news"]) + "</nav>", max_pages=20)
    add(made, links([f"/filialen/ort-{one}{other}" for one in "abcdefgh" for other in "abcdefgh"]), kind="locations")
    assert {"/shop", "/news"} <= set(order(made)[:20])


def test_what_a_page_about_the_company_links_to_comes_before_what_others_do() -> None:
    made = known("")
    add(made, links(["/one"]), kind=None, steps=1, url=f"{HOME}news")
    add(made, links(["/two"]), kind="about", steps=1, url=f"{HOME}about")
    assert order(made) == ["/two", "/one"]


@pytest.mark.parametrize(
    "body",
    [
        '<a href="/x7"><img src="/i.png" alt="Contact us"></a>',
        '<a href="/x7" title="Kontakt"></a>',
        '<script type="application/ld+json">{"@type": "ContactPage", "url": "/x7"}</script>',
        '<script type="application/ld+json">{"@type": "Organization", "name": "x", "contactPoint":'
        '{"@type": "ContactPoint", "url": "https://shop.example/x7"}}</script>',
        '<script type="application/ld+json">{"@type": "SiteNavigationElement", "name": ["News", "Contact"],'
        '"url": ["/news", "/x7"]}</script>',
    ],
)
def test_pictures_labels_and_structured_data_name_pages_too(body: str) -> None:
    found = known(body + links(["/p", "/q"])).choose()
    assert found is not None
    assert (found.page.path, found.kind) == ("/x7", "contact")


@pytest.mark.parametrize(
    "body",
    [
        '<meta http-equiv="refresh" content="0; URL=\'/start\'">',
        '<meta http-equiv="Refresh" content="5;url=https://www.shop.example/start">',
        '<iframe src="/start"></iframe>',
    ],
)
def test_a_page_that_only_leads_on_or_frames_another_leads_there(body: str) -> None:
    assert order(known(body)) == ["/start"]


def test_frames_beside_links_are_parts_of_the_page() -> None:
    assert "/map" not in order(known(links(["/a", "/b", "/c"]) + '<iframe src="/map"></iframe>'))


def test_a_page_s_best_name_counts_whichever_comes_first() -> None:
    for body in ('<a href="/x">more</a><a href="/x">Contact</a>', '<a href="/x">Contact</a><a href="/x">more</a>'):
        made = known(body + '<a href="/about">About</a>')
        assert order(made) == ["/x", "/about"]
        assert len(made) == 0


def test_pages_that_get_the_same_better_name_later_keep_their_order() -> None:
    made = known(links(["/x", "/y", "/z"]))
    add(made, "".join(f'<a href="/{path}">Contact</a>' for path in "yzx"))
    assert order(made) == ["/y", "/z", "/x"]


def test_one_link_on_two_pages_may_be_two_pages() -> None:
    made = known('<a href="contact.html">Contact</a>')
    add(made, '<a href="contact.html">Contact</a>', url=f"{HOME}de/index.html", steps=1)
    assert order(made) == ["/contact.html", "/de/contact.html"]


def test_logins_and_carts_are_not_chosen() -> None:
    assert order(known(links(["/login", "/cart", "/wp-login.php", "/my-account/", "/shop"]))) == ["/shop"]


def test_of_pages_that_are_made_alike_some_are_enough_until_all_others_are_read() -> None:
    shop = [f"/products/{letter}" for letter in "abcdefghijklmnop"]
    items = [f"/item/{number}" for number in range(100, 120)]
    deep = [f"/other/{letter}/{letter}{letter}" for letter in "abcd"]
    made = known(links([*items, *shop, *deep]), max_pages=10)
    chosen = order(made)
    assert sorted(chosen[:12]) == sorted([*items[:3], *shop[:5], *deep])
    assert chosen[12:] == [*shop[5:], *items[3:]]
    assert not made.has_passed_over


@pytest.mark.parametrize("path", ["/2026/05/{}", "/blog/page/{}", "/list?start={}"])
def test_of_pages_that_are_counted_a_few_are_all_and_no_others_are_waited_for(path: str) -> None:
    made = known(links([path.format(number) for number in range(1, 30)]), max_pages=10)
    assert len(made) == 3
    assert len(order(made)) == 3
    assert len(made) == 0
    assert made.has_passed_over


def test_a_counted_page_that_is_called_a_contact_page_is_chosen_all_the_same() -> None:
    made = known(links([f"/page/{number}" for number in range(1, 30)]))
    add(made, '<a href="/page/29">Contact</a>')
    assert order(made)[0] == "/page/29"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontier, "MAX_KNOWN", 20)
    made = known(links([f"/page-{letter}{other}" for letter in "abcdefgh" for other in "abcdefgh"]))
    assert len(made) == 20


def test_a_page_that_a_word_names_gets_in_when_memory_is_full_and_not_without_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frontier, "MAX_KNOWN", 20)
    monkeypatch.setattr(frontier, "MAX_NAMED", 5)
    made = known(links([f"/page-{letter}{other}" for letter in ascii_lowercase for other in ascii_lowercase]))
    add(made, '<a href="/x7">Contact</a>' + links([f"/team/{letter}" for letter in ascii_lowercase]), steps=1)
    assert len(made) == 25
    assert order(made)[0] == "/x7"


@pytest.mark.parametrize(
    ("base", "href"),
    [(HOME, "/".ljust(20_000, "a")), (HOME + "a" * 1_900 + "/", "a" * 400)],
    ids=["long addresses", "a long base"],
)
def test_of_the_links_of_long_addresses_nothing_is_kept(base: str, href: str) -> None:
    made = known("")
    tracemalloc.start()
    try:
        for number in range(5):
            add(made, f'<base href="{base}">' + links([f"{href}{number}-{link}" for link in range(200)]))
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_500_000  # of the thousand links themselves: twenty million, and two


@given(st.lists(st.tuples(st.text(alphabet="ab/?=1.-", max_size=8), st.text(max_size=12)), max_size=30))
def test_any_links_are_chosen_at_most_once_each(given_links: list[tuple[str, str]]) -> None:
    made = known("".join(f'<a href="/{path}">{text}</a>' for path, text in given_links), max_pages=100)
    urls = []
    while candidate := made.choose():
        urls.append(candidate.page.key)
    assert len(urls) == len(set(urls))


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60))
def test_its_length_is_what_is_left_whatever_was_taken_from_it_or_beside_it(steps: list[int]) -> None:
    made = known("")
    given, taken = set[str](), set[str]()
    for step in steps:
        path = f"/plain-{ascii_lowercase[step % 26]}"  # without a number: of numbered pages some are passed over
        if step < 200:
            add(made, links([path, "/kontakt"]))
            given |= {path, "/kontakt"}
        elif step < 300:
            assert made.take(f"{HOME}{path[1:]}") == (path not in taken)
            taken.add(path)
        elif candidate := made.choose():
            taken.add(candidate.page.path)
        assert len(made) == len(given - taken)
    order(made)
    assert len(made) == 0
