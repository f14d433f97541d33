"""The commands that show what webhooks were told, have it told again, and list what happened."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from scrapersky.domain.events import EventType
from scrapersky.domain.webhooks import DeliveryStatus
from scrapersky_cli import listing, options
from scrapersky_cli.client import Document
from scrapersky_cli.errors import UsageError
from scrapersky_cli.render import number
from scrapersky_cli.session import session_of
from scrapersky_cli.text import clean
from scrapersky_cli.times import AS_A_TIME, point_in_time
from scrapersky_cli.webhook_commands import group
from scrapersky_cli.webhook_render import deliveries_table, events_table
from scrapersky_cli.webhooks_api import WebhooksApi


@group.command("deliveries")
def deliveries(
    context: typer.Context,
    webhook_id: options.WebhookId,
    status: Annotated[DeliveryStatus | None, typer.Option("--status", help="Only those that stand so.")] = None,
    event_id: Annotated[UUID | None, typer.Option("--event-id", help="Only of this event.")] = None,
    limit: options.Limit = 50,
    everything: options.All = False,
    cursor: options.Cursor = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """List what a webhook was told, the newest first; `scrapersky webhooks show` has each attempt of one.

    \b
    Examples:
      scrapersky webhooks deliveries 5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054
      scrapersky webhooks deliveries 5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054 --status failed --all --json
    """
    session = session_of(context)
    asked = {"status": status and status.value, "event_id": str(event_id) if event_id else None}
    with session.client(data_dir) as client:

        def page_at(at: str | None) -> Document:
            return WebhooksApi(client).deliveries(webhook_id, **asked, limit=limit, cursor=at)

        document = listing.fetch(page_at, cursor=cursor, everything=everything)
    listing.show(session, document, deliveries_table, as_json=as_json)


@group.command("replay")
def replay(
    context: typer.Context,
    identity: Annotated[UUID, typer.Argument(metavar="ID", help="Of a delivery or, with --since, of a webhook.")],
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since", metavar="TIME", parser=point_in_time, help=f"All of a webhook from then on: {AS_A_TIME}."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", metavar="TIME", parser=point_in_time, help="With --since: before then. [default: now]"),
    ] = None,
    status: Annotated[
        DeliveryStatus | None,
        typer.Option("--status", help="With --since: those that stand so. [default: failed]", show_default=False),
    ] = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Make a delivery again, or a webhook's deliveries since a time, with all tries before them.

    A receiver knows by `webhook-id` what it has had already. Up to 10000 are made again at once, the oldest first.

    \b
    Examples:
      scrapersky webhooks replay e91b3f60-7c42-4d15-a8b9-30f6d2e7c418
      scrapersky webhooks replay 5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054 --since 6h
      scrapersky webhooks replay 5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054 --since 2026-03-02T08:00:00Z
      scrapersky webhooks replay 5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054 --since 2026-03-02 --status delivered
    """
    if since is None and (until is not None or status is not None):
        raise UsageError("--until and --status are for all deliveries of a webhook, with --since")
    session = session_of(context)
    with session.client(data_dir) as client:
        api = WebhooksApi(client)
        if since is None:
            document = api.replay(identity)
        else:
            asked = {"since": _utc(since), "until": _utc(until), "status": status and status.value}
            document = api.replay_many(identity, **asked)
    if as_json:
        session.show_json(document)
        return
    if since is None:
        session.say(f"delivery {identity} is made again: scrapersky webhooks show {identity}")
        return
    count = int(number(document, "replayed"))
    session.say(f"{count} {'delivery is' if count == 1 else 'deliveries are'} made again")
    if document.get("replayed_truncated") is True:
        since_then = clean(document.get("next_since"))
        session.say(f"There may be more: go on with --since {since_then} instead.")


def events(
    context: typer.Context,
    event_type: Annotated[EventType | None, typer.Option("--type", help="Only of this type.")] = None,
    job_id: Annotated[UUID | None, typer.Option("--job", help="Only of this job.")] = None,
    batch_id: Annotated[UUID | None, typer.Option("--batch", help="Only of this batch and its jobs.")] = None,
    limit: options.Limit = 50,
    everything: options.All = False,
    cursor: options.Cursor = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """List what happened, the newest first: how jobs and batches ended. It is kept for 30 days.

    \b
    Examples:
      scrapersky events
      scrapersky events --type batch.complete --json
      scrapersky events --job 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f
    """
    session = session_of(context)
    asked = {
        "type": event_type and event_type.value,
        "job_id": str(job_id) if job_id else None,
        "batch_id": str(batch_id) if batch_id else None,
    }
    with session.client(data_dir) as client:

        def page_at(at: str | None) -> Document:
            return WebhooksApi(client).events(**asked, limit=limit, cursor=at)

        document = listing.fetch(page_at, cursor=cursor, everything=everything)
    listing.show(session, document, events_table, as_json=as_json)


def _utc(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time is not None else None


COMMANDS = (events,)
