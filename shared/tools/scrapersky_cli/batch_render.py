"""The API's documents of batches as tables for people; as lenient, and as careful, as `render`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table
from rich.text import Text

from scrapersky_cli.client import Document
from scrapersky_cli.render import add_row, contact_lists, mapping, moment, number, status_text, table
from scrapersky_cli.text import clean


def batch_view(document: Document) -> Iterator[Text | Table]:
    """One batch: a line that says how it stands, its figures, and why domains failed."""
    batch_id = clean(document.get("batch_id"))
    yield Text.assemble((f"batch {batch_id}", "bold"), "  ", status_text(document), f"  {_percent(document)}")
    yield Text(figures_line(document))
    seconds = document.get("processing_time")
    if isinstance(seconds, int | float):
        yield Text(f"{moment(document.get('start_time'))} UTC, {seconds:.1f} s")
    failures = failures_table(document)
    if failures.row_count:
        yield failures


def figures_line(document: Document) -> str:
    """`20 domains: 12 complete, 7 failed, 0 cancelled, 1 to go`."""
    total, complete, failed, cancelled = (
        int(number(document, f"{name}_domains")) for name in ("total", "completed", "failed", "cancelled")
    )
    left = total - complete - failed - cancelled
    return f"{total} domains: {complete} complete, {failed} failed, {cancelled} cancelled, {left} to go"


def failures_table(document: Document) -> Table:
    """Why domains failed: each code with how often and an example. A batch lists its first thousand domains only."""
    listed = mapping(document.get("domain_statuses"))
    errors = [(domain, mapping(mapping(state).get("error"))) for domain, state in listed.items()]
    codes = Counter(clean(error.get("code")) for _, error in errors if error)
    examples = {clean(error.get("code")): (domain, error.get("message")) for domain, error in reversed(errors) if error}
    truncated = mapping(document.get("metadata")).get("domain_statuses_truncated") is True
    made = table(f"Of the first {len(listed)} domains" if truncated else None, "Error", "Domains", "For instance", "")
    for code, count in codes.most_common():
        add_row(made, (code, count, *examples[code]))
    return made


def batches_table(items: Sequence[Document]) -> Table:
    made = table(
        None, "Batch", "Kind", "Status", "Progress", "Domains", "Complete", "Failed", "Cancelled", "Created (UTC)"
    )
    for item in items:
        counts = (item.get(f"{name}_domains") for name in ("total", "completed", "failed", "cancelled"))
        created = moment(item.get("created_at"))
        add_row(made, (item.get("batch_id"), item.get("kind"), status_text(item), _percent(item), *counts, created))
    return made


def results_table(items: Iterable[Document]) -> Table:
    """A row for each domain: what was found of it, or why nothing was."""
    made = table(None, "Domain", "Status", "Title", "E-mail", "Phone", "Error")
    for item in items:
        site_data = mapping(mapping(item.get("result")).get("site_data"))
        contacts = (", ".join(values) for values in contact_lists(site_data))
        error = mapping(item.get("error")).get("code")
        add_row(made, (item.get("domain"), status_text(item), site_data.get("title"), *contacts, error))
    return made


def _percent(document: Document) -> str:
    return f"{number(document, 'progress'):.0f} %"
