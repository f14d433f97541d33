"""The API's documents of webhooks and events as tables for people; as lenient, and as careful, as `render`."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

from rich.table import Table
from rich.text import Text

from scrapersky.domain.events import EventType
from scrapersky.domain.webhooks import DeliveryStatus
from scrapersky_cli.client import Document
from scrapersky_cli.render import add_row, list_of, mapping, moment, table
from scrapersky_cli.text import clean


class Subscribed(StrEnum):
    """The types that a webhook can ask for: all but the test, which each gets that is tested."""

    JOB_COMPLETE = EventType.JOB_COMPLETE.value
    JOB_FAILED = EventType.JOB_FAILED.value
    JOB_CANCELLED = EventType.JOB_CANCELLED.value
    BATCH_COMPLETE = EventType.BATCH_COMPLETE.value
    BATCH_FAILED = EventType.BATCH_FAILED.value
    BATCH_CANCELLED = EventType.BATCH_CANCELLED.value


_STYLES = {"delivered": "green", "failed": "red", "pending": "blue"}
VERIFY = (
    "Keep the secret, it is told only now. A receiver verifies with it, by any library of Standard Webhooks: "
    'in Python `pip install standardwebhooks`, then standardwebhooks.Webhook("whsec_…").verify(body, headers).'
)


def webhooks_table(items: Sequence[Document]) -> Table:
    made = table(None, "Webhook", "URL", "Events", "State", "Description", "Created (UTC)")
    for item in items:
        cells = (item.get("url"), _events(item), _state(item), item.get("description"), moment(item.get("created_at")))
        add_row(made, (item.get("id"), *cells))
    return made


def webhook_view(document: Document) -> Iterator[Text | Table]:
    """One webhook, a line a field; with its secret where the document holds it."""
    yield Text.assemble((clean(document.get("url")), "bold"), "  ", _state(document))
    made = table(None, "Field", "Value")
    told = (
        ("id", document.get("id")),
        ("events", _events(document)),
        ("description", document.get("description")),
        ("disabled since", moment(document.get("disabled_at"))),
        ("failing since", moment(document.get("failing_since"))),
        ("paused until", moment(document.get("paused_until"))),
        ("previous secret until", moment(document.get("previous_secret_expires_at"))),
        ("created", moment(document.get("created_at"))),
        ("secret", document.get("secret")),
    )
    for name, value in told:
        if value:
            add_row(made, (name, value))
    yield made


def deliveries_table(items: Sequence[Document]) -> Table:
    made = table(None, "Delivery", "Event", "Status", "Attempts", "Answer", "Next try (UTC)", "Created (UTC)", "Error")
    for item in items:
        cells = (item.get("event_type"), _delivery_status(item), item.get("attempts"), item.get("status_code"))
        times = (moment(item.get("next_attempt_at")), moment(item.get("created_at")))
        add_row(made, (item.get("id"), *cells, *times, mapping(item.get("error")).get("code")))
    return made


def _attempts(made: object) -> str:
    return "1 attempt" if made == 1 else f"{clean(made)} attempts"


def delivery_view(document: Document) -> Iterator[Text | Table]:
    """One delivery: a line that says how it stands, then each of its attempts, the latest first."""
    yield Text.assemble(
        (clean(document.get("event_type")), "bold"),
        "  ",
        _delivery_status(document),
        f"  {_attempts(document.get('attempts'))}  {clean(document.get('id'))}",
    )
    if error := mapping(document.get("error")):
        yield Text(f"{clean(error.get('code'))}: {clean(error.get('message'))}", style="red")
    if again := moment(document.get("next_attempt_at")):
        yield Text(f"Next try at {again} UTC.")
    made = table(None, "#", "At (UTC)", "ms", "Answer", "Error", "Response")
    for attempt in map(mapping, list_of(document.get("log"))):
        cells = (moment(attempt.get("started_at")), attempt.get("ms"), attempt.get("status_code"))
        error = mapping(attempt.get("error"))
        add_row(made, (attempt.get("number"), *cells, error.get("message"), attempt.get("response")))
    if made.row_count:
        yield made


def events_table(items: Sequence[Document]) -> Table:
    made = table(None, "Event", "Type", "At (UTC)", "About", "Job or batch")
    for item in items:
        data = mapping(item.get("data"))
        about = data.get("domain") or _figures(data)
        of = item.get("job_id") or item.get("batch_id") or item.get("webhook_id")
        add_row(made, (item.get("id"), item.get("type"), moment(item.get("timestamp")), about, of))
    return made


def _figures(data: Any) -> str:
    if "total_domains" not in data:
        return ""
    total, completed, failed = (clean(data.get(f"{name}_domains")) for name in ("total", "completed", "failed"))
    return f"{total} domains: {completed} complete, {failed} failed"


def _events(document: Document) -> str:
    events = [clean(kind) for kind in list_of(document.get("events"))]
    return "all" if set(events) == set(Subscribed) else ", ".join(events)


def _state(document: Document) -> Text:
    if document.get("enabled") is not True:
        return Text(f"disabled ({clean(document.get('disabled_reason'))})", style="red")
    if document.get("failing_since"):
        return Text("failing", style="yellow")
    return Text("enabled", style="green")


def _delivery_status(document: Document) -> Text:
    word = clean(document.get("status"))
    return Text(word, style=_STYLES.get(word, ""))


def is_delivered(document: Document) -> bool:
    return document.get("status") == DeliveryStatus.DELIVERED.value
