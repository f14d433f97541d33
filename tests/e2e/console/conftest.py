"""A real browser on the running stack and the demo web, and things of a tenant that nobody else looks at."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.conftest import RunningStack, token_of
from support.browser import DESKTOP, WAIT_MS, Watched, running_browser, size, watched

BATCHES = "/api/v3/batch_page_scraper/batch"
SCAN = "/api/v3/modernized_page_scraper/scan"
NAMES = ("quarry-pottery", "lantern-tea", "shut-gate", "tram-museum")
POTTERY, TEA, SHUT, MUSEUM = (f"{name}.example" for name in NAMES)
KEEP = "token => sessionStorage.setItem('scrapersky.token', token)"


@pytest.fixture(scope="module")
def browser(stack: RunningStack) -> Iterator[Browser]:
    expect.set_options(timeout=WAIT_MS)
    with running_browser(stack.web.resolve_rules()) as running:
        yield running


@pytest.fixture(scope="module")
def token(stack: RunningStack) -> str:
    """Of a tenant whose things are those of this file alone."""
    return token_of(stack, uuid4())


@pytest.fixture(scope="module")
def client(stack: RunningStack, token: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=stack.info.api_url, headers=headers, timeout=30, trust_env=False) as made:
        yield made


@pytest.fixture(scope="module")
def ids(client: httpx.Client) -> dict[str, str]:
    """Things of each kind, all of them final, by the place in the console that shows them."""
    batch = client.post(BATCHES, json={"domains": [POTTERY, TEA, SHUT, "no domain", "10.0.0.1"]}).json()["batch_id"]
    sitemap = client.post("/api/v3/sitemap/scan", json={"base_url": MUSEUM}).json()["job_id"]
    asked = {"business_type": "dentist", "location": "Austin TX"}
    places = client.post("/api/v3/localminer-discoveryscan/search/places", json=asked).json()["job_id"]
    final(client, f"{BATCHES}/{batch}/status")
    jobs = client.get(f"{BATCHES}/{batch}/jobs").json()["items"]
    by_domain = {job["domain"]: job["job_id"] for job in jobs}
    for job in (sitemap, places):
        assert final(client, f"/api/v3/jobs/{job}")["status"] == "complete"
    return {"batch": batch, "sitemap": sitemap, "places": places, "scan": by_domain[POTTERY], "failed": by_domain[SHUT]}


@pytest.fixture
def seen(browser: Browser, stack: RunningStack) -> Iterator[Watched]:
    """A page in a profile of its own, in which nothing goes wrong that the test does not provoke."""
    # Without motion, which a machine without a graphics card spends its time on.
    context = browser.new_context(viewport=size(DESKTOP), ignore_https_errors=True, reduced_motion="reduce")
    watching = watched(context, stack.info.api_url)
    yield watching
    context.close()
    assert watching.faults == []


@pytest.fixture
def page(seen: Watched, token: str) -> Page:
    """The same, with the token entered."""
    enter(seen, token)
    return seen.page


def enter(seen: Watched, token: str, place: str = "#/batches") -> None:
    seen.page.goto(f"{seen.origin}/console/icon.svg")  # the origin has the token before the page is there
    seen.page.evaluate(KEEP, token)
    seen.page.goto(f"{seen.origin}/{place}")


def final(client: httpx.Client, path: str) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        told = client.get(path, params={"wait": 5}).json()
        if told["status"] in ("complete", "failed", "cancelled"):
            return told
    return pytest.fail(f"not final: {told}")


def go(page: Page, place: str) -> None:
    """To another place of the console."""
    page.goto(f"{page.url.partition('#')[0]}{place}")


def heading(page: Page, text: str) -> None:
    """Wait for the view with this heading."""
    expect(page.get_by_role("heading", level=1)).to_contain_text(text)
