"""The demonstration: the whole local stack scans the demo web through the public API, and the outcomes are checked."""

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from scrapersky.domain.limits import DEFAULT_PAGES
from scrapersky_cli.client import ApiClient, Document, is_final
from scrapersky_cli.render import add_row, facts, home_url, status_text, table
from scrapersky_cli.text import clean
from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.demo_batches import BatchOutcome, batches_view, run_batches
from scrapersky_local.demo_places import PlacesOutcome, places_view, run_places, spent_line
from scrapersky_local.demo_sitemaps import SitemapOutcome, run_sitemaps, sitemaps_view
from scrapersky_local.demo_web.server import serve
from scrapersky_local.demo_web.sites import Site, differences
from scrapersky_local.stack import Stack, StackOptions

LOOPBACK = "127.0.0.0/8"
WATCHERS = 8  # jobs that are followed at the same time; more would only hold more of the API's functions
PATIENCE_SECONDS = 45.0  # a scan that is not over by then never will be: the slowest site takes three
LAST_WORDS = 20  # lines of the stack that are shown when a scan did not end
_LEFT_OUT = frozenset({"description", "canonical", "favicon", "logo"})  # long, and of little to look at


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the scan of one site came to, and in what it differs from the site's description."""

    site: Site
    job: Document
    differences: Sequence[str]


def run(results: Console, notices: Console) -> bool:
    """Scan every site of the demo web on a stack of its own: each alone, then all as batches; and their sitemaps.

    Then search for businesses, and scan their sites. Print what came of it.

    True when every outcome is the one that the site's description says.
    """
    begin = time.monotonic()
    said: deque[str] = deque(maxlen=LAST_WORDS)
    with _progress(notices) as progress, throwaway_directory() as folder, serve() as web:
        task = progress.add_task("bringing the stack up")
        options = StackOptions(
            data_dir=folder,
            port=0,
            allow_networks=(LOOPBACK,),
            resolve=web.resolve_rules(),
            ca_file=web.ca_file,
            durable=False,
            say=said.append,
        )
        with Stack(options).running() as stack, ApiClient(stack.api_url, stack.token) as client:
            progress.update(task, description=f"scanning {len(web.sites)} sites")
            outcomes = scan_all(client, web.sites)
            progress.update(task, description="scanning them again, as batches")
            batches = run_batches(client, stack, web.sites)
            progress.update(task, description="reading their sitemaps, and searching for businesses")
            with ThreadPoolExecutor(1) as pool:  # one of the businesses' sites is slow
                searched = pool.submit(run_places, client, options.places, web.sites)
                sitemaps, of_sitemaps = run_sitemaps(client, web.sites)
                places = searched.result()
            batches.append(of_sitemaps)
            progress.update(task, description="taking the stack down")
    report(results, outcomes, batches, sitemaps, places, time.monotonic() - begin)
    documents = [one.job for one in outcomes] + [one.document for one in batches] + [one.document for one in sitemaps]
    documents += places.documents
    if not all(map(is_final, documents)):
        for line in said:
            notices.print(clean(line), soft_wrap=True)
    differing = [one.differences for one in outcomes] + [one.differences for one in batches]
    return not any([*differing, *(one.differences for one in sitemaps), places.differences])


def scan_all(client: ApiClient, sites: Sequence[Site]) -> list[Outcome]:
    """Start all scans, then wait for each; the outcomes in the order of the sites. One may still not be final."""
    started = [client.start_scan(site.host, max_pages=DEFAULT_PAGES) for site in sites]
    with ThreadPoolExecutor(WATCHERS) as pool:
        jobs = list(pool.map(lambda accepted: _last(client, accepted.status_url), started))
    return [Outcome(site, job, differences(site.expect, job)) for site, job in zip(sites, jobs, strict=True)]


def _last(client: ApiClient, status_url: str) -> Document:
    return list(client.follow(status_url, patience=PATIENCE_SECONDS))[-1]


def report(
    console: Console,
    outcomes: Sequence[Outcome],
    batches: Sequence[BatchOutcome],
    sitemaps: Sequence[SitemapOutcome],
    places: PlacesOutcome,
    seconds: float,
) -> None:
    found = [one for one in outcomes if one.job.get("status") == "complete"]
    others = [one for one in outcomes if one.job.get("status") != "complete"]
    console.print(_found_table(found))
    console.print()
    console.print(_others_table(others))
    console.print()
    console.print(sitemaps_view(sitemaps))
    console.print()
    console.print(batches_view(batches))
    console.print()
    console.print(places_view(places))
    console.print(spent_line(places))
    console.print()
    named = [(one.site.host, one.differences) for one in outcomes]
    named += [(f"batch by {one.started_by}", one.differences) for one in batches]
    named += [(f"sitemaps of {one.site.host}", one.differences) for one in sitemaps]
    named.append(("places", places.differences))
    wrong = [(name, lines) for name, lines in named if lines]
    for name, lines in wrong:
        for line in lines:
            console.print(f"{name}: {line}", soft_wrap=True)
    verdict = f"{len(wrong)} not as described" if wrong else "every outcome as described"
    counts = f"{len(outcomes)} sites, the sitemaps of {len(sitemaps)} and {len(batches)} batches of them"
    console.print(f"{counts}, and {len(places.places)} places in {seconds:.0f} s: {verdict}.")


def _found_table(outcomes: Sequence[Outcome]) -> Table:
    made = table("What was found", "Site", "What it is", "Facts")
    for one in outcomes:
        site_data = (one.job.get("result") or {}).get("site_data") or {}
        shown = [f"{kind}: {value}" for kind, value, _ in facts(site_data, home_url(one.job)) if kind not in _LEFT_OUT]
        add_row(made, (one.site.host, one.site.shows, Text("\n".join(shown))))
    return made


def _others_table(outcomes: Sequence[Outcome]) -> Table:
    made = table("Why the others failed", "Site", "What it is", "Status", "Error", "Reason")
    for one in outcomes:
        error = one.job.get("error") or {}
        add_row(made, (one.site.host, one.site.shows, status_text(one.job), error.get("code"), error.get("message")))
    return made


def _progress(console: Console) -> Progress:
    """A spinner with one changing line, for as long as somebody watches."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
