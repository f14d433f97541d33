"""The console in a real browser: from the token to a fact's evidence, and what it says when things go wrong."""

from collections import Counter
from pathlib import Path

import httpx
from playwright.sync_api import Page, Route, expect

from e2e.conftest import RunningStack
from e2e.console.conftest import BATCHES, MUSEUM, POTTERY, SCAN, SHUT, TEA, enter, final, go, heading
from support.browser import Watched
from support.held_site import HeldSite


def test_from_the_token_over_a_batch_to_the_page_that_a_fact_was_seen_on(
    seen: Watched, stack: RunningStack, client: httpx.Client, token: str
) -> None:
    page = seen.page
    page.goto(stack.info.api_url)
    heading(page, "Enter a token")
    page.get_by_label("Bearer token").fill(token)
    page.get_by_role("button", name="Show my jobs").click()
    heading(page, "Batches")

    before = len(client.get(BATCHES).json()["items"])
    page.get_by_role("link", name="Start", exact=True).click()
    page.get_by_role("link", name="Batch", exact=True).click()
    page.get_by_role("textbox", name="Domains").fill(f"{POTTERY}\nhttps://www.{POTTERY}/house\n{SHUT}\nno domain\n")
    expect(page.get_by_text("3 entries will be sent")).to_be_visible()
    expect(page.get_by_text("1 duplicate left out")).to_be_visible()
    page.get_by_role("button", name="Start the batch").dblclick()

    heading(page, "Batch of 3 domain scans")
    expect(page.get_by_role("region", name="Rejected entries").last).to_contain_text("the text is no domain name")
    expect(page.locator("h1 .chip")).to_have_text("complete")
    expect(page.locator("#live")).to_have_text("The batch is complete.")
    assert len(client.get(BATCHES).json()["items"]) == before + 1

    page.get_by_role("link", name=POTTERY).click()
    heading(page, POTTERY)
    row = page.get_by_role("row", name=f"clay@{POTTERY}")
    expect(row.get_by_role("cell").nth(2)).to_have_text("mailto")
    with page.expect_popup() as opened:
        row.get_by_role("link").click()
    evidence = f"https://{POTTERY}/house/workshop/reach-us/"
    opened.value.wait_for_url(evidence)
    expect(opened.value.locator("body")).to_contain_text("clay@")
    assert opened.value.evaluate("opener === null && document.referrer === ''")


def test_a_token_that_is_refused_leads_back_with_the_apis_own_reason(seen: Watched, token: str) -> None:
    page = seen.page
    enter(seen, f"{token[:-8]}AAAAAAAA", "#/jobs?status=failed")
    heading(page, "Enter a token")
    expect(page.get_by_role("alert")).to_contain_text("The token's signature does not fit.")
    expect(page.get_by_role("alert")).to_contain_text("token_signature")
    assert page.evaluate("sessionStorage.length") == 0
    page.get_by_label("Bearer token").fill("abc")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("token_malformed")
    page.get_by_label("Bearer token").fill(f"Bearer {token}")
    page.keyboard.press("Enter")
    heading(page, "Jobs")
    expect(page.get_by_label("Status")).to_have_value("failed")
    page.get_by_role("button", name="Forget token").click()
    heading(page, "Enter a token")
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [0, 0, ""]


def test_errors_are_charted_by_what_the_api_counts(page: Page, client: httpx.Client, ids: dict[str, str]) -> None:
    jobs = client.get(f"{BATCHES}/{ids['batch']}/jobs").json()["items"]
    counts = Counter(job["error"]["code"] for job in jobs if job["status"] == "failed")
    go(page, f"#/batches/{ids['batch']}")
    rows = page.get_by_role("table", name="3 failed jobs of this batch").locator("tbody tr")
    expect(rows).to_have_count(len(counts))
    shown = {row.locator("code").inner_text(): int(row.locator("td").nth(1).inner_text()) for row in rows.all()}
    assert shown == dict(counts) == {"connect_failure": 1, "invalid_domain": 2}


def test_an_export_is_fetched_with_the_token_and_saved(page: Page, client: httpx.Client, ids: dict[str, str]) -> None:
    go(page, f"#/batches/{ids['batch']}")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download CSV").click()
    assert saved.value.suggested_filename == f"batch-{ids['batch']}.csv"
    expected = client.get(f"{BATCHES}/{ids['batch']}/results", params={"format": "csv"}).content
    assert Path(saved.value.path()).read_bytes() == expected


def test_an_export_that_is_elsewhere_is_fetched_from_there_without_the_token(
    seen: Watched, page: Page, ids: dict[str, str]
) -> None:
    elsewhere = f"https://{TEA}/menu"
    asked: list[dict[str, str]] = []

    def answer(route: Route) -> None:
        asked.append(route.request.headers)
        route.fulfill(body="a,b", headers={"content-disposition": "attachment; filename=large.csv"})

    page.route("**/results?*", lambda route: route.fulfill(json={"url": elsewhere}))
    page.context.route(elsewhere, answer)
    go(page, f"#/batches/{ids['batch']}")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download CSV").click()
    assert saved.value.suggested_filename == "large.csv"
    assert all("authorization" not in headers for headers in asked)
    assert seen.strangers == [elsewhere]
    seen.strangers.clear()


def test_a_job_is_cancelled_and_retried_after_a_question(page: Page, client: httpx.Client, held: HeldSite) -> None:
    host = held.host
    job = client.post(SCAN, json={"base_url": host}).json()["job_id"]
    held.wait_asked()
    go(page, f"#/jobs/{job}")
    expect(page.locator("h1 .chip")).to_have_text("running")
    page.get_by_role("button", name="Cancel job").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave it").click()
    assert client.get(f"/api/v3/jobs/{job}").json()["status"] == "running"
    page.get_by_role("button", name="Cancel job").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(page.locator("h1 .chip")).to_have_text("cancelled")
    expect(page.get_by_role("heading", level=1)).to_be_focused()  # the button that had the focus is gone
    expect(page.get_by_text("Final, as of")).to_be_visible()
    held.let_go()
    page.get_by_role("button", name="Retry job").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(page.locator("h1 .chip")).to_have_text("complete", timeout=30_000)


def test_the_page_says_when_it_is_cut_off_and_when_it_is_hidden(
    page: Page, client: httpx.Client, held: HeldSite
) -> None:
    job = client.post(SCAN, json={"base_url": held.host}).json()["job_id"]
    held.wait_asked()
    go(page, f"#/jobs/{job}")
    line = page.locator(".freshness")
    expect(line).to_contain_text("Live, as of")
    page.context.set_offline(True)
    expect(line).to_contain_text("This device is offline. Shown is what was told before, as of")
    page.context.set_offline(False)
    expect(line).to_contain_text("Live, as of")

    hide = "is => (Object.defineProperty(document, 'hidden', {value: is, configurable: true}), 1)"
    page.evaluate(hide, True)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(line).to_contain_text("Paused while this tab is hidden")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(300)
    assert asked == []
    page.evaluate(hide, False)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(line).to_contain_text("Live, as of")
    held.let_go()
    expect(page.locator("h1 .chip")).to_have_text("complete", timeout=30_000)


def test_a_file_is_read_and_one_that_is_too_long_is_not_sent(page: Page, tmp_path: Path) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method) if request.method == "POST" else None)
    go(page, "#/start/batch")
    file = tmp_path / "customers.csv"
    file.write_text('Name;Website\n"Tea; the";lantern-tea.example\nPot;quarry-pottery.example\n', "utf-8")
    page.get_by_label("Choose a file").set_input_files(file)
    expect(page.get_by_text("2 entries will be sent")).to_be_visible()
    dropped = page.evaluate_handle(
        "() => { const all = new DataTransfer();"
        " all.items.add(new File([Array.from({length: 10001}, (_, n) => `s${n}.example`).join('\\n')], 'all.txt'));"
        " return all; }"
    )
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": dropped})
    expect(page.get_by_text("10,001 are more than the 10,000 that a batch takes")).to_be_visible()
    page.get_by_role("button", name="Start the batch").click()
    page.get_by_role("textbox", name="Domains").fill("Name,Town\nTea,Leith")
    page.get_by_role("button", name="Start the batch").click()
    expect(page.get_by_text("The first line must name a column")).to_be_visible()
    assert sent == []


def test_the_gateway_leads_to_the_console_and_says_what_is_not_there(stack: RunningStack) -> None:
    with httpx.Client(base_url=stack.info.api_url, trust_env=False) as nobody:
        page = nobody.get("/")
        assert (page.status_code, page.headers["content-encoding"]) == (200, "gzip")
        assert nobody.get("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304
        for path, status in (("/console/nothing.js", 404), ("/console", 404), ("/console/a/b.js", 404)):
            answer = nobody.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        refused = nobody.post("/", json={})
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET")


def test_a_lost_answer_and_another_try_start_one_batch(page: Page, client: httpx.Client) -> None:
    keys: list[str] = []

    def lose_the_first(route: Route) -> None:
        if route.request.method != "POST":
            return route.fallback()
        keys.append(route.request.headers["idempotency-key"])
        answer = route.fetch()
        return route.abort() if len(keys) == 1 else route.fulfill(response=answer)

    page.route(f"**{BATCHES}", lose_the_first)
    before = len(client.get(BATCHES).json()["items"])
    go(page, "#/start/batch")
    page.get_by_role("textbox", name="Domains").fill(SHUT)
    page.get_by_role("button", name="Start the batch").click()
    expect(page.get_by_role("alert")).to_contain_text("The API cannot be reached.")
    page.get_by_role("button", name="Start the batch").click()
    heading(page, "Batch of 1 domain scan")
    assert len(client.get(BATCHES).json()["items"]) == before + 1
    go(page, "#/start/batch")
    page.get_by_role("textbox", name="Domains").fill(SHUT)
    page.get_by_role("button", name="Start the batch").click()
    heading(page, "Batch of 1 domain scan")
    assert (keys[0] == keys[1], keys[1] == keys[2]) == (True, False)


def test_the_urls_of_a_sitemap_scan_are_listed_by_file_and_page_by_page(page: Page, ids: dict[str, str]) -> None:
    go(page, f"#/jobs/{ids['sitemap']}")
    urls = page.get_by_role("table", name="URLs", exact=True).locator("tbody tr")
    expect(urls).to_have_count(50)
    page.get_by_role("button", name="Load more").first.click()
    expect(urls).to_have_count(100)
    page.get_by_label("Of which file").select_option(label=f"https://{MUSEUM}/sitemaps/pages.xml")
    expect(urls).to_have_count(3)
    expect(page.get_by_role("table", name="Sitemap files").locator("tbody tr")).to_have_count(4)


def test_the_own_sites_of_places_become_a_batch(page: Page, client: httpx.Client, ids: dict[str, str]) -> None:
    go(page, f"#/jobs/{ids['places']}")
    rows = page.get_by_role("table", name="Places").locator("tbody tr")
    expect(rows).to_have_count(20)
    page.get_by_label("Website class").select_option("own_site")
    own = client.get(
        f"/api/v3/localminer-discoveryscan/results/{ids['places']}", params={"website_class": "own_site"}
    ).json()["places"]
    expect(rows).to_have_count(len(own))
    page.get_by_role("button", name="Scan their own sites").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Max pages").fill("0")
    dialog.get_by_role("button", name="Start the batch").click()
    expect(dialog.get_by_text("A whole number from 1 to 100.")).to_be_visible()
    dialog.get_by_label("Max pages").fill("1")
    dialog.get_by_role("button", name="Start the batch").click()
    heading(page, f"Batch of {len({place['domain'] for place in own})} domain scans")
    batch_id = page.url.rpartition("/")[2]
    final(client, f"{BATCHES}/{batch_id}/status")  # so that what it fetches is seen by no other test


def test_what_one_thinks_of_a_place_is_said_in_its_row(page: Page, client: httpx.Client, ids: dict[str, str]) -> None:
    results = f"/api/v3/localminer-discoveryscan/results/{ids['places']}"
    place = client.get(results).json()["places"][0]
    go(page, f"#/jobs/{ids['places']}")
    chosen = page.get_by_role("combobox", name=f"Status of {place['name']}", exact=True).first
    expect(chosen).to_have_value(place["status"])
    chosen.select_option("Not a Fit")
    expect(page.locator("#live")).to_have_text(f"{place['name']} is Not a Fit.")
    assert client.get(results).json()["places"][0]["status"] == "Not a Fit"
    page.reload()
    expect(chosen).to_have_value("Not a Fit")

    refusal = {"detail": "Nobody is at home.", "code": "unavailable", "status": 503}
    page.route("**/places/staging/status", lambda route: route.fulfill(status=503, json=refusal))
    chosen.select_option("Selected")
    expect(page.locator("td", has=chosen).get_by_text("Nobody is at home.")).to_be_visible()
    expect(chosen).to_have_accessible_description("Nobody is at home.")
    expect(chosen).to_have_value("Not a Fit")
    page.unroute_all()
    page.route(
        "**/places/staging/status", lambda route: route.fulfill(json={"updated_count": 0, "unknown": [place["id"]]})
    )
    chosen.select_option("Selected")
    expect(chosen).to_have_accessible_description("This place is not known any more.")
    page.unroute_all()
    chosen.select_option("Selected")
    expect(page.locator("#live")).to_have_text(f"{place['name']} is Selected.")
    expect(chosen).to_have_accessible_description("")
    assert client.get(results).json()["places"][0]["status"] == "Selected"
