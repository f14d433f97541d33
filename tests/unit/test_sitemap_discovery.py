"""How a site's sitemaps are found, over a web that is a table of answers."""

import pytest

from scrapersky.domain.sitemaps import DiscoveryMethod
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched
from scrapersky.scraping.signatures import table
from scrapersky.scraping.sitemaps import common_paths
from scrapersky.scraping.sitemaps.declared import MAX_ELSEWHERE
from scrapersky.scraping.sitemaps.discovery import MAX_PAGE_LINKS, PATHS_BESIDE_NAMED, Candidate
from support.sitemap_search import HOME, URLSET, Found, robots, site, xml
from support.table_web import answer, page, redirect

ROBOTS, LINK_TAG, PAGE_LINK, COMMON = (
    DiscoveryMethod.ROBOTS_TXT,
    DiscoveryMethod.LINK_TAG,
    DiscoveryMethod.PAGE_LINK,
    DiscoveryMethod.COMMON_PATH,
)


def test_what_robots_txt_names_is_found_in_its_order_whatever_it_answers() -> None:
    found = Found(site(robots=robots("Sitemap: /b.xml", "Sitemap: https://cdn.example/a.xml", "Sitemap: /b.xml")))
    assert found.candidates == [("/b.xml", ROBOTS), ("https://cdn.example/a.xml", ROBOTS)]
    assert f"{HOME}/b.xml" not in found.web.asked
    assert list(found.probed.values()) == ["none"] * PATHS_BESIDE_NAMED
    assert found.code is None


def test_of_files_on_others_hosts_only_so_many_are_taken() -> None:
    """Whoever could name any number could have somebody else's host asked for as many."""
    ours = [f"https://{host}/{n}.xml" for n in range(MAX_ELSEWHERE) for host in ("shop.example", "maps.shop.example")]
    theirs = [f"https://other.example/?{n}" for n in range(MAX_ELSEWHERE + 5)]
    lines = [f"Sitemap: {url}" for url in (*theirs, *ours)]
    found = Found(site(robots=robots(*lines)))
    urls = [candidate.url for candidate in found.result.candidates]
    assert urls == theirs[:MAX_ELSEWHERE] + ours
    # Nor by sending its visitors there.
    moved = site(redirect("https://other.example/"), robots=robots(*lines)) | {"https://other.example/": page("Home")}
    urls = [candidate.url for candidate in Found(moved).result.candidates]
    assert urls == theirs[:MAX_ELSEWHERE] + ours
    assert found.result.left_out == 5


def test_a_robots_txt_that_forbids_everything_still_names_its_sitemaps() -> None:
    found = Found(site(robots=robots("User-agent: *", "Disallow: /", "Sitemap: /a.xml")))
    assert found.candidates == [("/a.xml", ROBOTS)]
    assert found.web.asked == [f"{HOME}/robots.txt"]
    assert found.code is None


def test_a_sitemap_that_alone_is_allowed_is_found() -> None:
    found = Found(site(robots=robots("User-agent: *", "Disallow: /", "Allow: /sitemap.xml"), sitemap=xml()))
    assert found.candidates == [("/sitemap.xml", COMMON)]
    assert found.code is None


def test_a_page_in_place_of_robots_txt_names_nothing() -> None:
    found = Found(site(robots=answer("<html>\nSitemap: https://shop.example/x.xml\n</html>")))
    assert found.candidates == []


def test_a_link_tag_is_taken_at_its_word_on_the_site_s_own_hosts() -> None:
    links = "".join(
        f'<link rel="{rel}" href="{href}">'
        for rel, href in [
            ("sitemap", "maps/all.xml"),
            ("SiteMap alternate", "//www.shop.example/more.xml"),
            ("sitemap", "https://other.example/theirs.xml"),
            ("stylesheet", "/sitemap.css"),
        ]
    )
    found = Found(site(answer(f"<title>Home</title>{links}")))
    assert found.candidates == [("/maps/all.xml", LINK_TAG), ("https://www.shop.example/more.xml", LINK_TAG)]
    assert found.probed["https://other.example/theirs.xml"] == "off_site"


def test_a_page_link_is_a_sitemap_only_when_it_looks_like_one() -> None:
    home = page("Home", "/xml/site-map.xml Sitemap", "/sitemap Sitemap", "/about About", "/map Карта сайта")
    found = Found(site(home, sitemap=xml()) | {f"{HOME}/xml/site-map.xml": xml(), f"{HOME}/sitemap": page("Our pages")})
    assert found.candidates == [("/xml/site-map.xml", PAGE_LINK), ("/sitemap.xml", COMMON)]
    assert [found.probed[path] for path in ("/xml/site-map.xml", "/sitemap", "/map")] == ["sitemap", "none", "none"]
    assert f"{HOME}/about" not in found.web.asked


def test_of_many_page_links_few_are_tried_and_files_first() -> None:
    home = page("Home", *(f"/sitemap/{n} Sitemap" for n in range(50)), "/last/sitemap.xml")
    found = Found(site(home) | {f"{HOME}/last/sitemap.xml": xml()})
    assert found.candidates == [("/last/sitemap.xml", PAGE_LINK)]
    assert sum(probe["discovery_method"] == PAGE_LINK for probe in found.result.probed) == MAX_PAGE_LINKS


def test_common_paths_are_tried_until_one_is_found() -> None:
    paths = common_paths.in_order()
    found = Found(site() | {HOME + paths[4]: xml(), HOME + paths[5]: xml()})
    assert found.candidates == [(paths[4], COMMON)]
    assert list(found.probed) == paths[:5]


def test_without_any_all_paths_are_tried_and_there_is_none() -> None:
    found = Found(site())
    assert (found.candidates, found.code) == ([], None)
    assert list(found.probed) == common_paths.in_order()


@pytest.mark.parametrize(
    "soft",
    [
        page("Not here"),
        answer("<!-- gone --><html><body>Nothing</body></html>", content_type="application/xml"),
        answer("The page does not exist.", content_type="text/plain"),
        answer('{"error": "not found"}', content_type="application/json"),
        answer("", content_type="text/xml"),
        answer("<error>no such file</error>", content_type="text/xml"),
        redirect(f"{HOME}/"),
        answer(URLSET, status=404, content_type="text/xml"),
    ],
    ids=["page", "html as xml", "text", "json", "empty", "other xml", "home page", "status 404"],
)
def test_what_is_answered_in_a_sitemap_s_place_is_none(soft: Fetched) -> None:
    found = Found(site() | {HOME + path: soft for path in common_paths.in_order()})
    assert (found.candidates, found.code) == ([], None)


def test_probes_that_lead_to_one_place_are_one() -> None:
    home = page("Home", "/sitemap_index.xml Sitemap")
    led = {path: redirect(f"{HOME}/real.xml") for path in ("/sitemap_index.xml", "/sitemap.xml")}
    found = Found(site(home) | {HOME + path: there for path, there in led.items()} | {f"{HOME}/real.xml": xml()})
    assert found.candidates == [("/real.xml", PAGE_LINK)]
    assert found.probed["/sitemap.xml"] == "duplicate"


def test_what_is_named_is_not_probed_and_the_site_s_own_spelling_is_kept() -> None:
    named = robots("Sitemap: http://www.shop.example/sitemap.xml", "Sitemap: /sitemap.xml")
    found = Found(site(robots=named, sitemap=xml()))
    assert found.candidates == [("/sitemap.xml", ROBOTS)]
    assert f"{HOME}/sitemap.xml" not in found.web.asked


def test_a_site_s_software_says_where_to_look_first() -> None:
    home = answer('<meta name="generator" content="WordPress 6.5"><title>Home</title>')
    found = Found(site(home) | {f"{HOME}/wp-sitemap.xml": xml(), f"{HOME}/sitemap.xml": xml()})
    assert found.result.cms == "WordPress"
    assert found.candidates == [("/wp-sitemap.xml", COMMON)]


@pytest.mark.parametrize(
    ("made_with", "first"),
    [
        ([], "/sitemap.xml"),
        (["Shopify"], "/sitemap.xml"),
        (["WordPress", "Yoast SEO"], "/sitemap_index.xml"),
        (["WordPress", "All in One SEO"], "/sitemap.xml"),
        (["PrestaShop"], "/1_index_sitemap.xml"),
        (["BigCommerce"], "/xmlsitemap.php"),
        (["jQuery", "Joomla"], "/index.php?option=com_osmap&view=xml&id=1"),
    ],
)
def test_the_order_of_the_common_paths(made_with: list[str], first: str) -> None:
    paths = common_paths.in_order(made_with)
    assert paths[0] == first
    assert sorted(paths) == sorted(common_paths.in_order())


def test_the_table_of_common_paths_is_sound() -> None:
    paths = common_paths.in_order()
    assert 20 <= len(paths) == len(set(paths))
    assert all(path.startswith("/") for path in paths)
    known = {signature.name for signature in table().signatures}
    assert {name for _, of in common_paths._places() for name in of} <= known


def test_a_site_that_only_has_http_is_asked_there() -> None:
    found = Found(
        {
            HOME: ErrorCode.CONNECT_FAILURE,
            "http://shop.example/": page("Home"),
            "http://shop.example/sitemap.xml": xml(),
        }
    )
    assert found.candidates == [("http://shop.example/sitemap.xml", COMMON)]
    assert found.result.home["scheme"] == "http"


@pytest.mark.parametrize("there", ["https://www.shop.example", "https://newname.example"])
def test_a_home_page_that_leads_elsewhere_is_the_site_there(there: str) -> None:
    found = Found(
        site(redirect(f"{there}/"), robots=robots("Sitemap: /old.xml"))
        | {f"{there}/": page("Home"), f"{there}/robots.txt": robots("Sitemap: /new.xml")}
    )
    assert found.candidates == [("/old.xml", ROBOTS), (f"{there}/new.xml", ROBOTS)]
    assert [probe["url"] for probe in found.result.probed if probe["url"].startswith(there)]


@pytest.mark.parametrize("path", ["/acme", "/shop/acme/", "/@acme"])
def test_a_profile_elsewhere_does_not_make_its_network_s_sitemaps_the_site_s(path: str) -> None:
    network = "https://network.example"
    found = Found(
        site(redirect(network + path), robots=robots("Sitemap: /own.xml"))
        | {network + path: page("Acme", "/sitemap.xml"), f"{network}/robots.txt": robots("Sitemap: /all.xml")}
        | {f"{network}/sitemap.xml": xml()}
    )
    assert found.candidates == [("/own.xml", ROBOTS)]
    assert not [url for url in found.web.asked if url.startswith(network) and url.endswith(".xml")]


@pytest.mark.parametrize("path", ["/", "/de", "/en-gb/", "/index.html", "/de/home"])
def test_a_site_that_moved_as_a_whole_is_where_it_moved_to(path: str) -> None:
    there = "https://newname.example"
    found = Found(
        site(redirect(there + path)) | {there + path: page("Acme"), f"{there}/robots.txt": robots("Sitemap: /all.xml")}
    )
    assert found.candidates == [(f"{there}/all.xml", ROBOTS)]


def test_a_home_page_that_is_nothing_but_a_refresh_is_followed_once() -> None:
    leads = answer('<meta http-equiv="refresh" content="0; url=/en/">')
    found = Found(site(leads) | {f"{HOME}/en/": page("Home", "/en/sitemap.xml"), f"{HOME}/en/sitemap.xml": xml()})
    assert ("/en/sitemap.xml", PAGE_LINK) in found.candidates


def test_candidates_are_what_others_build_on() -> None:
    assert Candidate("https://shop.example/a.xml", ROBOTS) == ("https://shop.example/a.xml", "robots_txt")
