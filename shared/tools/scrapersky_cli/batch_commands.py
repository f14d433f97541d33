"""The commands that start batches, list them and fetch what they found."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import typer

from scrapersky.domain.limits import DEFAULT_CONCURRENT, DEFAULT_PAGES, MAX_PAGES
from scrapersky_cli import listing, options
from scrapersky_cli.batch_render import batches_table, figures_line
from scrapersky_cli.client import Accepted, ApiClient, Document
from scrapersky_cli.domain_list import read_domains
from scrapersky_cli.errors import UsageError
from scrapersky_cli.follow import wait_for_batch
from scrapersky_cli.outcomes import after_batch_start, end
from scrapersky_cli.render import mapping, number
from scrapersky_cli.results import ResultFormat, chosen_format, write_results
from scrapersky_cli.session import Session, session_of

REJECTED_SHOWN = 5  # the others are in the results, with their reasons


def batch(
    context: typer.Context,
    source: options.Domains,
    max_pages: Annotated[
        int, typer.Option("--max-pages", min=1, max=MAX_PAGES, help="Pages of a site to look at, at most.")
    ] = DEFAULT_PAGES,
    max_concurrent: options.MaxConcurrent = DEFAULT_CONCURRENT,
    batch_id: options.NewBatchId = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the results, or only start.")] = True,
    file_format: options.Format = None,
    output: options.Output = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Scan many sites and show what was found.

    FILE holds up to 10 000 domains; what is no domain is told and holds up nothing. Ctrl-C leaves the batch running.
    --json prints the batch's status in place of the results. Exits with 1 when no domain completed, or when the
    batch was cancelled.

    \b
    Examples:
      scrapersky batch domains.txt
      scrapersky batch customers.csv --max-concurrent 50 -o facts.csv
      scrapersky batch domains.txt --format ndjson | jq .result.site_data.contact_info
      scrapersky batch - --no-wait --json
    """
    ending = Ending.of(file_format, output, wait=wait, as_json=as_json)
    domains = read_domains(source)
    session = session_of(context)
    with session.client(data_dir) as client:
        accepted = client.start_batch(domains, max_pages=max_pages, max_concurrent=max_concurrent, batch_id=batch_id)
        ending.come_to(session, client, accepted)


def batches(
    context: typer.Context,
    limit: options.Limit = 50,
    everything: options.All = False,
    cursor: options.Cursor = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """List batches, the newest first.

    \b
    Examples:
      scrapersky batches
      scrapersky batches --all --json
    """
    session = session_of(context)
    with session.client(data_dir) as client:

        def page_at(at: str | None) -> Document:
            return client.batches(limit=limit, cursor=at)

        document = listing.fetch(page_at, cursor=cursor, everything=everything)
    listing.show(session, document, batches_table, as_json=as_json)


def results(
    context: typer.Context,
    batch_id: options.BatchId,
    file_format: options.Format = None,
    output: options.Output = None,
    data_dir: options.DataDir = None,
) -> None:
    """Show what a batch found, also while it runs: what is there so far.

    \b
    Examples:
      scrapersky results 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f
      scrapersky results 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f -o facts.csv
      scrapersky results 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f --format ndjson | jq .domain
    """
    session = session_of(context)
    file_format = chosen_format(file_format, output)
    with session.client(data_dir) as client:
        write_results(session, client, str(batch_id), file_format, output)


COMMANDS = (batch, batches, results)


@dataclass(frozen=True, slots=True)
class Ending:
    """What a command that has started a batch does then: wait or not, and what it shows or writes."""

    file_format: ResultFormat
    output: Path | None
    wait: bool
    as_json: bool

    @classmethod
    def of(cls, asked: ResultFormat | None, output: Path | None, *, wait: bool, as_json: bool) -> Self:
        """Raises UsageError when results were asked for that this run will not write."""
        if as_json and (asked or output):
            raise UsageError("--json prints the batch's status, --format and -o write its results; choose one of them")
        if not wait and (asked or output):
            raise UsageError("--no-wait writes no results; get them later with `scrapersky results`")
        return cls(chosen_format(asked, output), output, wait, as_json)

    def come_to(self, session: Session, client: ApiClient, accepted: Accepted) -> None:
        """End the command, with 1 when the batch came to nothing."""
        if not self.as_json:
            _say_rejected(session, accepted.document)
        if self.as_json or not self.wait:
            after_batch_start(session, client, accepted, wait=self.wait, as_json=self.as_json)
            return
        document = wait_for_batch(
            session,
            client,
            batch_id=accepted.work_id,
            status_url=accepted.status_url,
            total=number(accepted.document, "total_domains") or number(accepted.document, "job_count"),
        )
        write_results(session, client, accepted.work_id, self.file_format, self.output)
        session.say(f"Batch {accepted.work_id} is {document.get('status')}. {figures_line(document)}")
        end(document)


def _say_rejected(session: Session, accepted: Document) -> None:
    """Tell the entries that are no domains."""
    rejected = accepted.get("rejected")
    entries = [mapping(entry) for entry in rejected] if isinstance(rejected, list) else []
    for entry in entries[:REJECTED_SHOWN]:
        session.say(f"no domain: {entry.get('input')} ({entry.get('reason')})")
    if left := len(entries[REJECTED_SHOWN:]):
        least = "at least " if accepted.get("rejected_truncated") is True else ""
        session.say(f"no domain: {least}{left} more, which the results name")
