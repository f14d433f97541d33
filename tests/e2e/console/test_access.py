"""The console for everybody: what axe-core finds, the keyboard alone, a phone, and texts that mean harm."""

import json
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.console.conftest import POTTERY, enter, go, heading
from scrapersky.domain.names import InvalidDomain, domain_key
from scrapersky_cli.domain_list import read_domains
from scrapersky_cli.errors import UsageError
from support.browser import DESKTOP, PHONE, Watched, find_browser, size, violations

KINDS = ("domain_scan", "batch", "sitemap_scan", "places_search")
# The structure is the same everywhere: what a screen or the dark changes is looked at again, and nothing else.
RULES: dict[tuple[Literal["light", "dark"], tuple[int, int]], tuple[str, ...]] = {
    ("light", DESKTOP): (),
    ("light", PHONE): ("color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"),
    ("dark", DESKTOP): ("color-contrast",),
    ("dark", PHONE): ("color-contrast",),
}
HOSTILE = '<img src=x onerror="globalThis.harmed=1"><script>globalThis.harmed=1</script>'
TOO_WIDE = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.textContent)"
UNHELD = "td .cell, td .cell * { max-width: none !important; overflow-wrap: normal !important }"
HIGHEST_CELL = 400  # twelve lines and what stands around them
ADDRESS = "javascript:globalThis.harmed=1//https://a.example/"


def views(ids: dict[str, str]) -> dict[str, str]:
    """Every view by what shows that it is there: place in the console to a text of it."""
    return {
        "#/batches": "Domain scans",
        f"#/batches/{ids['batch']}": "3 failed jobs of this batch",
        "#/jobs": "among the",
        "#/jobs?domain=nobody.example": "No job fits the filters",
        f"#/jobs/{ids['scan']}": "Processing metrics",
        f"#/jobs/{ids['failed']}": "retryable",
        f"#/jobs/{ids['sitemap']}": "50 URLs shown, and there are more",
        f"#/jobs/{ids['places']}": "places shown",
        **{f"#/start/{kind}": "Start the" for kind in KINDS},
        "#/nowhere": "No such view",
    }


def test_no_view_shuts_anybody_out(seen: Watched, token: str, ids: dict[str, str]) -> None:
    page = seen.page
    page.goto(seen.origin)
    heading(page, "Enter a token")
    found = {"token": shut_out(page)}
    enter(seen, token)
    for place, text in views(ids).items():
        page.evaluate("place => { location.hash = place; }", place)
        expect(page.locator("main")).to_contain_text(text)
        found[place] = shut_out(page)
    assert {place: faults for place, faults in found.items() if faults} == {}


def shut_out(page: Page) -> list[str]:
    """What is wrong with a view by light and in the dark, on a desktop and on a phone."""
    faults = []
    for (scheme, pixels), rules in RULES.items():
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size(size(pixels))
        faults += [f"{scheme} {pixels}: {fault}" for fault in violations(page, rules=rules)]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            faults.append(f"{pixels}: is wider than the screen")
    return faults


def test_control_what_shuts_people_out_is_found(page: Page) -> None:
    heading(page, "Batches")
    page.evaluate("document.querySelector('h1').style.color = '#bbb'")
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    rules = {fault.partition(":")[0] for fault in violations(page)}
    assert rules == {"color-contrast", "button-name"}


def test_the_errors_of_listed_jobs_stand_in_a_line_until_they_are_asked_for(page: Page, ids: dict[str, str]) -> None:
    go(page, f"#/jobs?batch_id={ids['batch']}")
    chart = page.get_by_role("table", name="3 failed jobs")
    line = page.locator("summary", has_text="3 failed jobs among the ")
    expect(line).to_be_visible()
    expect(chart).to_be_hidden()
    expect(page.get_by_role("table", name="Jobs").locator("tbody tr").first).to_be_in_viewport()
    line.focus()
    page.keyboard.press("Enter")
    expect(chart.locator("tbody tr")).to_have_count(2)

    # What changes in the list changes what is shown, and neither closes it nor takes the focus away.
    page.route("**/api/v3/jobs?*", lambda route: route.fulfill(json=only_the_first_failed(route.fetch().json())))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("summary", has_text="1 failed job among the 1 job")).to_be_focused()
    expect(page.get_by_role("table", name="1 failed job among").locator("tbody tr")).to_have_count(1)
    page.get_by_label("Domain").fill("nobody.example")
    page.unroute_all()
    expect(page.get_by_text("No job fits the filters")).to_be_visible()
    expect(page.locator("summary")).to_be_hidden()
    page.reload()
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("summary", has_text="failed jobs among the ")).to_be_visible()
    expect(page.get_by_role("table", name="failed jobs among")).to_be_hidden()


def only_the_first_failed(told: dict[str, Any]) -> dict[str, Any]:
    failed = [job for job in told["items"] if job["status"] == "failed"]
    return {"items": failed[:1], "next_cursor": None}


def test_the_keyboard_alone_is_enough(seen: Watched, token: str) -> None:
    page = seen.page
    page.goto(seen.origin)
    heading(page, "Enter a token")
    press_until(page, "Bearer token")
    page.keyboard.type(token)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()

    page.reload()
    heading(page, "Batches")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    assert page.url.endswith("#/batches")

    page.reload()
    heading(page, "Batches")
    press_until(page, "Start")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    heading(page, "Start a domain scan")
    press_until(page, "Base URL")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Name a site first.")).to_be_visible()
    expect(page.get_by_label("Base URL")).to_be_focused()
    page.keyboard.type("https://user@shop.example/")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Base URL")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text("body.base_url")
    page.keyboard.press("Control+A")
    page.keyboard.type(POTTERY)
    page.keyboard.press("Enter")
    heading(page, POTTERY)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator("h1 .chip")).to_have_text("complete")
    press_until(page, "Download JSON")
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    assert json.loads(Path(saved.value.path()).read_text("utf-8"))["domain"] == POTTERY


def press_until(page: Page, name: str) -> None:
    """Go on with the Tab key to the control of this name, each stop on the way being one that is seen."""
    for _ in range(30):
        page.keyboard.press("Tab")
        told = page.evaluate(
            "() => { const one = document.activeElement; const line = getComputedStyle(one);"
            " return [one.labels?.[0]?.textContent ?? one.textContent.trim(), line.outlineStyle]; }"
        )
        assert told[1] != "none", told
        if told[0] == name:
            return
    pytest.fail(f"the keyboard does not reach {name}")


def hostile(job: dict[str, Any]) -> dict[str, Any]:
    """The job with every text of its facts hostile, and every address one that runs."""
    job["domain"] = HOSTILE
    job["metadata"][HOSTILE] = {"final_url": ADDRESS}
    facts = job["result"]["site_data"]
    seen = {"page_url": ADDRESS, "method": HOSTILE}
    facts |= {"title": HOSTILE, "canonical_url": ADDRESS, HOSTILE: HOSTILE, "sources": {"title": seen}}
    facts["contact_info"] = {"email": [HOSTILE, "__proto__"], "phone": [HOSTILE]}
    facts["evidence"] = {HOSTILE: seen}
    facts["social_links"] = {HOSTILE: ADDRESS}
    facts["tech_stack"] = [
        {"name": HOSTILE, "category": HOSTILE, "version": HOSTILE, "evidence": HOSTILE, "page_url": ADDRESS}
    ]
    facts["organization"] = {"name": HOSTILE, "url": ADDRESS, "same_as": [ADDRESS], "evidence": {"name": seen}}
    facts["addresses"] = [{"text": HOSTILE, **seen}]
    facts["open_graph"] = {HOSTILE: ADDRESS}
    facts["security_txt"] = {"url": ADDRESS, "contacts": [HOSTILE]}
    job["result"]["pages"][0] |= {"url": ADDRESS, "title": HOSTILE, "skipped_reason": HOSTILE}
    return job


def test_no_text_of_a_site_becomes_markup_a_script_or_a_link_that_runs(
    page: Page, client: httpx.Client, ids: dict[str, str]
) -> None:
    job = client.get(f"/api/v3/jobs/{ids['scan']}").json()
    page.route(f"**/api/v3/jobs/{ids['scan']}*", lambda route: route.fulfill(json=hostile(job)))
    listed = {"items": [job], "next_cursor": None}
    page.route("**/api/v3/jobs?*", lambda route: route.fulfill(json=listed))
    for place in (f"#/jobs/{ids['scan']}", "#/jobs", f"#/jobs?domain={HOSTILE}", f"#/batches/{HOSTILE}"):
        page.evaluate("place => { location.hash = place; }", place)
        page.wait_for_load_state("networkidle")
        if place.startswith("#/jobs"):
            expect(page.locator("main")).to_contain_text(HOSTILE)
        assert page.evaluate("globalThis.harmed") is None
        assert page.locator("main img, main script, main iframe").count() == 0
        links = page.locator("a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        assert [link for link in links if not link.startswith(("#", "https://", "docs"))] == []


def test_one_long_name_or_text_leaves_everything_else_in_its_place(
    page: Page, client: httpx.Client, ids: dict[str, str]
) -> None:
    job = client.get(f"/api/v3/jobs/{ids['scan']}").json()
    long_job = {**job, "domain": f"{'.'.join(['w' * 63] * 3)}.example"}
    long_job["result"]["site_data"] |= {"title": "W" * 4000, "description": "W" * 4000}
    long_job["result"]["pages"][0]["title"] = "W" * 4000
    page.route(f"**/api/v3/jobs/{ids['scan']}*", lambda route: route.fulfill(json=long_job))
    page.route("**/api/v3/jobs?*", lambda route: route.fulfill(json={"items": [job, long_job], "next_cursor": None}))
    for place, text in (("#/jobs", long_job["domain"]), (f"#/jobs/{ids['scan']}", "WWW")):
        page.evaluate("place => { location.hash = place; }", place)
        expect(page.locator("main td").filter(has_text=text).first).to_be_visible()
        assert page.locator("main .table").evaluate_all(TOO_WIDE) == []
        assert max(page.locator("main td").evaluate_all("all => all.map(one => one.clientHeight)")) < HIGHEST_CELL

    page.evaluate("rule => document.styleSheets[0].insertRule(rule, document.styleSheets[0].cssRules.length)", UNHELD)
    assert page.locator("main .table").evaluate_all(TOO_WIDE) != []


def test_control_the_text_is_hostile_and_another_wall_stands_behind(browser: Browser, seen: Watched) -> None:
    """Where nothing stops it the text runs. In the console neither markup nor a script gets in, even by a mistake."""
    open_page = browser.new_page()
    open_page.evaluate("text => { document.body.innerHTML = text; }", HOSTILE)
    open_page.wait_for_function("globalThis.harmed === 1")
    open_page.close()

    seen.page.goto(seen.origin)
    heading(seen.page, "Enter a token")
    refused = "text => { try { %s; return ''; } catch (error) { return String(error); } }"
    assert "TrustedHTML" in seen.page.evaluate(refused % "document.body.innerHTML = text", HOSTILE)
    assert "TrustedScript" in seen.page.evaluate(refused % "document.body.setAttribute('onclick', text)", HOSTILE)
    assert seen.page.evaluate("globalThis.harmed") is None
    assert len(seen.errors) == 2  # so that a policy that is broken fails any other test
    seen.errors.clear()


LISTS = [
    "a.example\n\n# none\nwww.a.example # again\nhttps://A.example:8080/x#y\nb.example\n",
    "domain\na.example\nb.example",
    'Name;Website\n"x;\ny";a.example\n;\nz;" b.example"\n',
    "#\tURL\n1\ta.example\n2\thttps://a.example/b",
    "Name,Town\na,b",
    "a.example,b.example",
    "https://a.example/x,y\nb.example",
    "\ufeffurl\r\na.example\r\n# not\r\nb.example",
    "münchen.example\nxn--mnchen-3ya.example\na.example.\nhttp:/a.example\nuser@a.example\nftp://a.example\n1.2.3.4\nx",
    "www.www.a.example\nwww.example\nhttp://www.a.example\\b",
    "",
]


def test_a_list_is_read_as_the_command_line_and_the_api_read_it(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    read = "async text => { const {entriesOf} = await import('./console/entries.js');" + (
        " try { const {entries, duplicates} = entriesOf(text); return [entries, duplicates.map(([one]) => one)]; }"
        " catch { return [[], []]; } }"
    )
    for text in LISTS:
        file.write_text(text, "utf-8")
        try:
            expected = read_domains(str(file))
        except UsageError:
            expected = []
        entries, duplicates = page.evaluate(read, text)
        assert sorted([*entries, *duplicates]) == sorted(expected), text
        keys = [key(entry) for entry in entries]
        assert len(set(keys)) == len(keys), text
        assert {key(entry) for entry in duplicates} <= set(keys), text


def key(text: str) -> str:
    """What the API makes of an entry: a domain or, of what names none, the text itself."""
    try:
        return domain_key(text)
    except InvalidDomain:
        return text


def test_without_a_browser_the_tests_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="apt-get install chromium"):
        find_browser()
