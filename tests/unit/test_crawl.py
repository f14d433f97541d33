"""Which pages a scan reads, in which order, and what ends it."""

import gc
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.crawl import MAX_WALLS, MIN_SKIPPED
from scrapersky.scraping.page import PageFacts
from support.table_web import Answer, answer, page, redirect, scan

HOME = "https://shop.example"
FILES = {f"{HOME}/.well-known/security.txt", f"{HOME}/favicon.ico"}  # asked for beside pages that link to neither


def site(**pages: Answer) -> dict[str, Answer]:
    """The answers of shop.example; `home` is `/`, another name its path, with a slash for each two underscores."""
    return {HOME + ("/" if name == "home" else f"/{name.replace('__', '/')}"): found for name, found in pages.items()}


def paths(urls: list[str]) -> list[str]:
    return [url.removeprefix(HOME) for url in urls]


def test_a_contact_page_three_links_deep_is_found_and_named_as_the_source() -> None:
    found = scan(
        site(
            home=page("Home", "/news", "/house Our house", "/shop"),
            news=page("News"),
            shop=page("Shop"),
            house=page("House", "/house/rooms Rooms"),
            house__rooms=page("Rooms", "/house/write Contact"),
            house__write=page(
                "Write", body='<a href="mailto:desk@shop.example">us</a> <a href="tel:+12065550142">call</a>'
            ),
        )
    )
    facts = found.result.site_data
    assert facts is not None
    assert (facts.emails, facts.phones) == (["desk@shop.example"], ["+12065550142"])
    assert facts.evidence["desk@shop.example"].to_json() == {"page_url": f"{HOME}/house/write", "method": "mailto"}
    assert set(paths(found.read)) == {"/", "/news", "/shop", "/house", "/house/rooms", "/house/write"}
    assert found.stopped == "all_read"


def test_pages_that_say_who_is_behind_the_site_come_before_all_others() -> None:
    links = [f"/p{letter}" for letter in "abcdefgh"] + ["/impressum", "/team", "/x1 About us", "/x2 Contact us"]
    answers = site(home=page("Home", *links)) | {f"{HOME}{link.split()[0]}": page(link) for link in links}
    found = scan(answers, max_pages=5)
    assert paths(found.read) == ["/", "/x2", "/impressum", "/x1", "/team"]
    assert found.stopped == "max_pages"
    assert found.result.pages_fetched == 5


def test_one_page_is_the_home_page_and_nothing_is_fetched_beside_it() -> None:
    found = scan(site(home=page("Home", "/contact"), contact=page("Contact")), max_pages=1)
    assert found.web.asked == [f"{HOME}/robots.txt", f"{HOME}/"]
    assert found.stopped == "max_pages"


def test_the_home_page_speaks_for_the_site_and_its_title_stays() -> None:
    found = scan(
        site(
            home=answer(
                '<html lang="en"><title>Shop</title><meta name=description content="Of all"><a href=/about>a</a>'
            ),
            about=page("About us", body='<meta name=description content="Of us">'),
        )
    )
    facts = found.result.site_data
    assert facts is not None
    assert (facts.title, facts.description, facts.language) == ("Shop", "Of all", "en")
    assert facts.sources["title"].page_url == f"{HOME}/"
    assert [record.title for record in found.result.pages] == ["Shop", "About us"]


def test_software_organisation_and_address_are_found_on_any_page_and_say_on_which() -> None:
    thing = (
        '<script type="application/ld+json">{"@type": "Organization", "name": "Shop Ltd", "logo": "/logo.png",'
        '"address": {"@type": "PostalAddress", "streetAddress": "1 Pier", "addressLocality": "Hull"}}</script>'
    )
    found = scan(
        site(
            home=page("Home", "/about"),
            about=page("About", "/blog", body=thing),
            blog=page("Blog", body='<meta name="generator" content="WordPress 6.8.2">'),
        )
    )
    facts = found.result.site_data
    assert facts is not None
    assert facts.organization is not None
    assert facts.organization["name"] == "Shop Ltd"
    assert facts.sources["organization"].page_url == facts.sources["logo_url"].page_url == f"{HOME}/about"
    assert facts.addresses[0]["page_url"] == f"{HOME}/about"
    assert (facts.is_wordpress, facts.wordpress_version) == (True, "6.8.2")
    wordpress = next(item for item in facts.tech_stack if item.name == "WordPress")
    assert wordpress.page_url == f"{HOME}/blog"
    rows = {(kind, value): seen for kind, value, seen in facts.sourced()}
    assert rows["technology", "WordPress"].to_json() == {"page_url": f"{HOME}/blog", "method": "generator"}
    assert rows["organization", "Shop Ltd"].method == "json-ld"
    assert rows["address", facts.addresses[0]["text"]].page_url == f"{HOME}/about"


def test_robots_txt_is_asked_for_every_page() -> None:
    found = scan(
        site(home=page("Home", "/private/contact", "/about"), about=page("About"))
        | {f"{HOME}/robots.txt": answer("User-agent: *\nDisallow: /private", content_type="text/plain")}
    )
    assert f"{HOME}/private/contact" not in found.web.asked
    assert found.skipped == {f"{HOME}/private/contact": "robots_denied"}
    assert found.web.asked.count(f"{HOME}/robots.txt") == 1


def test_pages_that_robots_txt_denies_do_not_use_up_the_patience_with_others() -> None:
    denied = [f"/private/{letter}{letter}" for letter in "abcdefghijklmnop"]
    found = scan(
        site(home=page("Home", *(f"{path} Contact" for path in denied), "/plain"), plain=page("Plain"))
        | {f"{HOME}/robots.txt": answer("User-agent: *\nDisallow: /private", content_type="text/plain")}
    )
    assert len(found.skipped) == len(denied)
    assert paths(found.read) == ["/", "/plain"]


def test_links_of_other_sites_and_files_are_not_asked_for() -> None:
    found = scan(
        site(home=page("Home", "https://other.example/contact", "https://blog.shop.example/", "/menu.pdf", "/about"))
        | {"https://other.example/contact": page("Other"), f"{HOME}/about": page("About")}
    )
    assert paths(found.read) == ["/", "/about"]
    assert not [url for url in found.web.asked if not url.startswith(HOME) or url.endswith(".pdf")]


def test_nofollow_is_no_ban() -> None:
    found = scan(site(home=answer("<title>Home</title><a rel=nofollow href=/contact>c</a>"), contact=page("Contact")))
    assert paths(found.read) == ["/", "/contact"]


def test_a_page_that_redirects_away_is_told_and_nothing_is_fetched_there() -> None:
    found = scan(
        site(home=page("Home", "/contact"), contact=redirect("https://other.example/form"))
        | {"https://other.example/form": page("Other")}
    )
    assert found.skipped == {f"{HOME}/contact": "off_site"}
    assert not any("other.example" in url for url in found.web.asked)


def test_a_page_under_two_addresses_is_read_once() -> None:
    same = page("Contact", body="<p>Write to info@shop.example</p>")
    found = scan(
        site(
            home=page("Home", "/contact", "/kontakt", "/reach Contact", "/start"),
            contact=same,
            kontakt=same,
            reach=redirect(f"{HOME}/contact"),
            start=redirect(f"{HOME}/"),
        )
    )
    assert set(found.skipped.values()) == {"duplicate"}
    assert len(found.skipped) == 3
    assert found.result.pages_fetched == 2
    assert found.web.asked.count(f"{HOME}/contact") == 1


def test_the_canonical_address_of_a_page_that_was_read_is_not_fetched_as_well() -> None:
    home = page("Home", "/shop/boots")
    boots = page("Boots", "/boots", body=f'<link rel=canonical href="{HOME}/boots">')
    found = scan(site(home=home, shop__boots=boots, boots=page("Boots, again")))
    assert paths(found.read) == ["/", "/shop/boots"]


def test_pages_that_fail_are_told_and_cost_their_own_facts_alone() -> None:
    found = scan(
        site(
            home=page("Home", "/contact", "/about", "/team", "/imprint"),
            contact=answer("", status=500),
            about=ErrorCode.TIMEOUT,
            team=answer("%PDF-1.7", content_type="application/pdf"),
            imprint=page("Imprint", body="<p>Mail: info@shop.example</p>"),
        )
    )
    assert found.result.error is None
    assert found.skipped == {
        f"{HOME}/contact": "http_error",
        f"{HOME}/about": "timeout",
        f"{HOME}/team": "not_html",
    }
    assert found.result.site_data is not None
    assert found.result.site_data.emails == ["info@shop.example"]


def test_a_site_of_which_hardly_any_page_can_be_read_is_left_in_peace() -> None:
    found = scan(site(home=page("Home", *(f"/gone-{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"))))
    assert found.stopped == "too_many_skipped"
    assert MIN_SKIPPED <= len(found.skipped) <= MIN_SKIPPED + 1


def test_walls_on_further_pages_are_told_and_end_the_scan_after_some() -> None:
    wall = answer("<title>Just a moment...</title>", status=403, cf_mitigated="challenge")
    links = [f"/w{letter}" for letter in "abcdefgh"]
    found = scan(site(home=page("Home", *links)) | {f"{HOME}{link}": wall for link in links})
    assert set(found.skipped.values()) == {"blocked"}
    assert MAX_WALLS <= len(found.skipped) <= MAX_WALLS + 1
    assert found.stopped == "walls"
    assert found.result.error is None


def test_logins_of_some_pages_do_not_end_the_scan_of_the_others() -> None:
    login = answer("<title>Log in</title><form><input type=password></form>")
    links = ["/members Contact", "/portal About us", "/intranet Team", "/board Imprint"]
    answers = site(home=page("Home", *links, "/plain"), plain=page("Plain"))
    found = scan(answers | {f"{HOME}{link.split()[0]}": login for link in links})
    assert set(found.skipped.values()) == {"login_required"}
    assert paths(found.read) == ["/", "/plain"]
    assert found.stopped == "all_read"


def test_a_site_that_says_that_it_is_asked_too_much_is_left_alone() -> None:
    links = [f"/p{letter}" for letter in "abcdefgh"]
    found = scan(site(home=page("Home", *links)) | {f"{HOME}{link}": answer("", status=429) for link in links})
    assert set(found.skipped.values()) == {"http_error"}
    assert MAX_WALLS <= len(found.skipped) <= MAX_WALLS + 1
    assert found.stopped == "walls"
    assert not FILES & set(found.web.asked)


def test_a_host_with_a_crawl_delay_is_not_asked_for_files_when_its_pages_are_given_up() -> None:
    robots = answer("User-agent: *\nCrawl-delay: 0.001", content_type="text/plain")
    links = [f"/gone-{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    found = scan(site(home=page("Home", *links)) | {f"{HOME}/robots.txt": robots})
    assert found.stopped == "too_many_skipped"
    assert not FILES & set(found.web.asked)


def test_the_deadline_ends_a_scan_with_what_is_there() -> None:
    def slow(url: str) -> None:
        if url.endswith(("about", "team", "contact")):
            time.sleep(0.6)

    links = ["/contact", "/about", "/team"]
    found = scan(
        site(home=page("Home", *links)) | {f"{HOME}{link}": page(link) for link in links}, seconds=0.5, on_get=slow
    )
    assert found.result.error is None
    assert found.stopped == "deadline"
    assert "/" in paths(found.read)
    assert len(found.read) < 4


def test_a_scan_that_is_called_off_ends_with_what_is_there() -> None:
    asked: list[str] = []
    links = ["/contact", "/about", "/team", "/imprint"]
    found = scan(
        site(home=page("Home", *links)) | {f"{HOME}{link}": page(link) for link in links},
        should_stop=lambda: any(url.endswith(tuple(links)) for url in asked),
        on_get=asked.append,
    )
    assert found.result.error is None
    assert found.stopped == "cancelled"
    assert len(asked) < 6


@pytest.mark.parametrize("max_pages", [1, 3, 50])
def test_progress_never_goes_back_and_never_says_that_all_is_done(max_pages: int) -> None:
    links = [f"/p{letter}" for letter in "abcdefgh"]
    found = scan(site(home=page("Home", *links)) | {f"{HOME}{link}": page(link) for link in links}, max_pages=max_pages)
    assert found.progress == sorted(found.progress)
    assert 0 < found.progress[0] <= found.progress[-1] < 100
    assert max_pages == 1 or len(set(found.progress)) >= 3


def test_a_calendar_and_a_catalogue_without_an_end_do_not_use_the_pages_up() -> None:
    class Endless(dict[str, Answer]):
        """Every day leads to the next, and every product to ten others."""

        def __contains__(self, url: object) -> bool:
            return True

        def __missing__(self, url: str) -> Answer:
            if url.endswith(("robots.txt", "security.txt", "sitemap.xml", "favicon.ico")):
                return answer("", status=404)
            number = int("".join(filter(str.isdigit, url)) or 1)
            others = [f"/products/thing-{'abcdefghij'[digit]}-{number}" for digit in range(10)]
            return page(url, f"/calendar/2026/{number + 1}", f"/days?id={number + 1}", *others, "/history")

    found = scan(Endless(), max_pages=20)
    read = paths(found.read)
    assert len(read) == 20
    assert sum(path.startswith("/calendar") for path in read) <= 3
    assert sum(path.startswith("/days") for path in read) <= 3
    assert "/history" in read[:10]
    assert found.stopped == "max_pages"


@pytest.mark.parametrize(
    ("path", "count", "max_pages", "read", "stopped"),
    [
        ("/works/{}", 41, 100, 42, "all_read"),
        ("/product/{}", 41, 100, 42, "all_read"),
        ("/product/{}", 41, 10, 10, "max_pages"),
        ("/diary/2026/{}", 41, 100, 11, "alike"),
        ("/diary/2026/{}", 3, 10, 4, "all_read"),
        ("/diary/2026/{}", 9, 4, 4, "alike"),
    ],
)
def test_no_page_is_left_for_being_like_others_unless_it_is_said(
    path: str, count: int, max_pages: int, read: int, stopped: str
) -> None:
    names = [chr(97 + number // 26) + chr(97 + number % 26) for number in range(count)]
    links = [path.format(name if "works" in path else 10 + number) for number, name in enumerate(names)]
    found = scan(site(home=page("Home", *links)) | {f"{HOME}{link}": page(link) for link in links}, max_pages=max_pages)
    assert (len(found.read), found.stopped) == (read, stopped)
    assert max(later - sooner for sooner, later in pairwise(found.progress)) <= 2 * 95 / read + 0.2


def test_pages_are_dropped_when_they_are_read() -> None:
    alive: list[int] = []

    def count(url: str) -> None:
        if url.endswith("/last"):
            alive.append(sum(isinstance(thing, PageFacts) for thing in gc.get_objects()))

    links = [f"/p{letter}" for letter in "abcdefgh"]
    chain = {f"{HOME}{link}": page(link, "/last") for link in links}
    found = scan(site(home=page("Home", *links), last=page("Last")) | chain, on_get=count)
    assert found.result.pages_fetched == 10
    assert len(alive) == 1
    assert alive[0] <= 1  # the one that is being read while the last one is asked for


def test_a_sitemap_helps_out_where_the_home_page_links_to_nothing() -> None:
    entries = "".join(f"<url><loc>{HOME}/{name}</loc></url>" for name in ("a/b/c", "contact", "other"))
    found = scan(
        site(home=page("Home"), contact=page("Contact"), other=page("Other"))
        | {f"{HOME}/sitemap.xml": answer(f"<urlset>{entries}</urlset>", content_type="application/xml")},
        max_pages=2,
    )
    assert paths(found.read) == ["/", "/contact"]
    assert {"sitemap", "robots_txt"} <= {extra["kind"] for extra in found.result.metadata["extra_fetches"]}


def test_no_sitemap_is_asked_for_where_the_home_page_links_to_enough() -> None:
    links = ["/a", "/b", "/c"]
    found = scan(site(home=page("Home", *links)) | {f"{HOME}{link}": page(link) for link in links})
    assert f"{HOME}/sitemap.xml" not in found.web.asked


def test_files_beside_the_pages_add_their_facts_and_count_as_no_pages() -> None:
    manifest = '{"icons": [{"src": "/i.png", "sizes": "192x192"}]}'
    security = "Contact: mailto:security@shop.example\nExpires: 2030-01-01T00:00:00Z\n"
    found = scan(
        site(home=page("Home", "/a", "/b", "/c", body='<link rel="manifest" href="/m.json">'))
        | {f"{HOME}/{name}": page(name) for name in "abc"}
        | {
            f"{HOME}/m.json": answer(manifest, content_type="application/manifest+json"),
            f"{HOME}/.well-known/security.txt": answer(security, content_type="text/plain"),
        }
    )
    facts = found.result.site_data
    assert facts is not None
    assert facts.favicon_url == f"{HOME}/i.png"
    assert facts.security_txt is not None
    assert facts.security_txt["contacts"] == ["mailto:security@shop.example"]
    assert facts.emails == []
    assert found.result.pages_fetched == 4
    kinds = [extra["kind"] for extra in found.result.metadata["extra_fetches"]]
    assert sorted(kinds) == ["favicon", "manifest", "robots_txt", "security_txt"]


@pytest.mark.parametrize(("delay", "read", "stopped"), [("0.05", 3, "all_read"), ("3600", 1, "pause")])
def test_a_crawl_delay_is_kept_between_all_pages(delay: str, read: int, stopped: str) -> None:
    robots = answer(f"User-agent: *\nCrawl-delay: {delay}", content_type="text/plain")
    at: list[float] = []
    watch: Callable[[str], None] = lambda url: None if url.endswith(".txt") else at.append(time.monotonic())  # noqa: E731
    found = scan(
        site(home=page("Home", "/a", "/b", "/c"), a=page("A"), b=page("B")) | {f"{HOME}/robots.txt": robots},
        on_get=watch,
    )
    assert len(found.read) == read
    assert found.stopped == stopped
    assert all(later - sooner >= float(delay) for sooner, later in pairwise(at))


def test_an_empty_frame_is_no_site_unless_something_fills_it() -> None:
    frame = '<title>App</title><body><div id="root"></div><script src="/app.js"></script>'
    thing = '<script type="application/ld+json">{"@type": "Organization", "name": "App Ltd"}</script>'
    empty = scan(site(home=answer(frame)))
    assert empty.result.error is not None
    assert empty.result.error.code is ErrorCode.NEEDS_JS
    assert [(record.title, record.skipped_reason) for record in empty.result.pages] == [("App", "needs_js")]
    assert scan(site(home=answer(thing + frame))).result.error is None
    sitemap = answer(f"<urlset><url><loc>{HOME}/contact</loc></url></urlset>", content_type="text/xml")
    helped = scan(site(home=answer(frame), contact=page("Contact")) | {f"{HOME}/sitemap.xml": sitemap})
    assert helped.result.error is None
    assert paths(helped.read) == ["/", "/contact"]


def test_pages_by_http_and_without_www_are_asked_for_where_the_home_page_is() -> None:
    found = scan(
        {
            f"{HOME}/": redirect("https://www.shop.example/"),
            "https://www.shop.example/": page("Home", "http://shop.example/contact", "//shop.example/about"),
            "https://www.shop.example/contact": page("Contact"),
            "https://www.shop.example/about": page("About"),
        }
    )
    assert found.read == [f"https://www.shop.example/{path}" for path in ("", "contact", "about")]
